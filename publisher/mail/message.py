"""A mail as bytes: prepared once per variant, filled once per person.

Preparing encodes everything that is the same for all readers of a variant;
the personal values keep a place of their own between soft line breaks, so
that filling is joining bytes and every line stays legal whatever the value.
Every byte is written here and in `encoding`, none by Python's email package,
whose versions fold, quote and let through differently; before a mail goes
its head is read back and has to hold the headers we meant, and nothing else.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING

from publisher.mail.encoding import base32, is_sendable, mailbox, one_line, quoted_printable, unstructured
from publisher.mail.mailing_list import MailingList, unsubscribe_line
from publisher.model.issue import MailText
from publisher.model.personal import CLOSE, OPEN, SLOTS

if TYPE_CHECKING:
    from publisher.mail.dkim import Seal, Signer

_SLOT = re.compile(f"{OPEN}([a-z_]*){CLOSE}")
_STRAY = re.compile(f"[{OPEN}{CLOSE}]")
_MESSAGE_ID = re.compile(r"<?i(\d{1,18})\.([a-z2-7]{26})@")
_SOFT_BREAK = b"=\r\n"
_LONGEST_LINE = 998
"""Octets without the CRLF (RFC 5322 §2.1.1)."""


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

    def is_aligned_with(self, domain: str) -> bool:
        """Returns whether a signature of `domain` speaks for this sender: one is the other or lies below it.

        DMARC (RFC 9989) would take more, but only with the list of public suffixes at hand.
        """
        own = self.domain.lower()
        return own == domain or own.endswith(f".{domain}") or domain.endswith(f".{own}")


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
    unsubscribe_mailto: str | None = None
    """The same by mail, where mail is read."""
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
    subject: str | None
    """With the places for personal values; None: it has none, and stands in `head`."""
    head: bytes
    """The headers that are the same for everybody."""
    listed: bool
    """Whether it is a newsletter's, with a way out of it."""
    body: tuple[bytes, ...]
    """What stands before, between and after the personal values."""
    places: tuple[_Place, ...]
    names: tuple[str, ...]
    """The headers that a filled message has, no more and no fewer."""
    own: tuple[bytes, ...]
    """How the personal ones of them begin, in their order."""
    slots: frozenset[str]
    """The personal values that filling needs."""
    seal: "Seal | None"
    """None: nobody signs."""
    size: int


def prepare(
    mail: MailText, *, sender: Sender, mailing_list: MailingList | None = None, signer: "Signer | None" = None
) -> Prepared:
    """Returns the mail ready to be filled: text, then HTML where there is any (RFC 2046 §5.1.4)."""
    kind, pieces = _alternatives(mail) if mail.html else (_part_type("plain"), _pieces(mail.text, markup=False))
    body, places = _parted(pieces)
    _require_clean(b" ".join(body))
    personal_subject = mail.subject if OPEN in mail.subject else None
    slots = {place.slot for place in places} | set(_SLOT.findall(mail.subject))
    unknown = slots - set(SLOTS)
    if unknown:
        raise ValueError(f"a mail asks for values that there are not: {', '.join(sorted(unknown))}")
    fixed = [
        mailbox("From", sender.name, sender.address),
        *([] if personal_subject else [unstructured("Subject", _STRAY.sub("", mail.subject))]),
        *([] if mailing_list is None else mailing_list.lines(sender.domain)),
        b"Auto-Submitted: auto-generated",  # RFC 3834 §5: nobody's vacation notice answers it
        b"X-Auto-Response-Suppress: OOF, AutoReply",  # Exchange's word for it; "All" would silence its bounces too
        b"MIME-Version: 1.0",
        *kind,
    ]
    own = ["To", "Date", "Message-ID"]
    own += ["Subject"] if personal_subject else []
    own += [] if mailing_list is None else ["List-Unsubscribe"]
    seal = signer.seal(fixed, own, body) if signer else None
    _require_headers(_lines(fixed), fixed, [f"{_name(line)}:".encode() for line in fixed])
    return Prepared(
        sender=sender,
        subject=personal_subject,
        head=_lines(fixed),
        listed=mailing_list is not None,
        body=body,
        places=places,
        names=tuple(sorted([*map(_name, fixed), *own, *([seal.header] if seal else [])])),
        own=tuple(f"{name}:".encode() for name in ([seal.header, *own] if seal else own)),
        slots=frozenset(slots),
        seal=seal,
        size=sum(map(len, body)) + (seal.size if seal else 0),
    )


def fill(prepared: Prepared, personal: Personal) -> bytes:
    """Returns one reader's message, CRLF throughout; ValueError rather than a header too many or too few."""
    own = _own_headers(prepared, personal)
    values = _filled(prepared.places, personal.values)
    sealed = [] if prepared.seal is None else [prepared.seal.sign(own, values, personal.at)]
    signature, told = _lines(sealed), _lines(own)
    _require_headers(signature + told, sealed + own, prepared.own)
    _require_clean(b" ".join(values))
    pieces = [signature, prepared.head, told, b"\r\n", prepared.body[0]]
    for value, piece in zip(values, prepared.body[1:], strict=True):
        pieces += value, piece
    return b"".join(pieces)


def message_id(key: bytes, issue: int, subscriber: int, domain: str) -> str:
    """Returns the one Message-ID of an issue for a subscriber, the same on every attempt (decisions 7)."""
    signing = _identities(key).copy()
    signing.update(f"{issue} {subscriber}".encode())
    return f"<i{issue}.{base32(signing.digest()[:16])}@{domain}>"


