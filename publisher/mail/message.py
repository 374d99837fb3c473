"""A mail as bytes: prepared once per variant, filled once per person.

Preparing encodes everything that is the same for all readers of a variant;
the personal values keep a place of their own between soft line breaks, so
that filling is joining bytes and every line stays legal whatever the value.
The headers that one-click unsubscribing hangs on are written here, unfolded:
Python's own folding turns a long URL in List-Unsubscribe into encoded words,
and then no mail provider finds it (RFC 2047 §5 forbids them there).
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from html import escape

from publisher.mail.encoding import is_sendable, mailbox, one_line, quoted_printable, unstructured
from publisher.model.issue import MailText
from publisher.model.personal import CLOSE, OPEN, SLOTS

_SLOT = re.compile(f"{OPEN}([a-z_]*){CLOSE}")
_STRAY = re.compile(f"[{OPEN}{CLOSE}]")
_URI = re.compile(r"https?://[!-;=?-~]+")
_URI_OCTETS = 900
_LIST_ID_OCTETS = 255
_COMMON = ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type")
_LIST = ("List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Precedence")
_MESSAGE_ID = re.compile(r"<?i(\d{1,18})\.([a-z2-7]{26})@")
_SOFT_BREAK = b"=\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who a mail is from: a name, and the address that is also the envelope's."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """Returns the right side of the address: ours, and what Message-IDs end in (RFC 5322 §3.6.4)."""
        return self.address.rpartition("@")[2]

    @classmethod
    def parse(cls, text: str) -> "Sender":
        """Returns the sender that `Name <address>` or a bare address says; ValueError when it is neither."""
        match = re.fullmatch(r"\s*(?:(?P<name>[^<>]*?)\s*<(?P<inner>[^<>]+)>|(?P<bare>[^<>]+?))\s*", text)
        address = (match["inner"] or match["bare"]).strip() if match else ""
        local, _, domain = address.rpartition("@")
        if not domain.isascii():
            address = f"{local}@{domain.encode('idna').decode()}"
        if match is None or not is_sendable(address):
            raise ValueError(f'{text!r} is not a sender such as "Example News <news@example.org>"')
        return cls(name=_unquoted(match["name"] or ""), address=address)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailingList:
    """The newsletter a mail belongs to; service mail belongs to none."""

    id: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """What is one reader's own in a mail."""

    name: str
    address: str
    message_id: str
    at: datetime
    """The time of sending."""
    unsubscribe_url: str | None
    """Needed for a mailing list's mail, None for service mail."""
    values: Mapping[str, str]
    """By slot name, plain text."""


@dataclass(frozen=True, slots=True)
class _Place:
    slot: str
    markup: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A variant's mail, encoded but for what is personal."""

    sender: Sender
    subject: str
    subject_line: bytes | None
    """The Subject header; None: it is personal."""
    list_lines: tuple[bytes, ...]
    content_type: bytes
    body: tuple[bytes | _Place, ...]
    names: tuple[str, ...]
    """The headers that a filled message has, no more and no fewer."""
    slots: frozenset[str]
    """The personal values that filling needs."""
    size: int


def prepare(mail: MailText, *, sender: Sender, mailing_list: MailingList | None = None) -> Prepared:
    """Returns the mail ready to be filled: text first, HTML second (RFC 2046 §5.1.4), boundary made of its content."""
    boundary = "=_" + hashlib.sha256(f"{mail.text}\0{mail.html}".encode("utf-8", "replace")).hexdigest()[:32]
    body = _merged(
        [
            _part_head(boundary, "plain"),
            *_places(mail.text, markup=False),
            b"\r\n" + _part_head(boundary, "html"),
            *_places(mail.html, markup=True),
            f"\r\n--{boundary}--\r\n".encode(),
        ]
    )
    personal_subject = OPEN in mail.subject
    slots = {piece.slot for piece in body if isinstance(piece, _Place)} | set(_SLOT.findall(mail.subject))
    unknown = slots - set(SLOTS)
    if unknown:
        raise ValueError(f"a mail asks for values that there are not: {', '.join(sorted(unknown))}")
    return Prepared(
        sender=sender,
        subject=mail.subject,
        subject_line=None if personal_subject else unstructured("Subject", _STRAY.sub("", mail.subject)),
        list_lines=() if mailing_list is None else (_list_id(mailing_list, sender.domain), b"Precedence: bulk"),
        content_type=f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"'.encode(),
        body=body,
        names=tuple(sorted(_COMMON if mailing_list is None else _COMMON + _LIST)),
        slots=frozenset(slots),
        size=sum(len(piece) for piece in body if isinstance(piece, bytes)),
    )


