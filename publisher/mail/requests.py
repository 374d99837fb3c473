"""Mail that readers, or their mail programs, write to us: the wish to leave a newsletter (RFC 2369 §3.2)."""

import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser
from email.policy import compat32

_TOKEN = re.compile(r"v1\.[0-9a-f]{6}\.[A-Za-z0-9_-]{1,200}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
_HEAD_OCTETS = 64 * 1024


def unsubscribe_token(message: bytes) -> str | None:
    """Returns the token in a mail's subject, whoever it is from; None when there is none. It proves nothing yet."""
    head = BytesHeaderParser(policy=compat32).parsebytes(message[:_HEAD_OCTETS])
    for raw in head.get_all("Subject", []):
        found = _TOKEN.search(_decoded(str(raw)))
        if found:
            return found[0]
    return None


def _decoded(raw: str) -> str:
    unfolded = " ".join(raw.split())
    try:
        return str(make_header(decode_header(unfolded)))
    except (HeaderParseError, LookupError, ValueError):  # an encoding that is none, or not what it says
        return unfolded
