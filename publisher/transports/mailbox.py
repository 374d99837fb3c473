"""The mailbox for reports, by IMAP (RFC 9051): what is unseen is read and marked as seen, nothing is deleted."""

import asyncio
import contextlib
import imaplib
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from publisher.errors import UnreachableError

T = TypeVar("T")

_TIMEOUT_SECONDS = 30.0
_SESSION_SECONDS = 600.0
_UID = re.compile(r"[1-9]\d{0,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxAccount:
    """Where the mailbox is and how to get in."""

    host: str
    port: int
    security: str
    """`tls`, `starttls` or `none`."""
    username: str
    password: str
    folder: str
    largest: int
    """Octets beyond which a message is not fetched."""
    tls: ssl.SSLContext | None = None
    """None: the system's authorities."""


class ImapMailbox:
    """Opens sessions; imaplib blocks, so each step runs in a thread."""

    def __init__(self, account: MailboxAccount) -> None:
        self._account = account

    @asynccontextmanager
    async def session(self) -> AsyncIterator["ImapSession"]:
        """Logs in and opens the folder; UnreachableError for whatever the server or the network does."""
        client = await _step(lambda: _opened(self._account))
        try:
            yield ImapSession(client, self._account.largest)
        finally:
            with contextlib.suppress(UnreachableError):
                await _step(lambda: _left(client))


class ImapSession:
    """One session in the folder."""

    def __init__(self, client: imaplib.IMAP4, largest: int) -> None:
        self._client = client
        self._largest = largest

    async def unread(self) -> list[str]:
        """Returns the ids of unseen messages, oldest first."""
        found = await self._uid("SEARCH", "UNSEEN")
        words = b" ".join(each for each in found if isinstance(each, bytes)).decode("ascii", "replace").split()
        return sorted((word for word in words if _UID.fullmatch(word)), key=int)

    async def message(self, uid: str) -> bytes:
        """Returns a message without marking it; one that is too large comes cut, one octet too long."""
        found = await self._uid("FETCH", uid, f"(BODY.PEEK[]<0.{self._largest + 1}>)")
        return next((bytes(each[1]) for each in found if isinstance(each, tuple)), b"")

    async def mark_read(self, uid: str) -> None:
        """Marks a message as seen."""
        await self._uid("STORE", uid, "+FLAGS.SILENT", r"(\Seen)")

    async def _uid(self, command: str, *arguments: str) -> list[Any]:
        status, found = await _step(lambda: self._client.uid(command, *arguments))
        if status != "OK":
            raise UnreachableError(f"the mailbox for reports refuses {command}: {_words(found)}")
        return list(found)


async def _step(work: Callable[[], T]) -> T:
    try:
        return await asyncio.wait_for(asyncio.to_thread(work), _SESSION_SECONDS)
    except (imaplib.IMAP4.error, OSError, EOFError, ValueError, TimeoutError) as error:
        raise UnreachableError(f"the mailbox for reports cannot be read: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Returns what the server said; imaplib hands its words on as octets."""
    return _words(list(error.args)) or str(error) or type(error).__name__


def _opened(account: MailboxAccount) -> imaplib.IMAP4:
    client = _connected(account)
    try:
        client.login(_quoted(account.username), account.password)
        status, said = client.select(_quoted(account.folder))
        if status != "OK":
            raise imaplib.IMAP4.error(f"there is no folder {account.folder!r}: {_words(said)}")
    except BaseException:
        with contextlib.suppress(imaplib.IMAP4.error, OSError):
            client.shutdown()
        raise
    return client


def _connected(account: MailboxAccount) -> imaplib.IMAP4:
    host, port = account.host, account.port
    if account.security == "none":
        return imaplib.IMAP4(host, port, _TIMEOUT_SECONDS)
    tls = account.tls or ssl.create_default_context()
    if account.security == "tls":
        return imaplib.IMAP4_SSL(host, port, ssl_context=tls, timeout=_TIMEOUT_SECONDS)
    client = imaplib.IMAP4(host, port, _TIMEOUT_SECONDS)
    try:
        client.starttls(tls)
    except BaseException:
        client.shutdown()
        raise
    return client


def _left(client: imaplib.IMAP4) -> None:
    client.logout()


def _quoted(text: str) -> str:
    """Returns a quoted string (RFC 9051 §4.3); imaplib sends names as they stand."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _words(found: list[Any]) -> str:
    return b" ".join(each for each in found if isinstance(each, bytes)).decode("utf-8", "replace")[:200]
