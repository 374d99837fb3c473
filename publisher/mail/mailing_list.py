"""The headers by which a mail says that it is a newsletter's: whose, and how to leave it (RFC 2369, 2919, 8058).

None of them is ever folded or encoded: a program that reads them would not
find what it looks for (RFC 2047 §5).
"""

import base64
import hashlib
import re
from dataclasses import dataclass

from publisher.mail.encoding import one_line

_WEB = re.compile(r"https?://[!-;=?-~]+")
_MAIL = re.compile(r"mailto:[!-;=?-~]+")
_URI = re.compile(r"(?:https?://|mailto:)[!-;=?-~]+")
_URI_OCTETS = 900
_LIST_ID_OCTETS = 255
_LINE_OCTETS = 998


@dataclass(frozen=True, slots=True, kw_only=True)
class MailingList:
    """The newsletter a mail belongs to; service mail belongs to none."""

    id: str
    title: str
    help_url: str = ""
    """Where anybody reads what there is to get, and how; empty: nowhere."""
    owner: str = ""
    """The URI of people who answer; empty: there is none."""

    def lines(self, domain: str) -> list[bytes]:
        """Returns the headers that are the same for every reader; `domain` is the sender's."""
        told = [
            _list_id(self, domain),
            b"List-Unsubscribe-Post: List-Unsubscribe=One-Click",  # RFC 8058 §3.1
            b"List-Post: NO",  # RFC 2369 §3.4: readers do not write to it
            b"Precedence: bulk",
            _feedback_id(self, domain),
        ]
        for name, uri in (("List-Help", self.help_url), ("List-Owner", self.owner)):
            if _is_uri(_URI, uri):
                told.append(f"{name}: <{uri}>".encode())
        return told


def unsubscribe_line(url: str, mailto: str | None = None) -> bytes:
    """Returns one reader's List-Unsubscribe, the better way first; ValueError: programs cannot post to `url`.

    `mailto` is left out where it does not fit beside it: one line is all there is.
    """
    if not _is_uri(_WEB, url):
        raise ValueError(f"{url!r} is not an address for List-Unsubscribe")
    line = f"List-Unsubscribe: <{url}>"
    if mailto and _is_uri(_MAIL, mailto) and len(line) + len(mailto) + len(", <>") <= _LINE_OCTETS:
        line += f", <{mailto}>"
    return line.encode()


def _list_id(mailing_list: MailingList, domain: str) -> bytes:
    """RFC 2919 §2: a phrase for people if it needs no encoded word, a stable name for programs."""
    name = f"<{mailing_list.id}.{domain}>"
    title = one_line(mailing_list.title)
    line = f'List-Id: "{title}" {name}'
    plain = title.isascii() and not {'"', "\\"} & set(title) and "=?" not in title
    return (line if title and plain and len(line) <= _LIST_ID_OCTETS else f"List-Id: {name}").encode("ascii")


def _feedback_id(mailing_list: MailingList, domain: str) -> bytes:
    """What Gmail counts complaints by, narrow to wide: the newsletter, and the sender in 5 to 15 characters."""
    sender = base64.b32encode(hashlib.sha256(domain.lower().encode()).digest()[:5]).decode().lower()
    return f"Feedback-ID: {mailing_list.id}:p-{sender}".encode()


def _is_uri(pattern: re.Pattern[str], uri: str) -> bool:
    return len(uri) <= _URI_OCTETS and pattern.fullmatch(uri) is not None
