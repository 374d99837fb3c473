"""Reads what stands in the mailbox for reports: bounces, complaints, automatic replies, anything else.

All of it is hostile until proved otherwise: sizes and depths are limited before
the parser sees them, nothing in a message is ever followed, and free text decides
nothing. What the fields mean is decided in `mail.bounces`; whether the report is
about a mail of ours, where the keys are.
"""

import base64
import binascii
import quopri
import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message

from publisher.errors import ReportError
from publisher.mail.bounces import enhanced_in
from publisher.mail.fields import Fields, addresses_in, read_fields, read_groups, spellings, typed_address
from publisher.model.report import Recipient, Report, ReportKind

LARGEST = 2 * 1024 * 1024
"""Octets of a report; servers return the headers, or a message that we had sent."""
_MOST_PARTS = 64
_DEEPEST = 6
_NESTING = re.compile(rb"multipart/|message/", re.IGNORECASE)
_LONG_TYPE = re.compile(rb"^content-type:(?:[^\r\n]|\r?\n[ \t]|\r[ \t]){4096}", re.IGNORECASE | re.MULTILINE)
_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
_FEEDBACK_TYPE = "message/feedback-report"
_RETURNED_TYPES = (
    "message/rfc822",
    "message/global",
    "text/rfc822-headers",
    "message/rfc822-headers",
    "message/global-headers",
)
_UNSUBSCRIBE = re.compile(r"/unsubscribe/([A-Za-z0-9._~-]{1,512})")
_QMAIL_START = re.compile(r"\s*Hi\. This is the ")
_QMAIL_RECIPIENT = re.compile(r"<([^<>\s]{1,320})>:")
_MOST_RECIPIENTS = 100
_DETAIL = 500
Part = Message


def read_report(raw: bytes) -> Report:
    """Returns what a message is and says; ReportError when it is too large, too deep or no message at all."""
    if len(raw) > LARGEST:
        raise ReportError(f"larger than {LARGEST // 1024 // 1024} MiB")
    if len(_NESTING.findall(raw)) > _MOST_PARTS or _LONG_TYPE.search(raw):
        raise ReportError("nested too deep for a report")
    try:
        return _read(message_from_bytes(raw))
    except ReportError:
        raise
    except Exception as error:  # of a crafted message the standard library's parser may raise anything
        raise ReportError(f"not a message that can be read: {type(error).__name__}") from error


def _read(message: Part) -> Report:
    head = _head(message)
    if not head:
        raise ReportError("not a message: it has no headers")
    parts = list(_parts(message))
    returned = next((_returned(part) for part in parts if part.get_content_type() in _RETURNED_TYPES), Fields(()))
    feedback = next((_groups(part) for part in parts if part.get_content_type() == _FEEDBACK_TYPE), None)
    if feedback:
        return _complaint(head, feedback[0], returned)
    status = next((_groups(part) for part in parts if part.get_content_type() in _STATUS_TYPES), None)
    if status:
        return _bounce(head, status, returned)
    if _is_reply(message, head):
        return _report(ReportKind.REPLY, head, Fields(()))
    qmail = _qmail_text(message)
    return _report(ReportKind.OTHER, head, Fields(())) if qmail is None else _qmail_bounce(head, qmail)


def _bounce(head: Fields, groups: list[Fields], returned: Fields) -> Report:
    """The first group is about the message, unless the server forgot it; the others are recipients (RFC 3464 §2.1)."""
    about, recipients = groups[0], groups[1:]
    if about.first("final-recipient"):
        about, recipients = Fields(()), groups
    said = tuple(_recipient(group) for group in recipients[:_MOST_RECIPIENTS])
    envelope_id = about.first("original-envelope-id")
    return _report(ReportKind.BOUNCE, head, returned, recipients=said, envelope=(envelope_id,))


def _recipient(group: Fields) -> Recipient:
    named = [*spellings(group.first("original-recipient")), typed_address(group.first("final-recipient"))]
    return Recipient(
        addresses=tuple(dict.fromkeys(filter(None, named))),
        action=group.first("action").partition(" ")[0].lower(),
        status=group.first("status"),
        diagnostic=group.first("diagnostic-code")[:_DETAIL],
    )


def _complaint(head: Fields, feedback: Fields, returned: Fields) -> Report:
    named = [typed_address(value) for value in feedback.all("original-rcpt-to")]
    return _report(
        ReportKind.COMPLAINT,
        head,
        returned,
        recipients=(Recipient(addresses=tuple(filter(None, named))),),
        feedback=feedback.first("feedback-type").lower(),
        envelope=(feedback.first("original-mail-from"), feedback.first("original-envelope-id")),
    )