@lru_cache(maxsize=8)
def _identities(key: bytes) -> hmac.HMAC:
    """Returns what Message-IDs are signed with; a copy of it costs half of a new one."""
    return hmac.new(key, b"publisher message-id ", "sha256")


def issue_of(identity: str) -> int | None:
    """Returns the issue that a Message-ID of ours names; it proves nothing before `is_message_id` has agreed."""
    match = _MESSAGE_ID.match(identity.strip())
    return None if match is None else int(match[1])


def is_message_id(key: bytes, issue: int, subscriber: int, identity: str) -> bool:
    """Returns whether a Message-ID is the one of this delivery, whatever domain the sender had then."""
    local = identity.strip().lstrip("<").partition("@")[0]
    ours = message_id(key, issue, subscriber, "").lstrip("<").partition("@")[0]
    return hmac.compare_digest(local.encode("utf-8", "replace"), ours.encode())


def _own_headers(prepared: Prepared, personal: Personal) -> list[bytes]:
    """Returns the personal headers, in the order in which `prepare` announced them."""
    told = [
        mailbox("To", personal.name, personal.address),
        _date(int(personal.at.timestamp())),
        f"Message-ID: {personal.message_id}".encode("ascii"),
    ]
    if prepared.subject is not None:
        told.append(unstructured("Subject", _replaced(prepared.subject, personal.values)))
    if prepared.listed:
        told.append(unsubscribe_line(personal.unsubscribe_url or "", personal.unsubscribe_mailto))
    return told


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return f"Date: {format_datetime(datetime.fromtimestamp(second, UTC))}".encode()


def _alternatives(mail: MailText) -> tuple[list[bytes], list[bytes | _Place]]:
    """Returns the header and the body of a mail in two renderings, the boundary made of its content."""
    boundary = "=_" + hashlib.sha256(f"{mail.text}\0{mail.html}".encode("utf-8", "replace")).hexdigest()[:32]
    pieces = [
        _part_head(boundary, "plain"),
        *_pieces(mail.text, markup=False),
        b"\r\n" + _part_head(boundary, "html"),
        *_pieces(mail.html, markup=True),
        f"\r\n--{boundary}--\r\n".encode(),
    ]
    return [f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"'.encode()], pieces


def _part_head(boundary: str, subtype: str) -> bytes:
    return f"--{boundary}\r\n".encode() + _lines(_part_type(subtype)) + b"\r\n"


def _part_type(subtype: str) -> list[bytes]:
    return [f"Content-Type: text/{subtype}; charset=utf-8".encode(), b"Content-Transfer-Encoding: quoted-printable"]


def _pieces(text: str, *, markup: bool) -> Iterable[bytes | _Place]:
    for number, piece in enumerate(_SLOT.split(text)):
        if number % 2:
            yield _SOFT_BREAK
            yield _Place(piece, markup)
            yield _SOFT_BREAK
        else:
            yield quoted_printable(_STRAY.sub("", piece))


def _parted(pieces: Iterable[bytes | _Place]) -> tuple[tuple[bytes, ...], tuple[_Place, ...]]:
    """Returns what is fixed, in one piece more than there are places, and the places between them."""
    fixed = [b""]
    places = []
    for piece in pieces:
        if isinstance(piece, bytes):
            fixed[-1] += piece
        else:
            places.append(piece)
            fixed.append(b"")
    return tuple(fixed), tuple(places)


def _filled(places: Iterable[_Place], values: Mapping[str, str]) -> list[bytes]:
    """Returns what comes into each place; a value that stands in several, as links do, is encoded once."""
    lines = {slot: one_line(_unmarked(value)) for slot, value in values.items()}
    encoded: dict[str, bytes] = {}
    filled = []
    for place in places:
        text = escape(lines[place.slot]) if place.markup else lines[place.slot]
        if text not in encoded:
            encoded[text] = quoted_printable(text)
        filled.append(encoded[text])
    return filled


def _unmarked(value: str) -> str:
    return value if OPEN not in value and CLOSE not in value else _STRAY.sub("", value)


def _replaced(text: str, values: Mapping[str, str]) -> str:
    return _STRAY.sub("", _SLOT.sub(lambda match: values[match[1]], text))


def _lines(headers: Sequence[bytes]) -> bytes:
    return b"\r\n".join([*headers, b""])


def _require_clean(octets: bytes) -> None:
    """ValueError: something would not cross every relay as it stands (RFC 5321 §2.3.8, RFC 5322 §2.1.1)."""
    ends = octets.count(b"\r\n")
    if not (octets.count(b"\r") == octets.count(b"\n") == ends and octets.isascii()) or b"\0" in octets:
        raise ValueError("the headers or the text hold something that mail cannot carry")


def _require_headers(octets: bytes, lines: Sequence[bytes], starts: Sequence[bytes]) -> None:
    """ValueError: the octets are not just these headers, each beginning as it should and none hiding another."""
    _require_clean(octets)
    begun = octets.count(b"\n") - octets.count(b"\n ") - octets.count(b"\n\t")
    expected = all(map(bytes.startswith, lines, starts))
    if not expected or begun != len(starts) or len(lines) != len(starts) or _is_too_long(octets):
        raise ValueError("the headers are not the expected ones")


def _is_too_long(octets: bytes) -> bool:
    return len(octets) > _LONGEST_LINE and max(map(len, octets.split(b"\r\n"))) > _LONGEST_LINE


def _name(line: bytes) -> str:
    return line.partition(b":")[0].decode("ascii", "replace")


def _unquoted(name: str) -> str:
    name = one_line(name)
    if len(name) > 1 and name[0] == name[-1] == '"':
        return re.sub(r"\\(.)", r"\1", name[1:-1])
    return name
