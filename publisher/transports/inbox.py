"""The sandbox's inbox as files: `var/inbox/ID.eml`, newest kept, written by any process and read by any."""

import contextlib
import itertools
import os
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import default
from pathlib import Path

_ID = re.compile(r"[0-9]{20}-[0-9]{1,10}-[0-9]{6}")
_HEAD_OCTETS = 16 * 1024
KEPT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One mail in the list."""

    id: str
    sender: str
    recipient: str
    subject: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMail:
    """One mail, opened."""

    arrival: Arrival
    headers: tuple[tuple[str, str], ...]
    text: str
    html: str
    """Empty when there is none."""
    source: bytes


class Inbox:
    """A folder of received mail; every name sorts by the time it came."""

    def __init__(self, folder: Path, kept: int = KEPT) -> None:
        self._folder = folder
        self._kept = kept
        self._counter = itertools.count()
        self._since_pruned = 0

    def store(self, sender: str, recipient: str, message: bytes) -> str:
        """Writes one mail, durable before this returns, with the lines a mail server adds; returns its id."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        number = next(self._counter) % 1_000_000
        identity = f"{time.time_ns():020d}-{os.getpid()}-{number:06d}"
        trace = f"Return-Path: <{sender}>\r\nDelivered-To: {recipient}\r\n".encode("ascii", "replace")
        draft = self._folder / f".{identity}.tmp"
        with draft.open("xb") as file:
            file.write(trace + message)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self._folder / f"{identity}.eml")
        self._sync_folder()
        self._prune()
        return identity

    def arrivals(self, limit: int = 100) -> list[Arrival]:
        """Returns the newest mails, newest first."""
        found = []
        for identity in self._identities()[:limit]:
            with contextlib.suppress(FileNotFoundError), (self._folder / f"{identity}.eml").open("rb") as file:
                found.append(_arrival(identity, file.read(_HEAD_OCTETS)))
        return found

    def count(self) -> int:
        """Returns how many mails there are."""
        return len(self._identities())

    def open(self, identity: str) -> ReceivedMail | None:
        """Returns one mail with its parts, None when there is none of that id."""
        if not _ID.fullmatch(identity):
            return None
        try:
            source = (self._folder / f"{identity}.eml").read_bytes()
        except FileNotFoundError:
            return None
        message = message_from_bytes(source, policy=default)
        return ReceivedMail(
            arrival=_arrival(identity, source),
            headers=tuple((name, str(value)) for name, value in message.items()),
            text=_part(message, "plain"),
            html=_part(message, "html"),
            source=source,
        )

    def _identities(self) -> list[str]:
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        return sorted(
            (n.removesuffix(".eml") for n in names if n.endswith(".eml") and _ID.fullmatch(n[:-4])), reverse=True
        )

    def _prune(self) -> None:
        self._since_pruned += 1
        if self._since_pruned < max(1, self._kept // 10):
            return
        self._since_pruned = 0
        for identity in self._identities()[self._kept :]:
            (self._folder / f"{identity}.eml").unlink(missing_ok=True)

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _arrival(identity: str, source: bytes) -> Arrival:
    headers = BytesHeaderParser(policy=default).parsebytes(source)
    return Arrival(
        id=identity,
        sender=str(headers.get("From", "")),
        recipient=str(headers.get("To") or headers.get("Delivered-To", "")),
        subject=str(headers.get("Subject", "")),
        received_at=datetime.fromtimestamp(int(identity[:20]) / 1e9, UTC),
    )


def _part(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    if part is None:
        return ""
    try:
        content = part.get_content()
    except (LookupError, ValueError, TypeError):  # a charset that Python does not know, or that is none
        payload = part.get_payload(decode=True)
        content = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
    return content.replace("\r\n", "\n") if isinstance(content, str) else ""