def _report(
    kind: ReportKind,
    head: Fields,
    returned: Fields,
    *,
    recipients: tuple[Recipient, ...] = (),
    feedback: str = "",
    envelope: tuple[str, ...] = (),
) -> Report:
    arrived_at = [value for name in ("to", "delivered-to", "x-original-to", "envelope-to") for value in head.all(name)]
    envelopes = [*arrived_at, *envelope, *returned.all("return-path")]
    listed = " ".join(returned.all("list-unsubscribe"))
    return Report(
        kind=kind,
        recipients=recipients,
        feedback=feedback,
        envelopes=tuple(dict.fromkeys(filter(None, envelopes)))[:20],
        message_ids=returned.all("message-id")[:3],
        readers=tuple(address for value in returned.all("to") for address in addresses_in(value))[:10],
        unsubscribe=tuple(_UNSUBSCRIBE.findall(listed))[:3],
    )


def _parts(message: Part) -> Iterator[Part]:
    """Yields the leaves of the report itself; what is inside a returned message speaks for nobody."""
    waiting = [(message, 0)]
    while waiting:
        part, depth = waiting.pop(0)
        children = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(children, list):
            if depth < _DEEPEST:
                waiting += [(child, depth + 1) for child in children if isinstance(child, Message)]
        elif depth:
            yield part


def _groups(part: Part) -> list[Fields]:
    return read_groups(_text(part))


def _returned(part: Part) -> Fields:
    if part.get_content_type() in ("message/rfc822", "message/global"):
        inner = part.get_payload()
        if isinstance(inner, list):
            return next((_head(each) for each in inner if isinstance(each, Message)), Fields(()))
    return next(iter(read_groups(_text(part))), Fields(()))


def _text(part: Part) -> str:
    """Returns a part's text, whatever the parser has made of it: it reads `message/…` as messages."""
    payload = part.get_payload()
    if isinstance(payload, list):
        blocks = [_flat(block) for block in payload if isinstance(block, Message)]
        return _decoded("\n\n".join(blocks), str(part.get("content-transfer-encoding", "")))
    return _decoded(payload if isinstance(payload, str) else "", str(part.get("content-transfer-encoding", "")))


def _flat(block: Part) -> str:
    fields = "\n".join(f"{name}: {_value(value)}" for name, value in block.items())
    rest = block.get_payload()
    return f"{fields}\n\n{rest}" if isinstance(rest, str) and rest.strip() else fields


def _decoded(text: str, encoding: str) -> str:
    octets = text.encode("utf-8", "surrogateescape")
    match encoding.strip().lower():
        case "base64":
            try:
                octets = base64.b64decode(octets)
            except binascii.Error:
                octets = b""
        case "quoted-printable":
            octets = quopri.decodestring(octets)
    return octets.decode("utf-8", "replace")


def _head(message: Part) -> Fields:
    return read_fields([f"{name}: {_value(value)}" for name, value in message.items()])


def _value(value: object) -> str:
    """Returns a header's value on one line; octets that are no UTF-8 become question marks."""
    text = str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return " ".join(text.split())


def _is_reply(message: Part, head: Fields) -> bool:
    """RFC 3834 §5 and what machines wrote before it; a receipt is none either (RFC 8098)."""
    automatic = re.split(r"[\s;(]", head.first("auto-submitted").lower(), maxsplit=1)[0]
    named = any(head.first(name) for name in ("x-autoreply", "x-autorespond", "x-vacation"))
    precedence = head.first("precedence").lower() in ("auto_reply", "auto-reply")
    receipt = str(message.get_param("report-type", "")).lower() == "disposition-notification"
    return automatic in ("auto-replied", "auto-generated", "auto-notified") or named or precedence or receipt


def _qmail_text(message: Part) -> str | None:
    """Returns the text of a bounce in qmail's own shape (QSBMF), None for anything else."""
    if message.is_multipart() or message.get_content_maintype() != "text":
        return None
    text = _text(message).replace("\r\n", "\n")
    return text if _QMAIL_START.match(text) else None


def _qmail_bounce(head: Fields, text: str) -> Report:
    """A paragraph that says what it is, one per recipient, a line, the returned message."""
    recipients = []
    returned = Fields(())
    paragraphs = re.split(r"\n[ \t]*\n", text, maxsplit=_MOST_RECIPIENTS)
    for number, paragraph in enumerate(paragraphs):
        if paragraph.startswith("-"):
            following = "".join(paragraphs[number + 1 : number + 2])
            returned = read_fields([line for line in following.splitlines() if line.strip()])
            break
        match = _QMAIL_RECIPIENT.match(paragraph.lstrip("\n"))
        if match is not None:
            said = " ".join(paragraph.lstrip("\n")[match.end() :].split())[:_DETAIL]
            recipients.append(
                Recipient(addresses=(match[1].lower(),), action="failed", status=enhanced_in(said), diagnostic=said)
            )
    return _report(ReportKind.BOUNCE, head, returned, recipients=tuple(recipients))
