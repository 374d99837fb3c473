"""A trial before any mail goes: does this Python read a mail of ours, full of hostile text, as we meant it?

What we write owes the email package only the form of a date; but its ways with
names, folds and line ends have changed within minor versions (CVE-2024-6923,
CVE-2025-1795, CVE-2026-1299), and what it reads is what mail programs will read.
"""

from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import compat32, default
from email.utils import parseaddr, parsedate_to_datetime
from functools import cache

from publisher.errors import PublisherError
from publisher.mail.encoding import one_line
from publisher.mail.mailing_list import MailingList
from publisher.mail.message import Personal, Sender, fill, prepare
from publisher.model.issue import MailText
from publisher.model.personal import MARKERS

_HOSTILE = 'Şule, "خبر" <a@b.example>\r\nBcc: c@d.example\u2028\0=?utf-8?q?x?= ' + "ş" * 200
_URL = "https://news.example/unsubscribe/" + "t" * 300
_AT = datetime(2026, 2, 28, 23, 59, 58, tzinfo=UTC)


@cache
def require_sound_mail() -> None:
    """PublisherError, naming what came out differently, where a mail is not read as it was meant; tried once."""
    try:
        wrong = _misread()
    except Exception as error:  # an unsound interpreter may fail in any way
        raise PublisherError(f"this Python cannot make and read a mail, so none goes out: {error!r}") from error
    if wrong:
        raise PublisherError(f"this Python reads mail differently from how it is meant, so none goes out: {wrong}")


def _misread() -> str:
    mail = MailText(
        subject=_HOSTILE,
        preheader="",
        text=f".\n{_HOSTILE}\n{MARKERS['name']}\nFrom here ",
        html=f"<p>{MARKERS['name']}</p>",
    )
    prepared = prepare(
        mail,
        sender=Sender(name=_HOSTILE, address="news@news.example"),
        mailing_list=MailingList(id="trial", title=_HOSTILE, help_url=_URL),
    )
    personal = Personal(
        name=_HOSTILE,
        address="reader@example.org",
        message_id="<trial@news.example>",
        at=_AT,
        unsubscribe_url=_URL,
        values={"name": _HOSTILE},
    )
    readings = _readings(fill(prepared, personal), prepared.names, mail.text)
    return ", ".join(name for name, sound in readings.items() if not sound)


def _readings(octets: bytes, names: tuple[str, ...], text: str) -> dict[str, bool]:
    message = message_from_bytes(octets, policy=default)
    plain = message_from_bytes(octets, policy=compat32)
    body = message.get_body(("plain",))
    written = text.replace(MARKERS["name"], one_line(_HOSTILE))
    return {
        "headers": tuple(sorted(plain.keys())) == names and not message.defects,
        "Subject": _decoded(plain["Subject"]) == one_line(_HOSTILE),
        "From": _mailbox(plain["From"]) == (one_line(_HOSTILE), "news@news.example"),
        "To": _mailbox(plain["To"]) == (one_line(_HOSTILE), "reader@example.org"),
        "Date": parsedate_to_datetime(plain["Date"]) == _AT,
        "List-Unsubscribe": plain["List-Unsubscribe"] == f"<{_URL}>",
        "text": body is not None and body.get_content().split() == written.split(),
    }


def _mailbox(raw: str) -> tuple[str, str]:
    phrase, address = parseaddr("".join(raw.splitlines()))
    return _decoded(phrase), address


def _decoded(raw: str) -> str:
    return str(make_header(decode_header(raw)))