def fill(prepared: Prepared, personal: Personal) -> bytes:
    """Returns one reader's message, CRLF throughout; ValueError rather than a header too many or too few."""
    head = b"\r\n".join([*_head(prepared, personal), b""])
    if _names(head) != prepared.names:
        raise ValueError("the headers are not the expected ones")
    return b"".join([head, b"\r\n", *(_filled(piece, personal.values) for piece in prepared.body)])


def message_id(key: bytes, issue: int, subscriber: int, domain: str) -> str:
    """Returns the one Message-ID of an issue for a subscriber, the same on every attempt (decisions 7)."""
    digest = hmac.digest(key, f"publisher message-id {issue} {subscriber}".encode(), "sha256")
    return f"<i{issue}.{base64.b32encode(digest[:16]).decode().rstrip('=').lower()}@{domain}>"


def issue_of(identity: str) -> int | None:
    """Returns the issue that a Message-ID of ours names; it proves nothing before `is_message_id` has agreed."""
    match = _MESSAGE_ID.match(identity.strip())
    return None if match is None else int(match[1])


def is_message_id(key: bytes, issue: int, subscriber: int, identity: str) -> bool:
    """Returns whether a Message-ID is the one of this delivery, whatever domain the sender had then."""
    local = identity.strip().lstrip("<").partition("@")[0]
    ours = message_id(key, issue, subscriber, "").lstrip("<").partition("@")[0]
    return hmac.compare_digest(local.encode("utf-8", "replace"), ours.encode())


def _head(prepared: Prepared, personal: Personal) -> list[bytes]:
    subject = prepared.subject_line or unstructured("Subject", _replaced(prepared.subject, personal.values))
    return [
        mailbox("From", prepared.sender.name, prepared.sender.address),
        mailbox("To", personal.name, personal.address),
        subject,
        f"Date: {format_datetime(personal.at)}".encode(),
        f"Message-ID: {personal.message_id}".encode("ascii"),
        *_list_head(prepared, personal),
        b"Auto-Submitted: auto-generated",
        b"MIME-Version: 1.0",
        prepared.content_type,
    ]


def _list_head(prepared: Prepared, personal: Personal) -> list[bytes]:
    if not prepared.list_lines:
        return []
    url = personal.unsubscribe_url or ""
    if len(url) > _URI_OCTETS or not _URI.fullmatch(url):
        raise ValueError(f"{url!r} is not an address for List-Unsubscribe")
    return [
        *prepared.list_lines,
        f"List-Unsubscribe: <{url}>".encode("ascii"),
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click",  # RFC 8058 §3.1
    ]


def _list_id(mailing_list: MailingList, domain: str) -> bytes:
    """RFC 2919 §2: a phrase for people if it needs no encoded word (RFC 2047 §5), a stable name for programs."""
    name = f"<{mailing_list.id}.{domain}>"
    title = one_line(mailing_list.title)
    line = f'List-Id: "{title}" {name}'
    plain = title.isascii() and not {'"', "\\"} & set(title) and "=?" not in title
    return (line if title and plain and len(line) <= _LIST_ID_OCTETS else f"List-Id: {name}").encode("ascii")


def _part_head(boundary: str, subtype: str) -> bytes:
    return (
        f"--{boundary}\r\nContent-Type: text/{subtype}; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    ).encode()


def _places(text: str, *, markup: bool) -> list[bytes | _Place]:
    pieces: list[bytes | _Place] = []
    for number, piece in enumerate(_SLOT.split(text)):
        if number % 2:
            pieces += [_SOFT_BREAK, _Place(piece, markup), _SOFT_BREAK]
        else:
            pieces.append(quoted_printable(_STRAY.sub("", piece)))
    return pieces


def _merged(pieces: list[bytes | _Place]) -> tuple[bytes | _Place, ...]:
    merged: list[bytes | _Place] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if isinstance(piece, bytes) and isinstance(last, bytes):
            merged[-1] = last + piece
        else:
            merged.append(piece)
    return tuple(merged)


def _filled(piece: bytes | _Place, values: Mapping[str, str]) -> bytes:
    if isinstance(piece, bytes):
        return piece
    value = one_line(_STRAY.sub("", values[piece.slot]))
    return quoted_printable(escape(value) if piece.markup else value)


def _replaced(text: str, values: Mapping[str, str]) -> str:
    return _STRAY.sub("", _SLOT.sub(lambda match: values[match[1]], text))


def _names(head: bytes) -> tuple[str, ...]:
    lines = [line for line in head.split(b"\r\n") if line and line[:1] not in (b" ", b"\t")]
    return tuple(sorted(line.partition(b":")[0].decode("ascii", "replace") for line in lines))


def _unquoted(name: str) -> str:
    name = one_line(name)
    if len(name) > 1 and name[0] == name[-1] == '"':
        return re.sub(r"\\(.)", r"\1", name[1:-1])
    return name
