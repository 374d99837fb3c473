"""The mailbox for reports, on a real Dovecot: read once, marked, nothing deleted, every failure named."""

import asyncio
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mail_servers import PASSWORD, Dovecot, dovecot
from ports import free_port
from publisher.errors import UnreachableError
from publisher.transports.mailbox import ImapMailbox, MailboxAccount

pytestmark = pytest.mark.xdist_group("dovecot")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for `localhost` that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2",
        ],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture(scope="module")
def server(certificate: tuple[Path, Path]) -> Iterator[Dovecot]:
    with dovecot(certificate) as running:
        yield running


@pytest.fixture
def account(server: Dovecot, certificate: tuple[Path, Path], request: pytest.FixtureRequest) -> MailboxAccount:
    """An account of its own for each test."""
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)
    return MailboxAccount(
        host="localhost", port=server.tls_port, security="tls", username=f"{name}@wire.example", password=PASSWORD,
        folder="INBOX", largest=2000, tls=trusted,
    )  # fmt: skip


async def _all(account: MailboxAccount, *, mark: bool = True) -> list[bytes]:
    found = []
    async with ImapMailbox(account).session() as box:
        for uid in await box.unread():
            found.append(await box.message(uid))
            if mark:
                await box.mark_read(uid)
    return found


@pytest.mark.parametrize("security", ["tls", "starttls", "none"])
async def test_each_message_is_read_once_and_kept(server: Dovecot, account: MailboxAccount, security: str) -> None:
    port = server.tls_port if security == "tls" else server.port
    account = replace(account, security=security, port=port)
    for number in range(3):
        server.deliver(account.username, b"Subject: %d\r\n\r\n\x00\xff) {3}\r\n" % number)
    assert await _all(account, mark=False) == await _all(account)
    assert server.seen(account.username) == 3
    assert await _all(account) == []
    server.deliver(account.username, b"Subject: late\r\n\r\n")
    assert [raw[:13] for raw in await _all(account)] == [b"Subject: late"]


async def test_a_large_message_comes_cut(server: Dovecot, account: MailboxAccount) -> None:
    """One octet more than is read, so that the reader knows."""
    server.deliver(account.username, b"Subject: big\r\n\r\n" + b"x" * 100_000)
    (raw,) = await _all(account)
    assert len(raw) == 2001


async def test_another_folder_with_an_awkward_name(server: Dovecot, account: MailboxAccount) -> None:
    server.deliver(account.username, b"Subject: x\r\n\r\n")
    with pytest.raises(UnreachableError, match="no folder"):
        await _all(replace(account, folder='My "reports'))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: replace(a, password="wrong"), "cannot be read"),
        (lambda a: replace(a, tls=None), "cannot be read.*certificate"),
        (lambda a: replace(a, host="127.0.0.1"), "cannot be read.*certificate"),
        (lambda a: replace(a, port=free_port()), "cannot be read"),
        (lambda a: replace(a, folder="Nowhere"), "no folder 'Nowhere'"),
    ],
    ids=["password", "unknown authority", "another name", "nobody listens", "folder"],
)
async def test_what_is_wrong_is_named(
    account: MailboxAccount, change: Callable[[MailboxAccount], MailboxAccount], words: str
) -> None:
    with pytest.raises(UnreachableError, match=words):
        await _all(change(account))


@pytest.mark.parametrize("said", [b"", b"* OK hello\r\n", b"* OK hello\r\nx BYE\r\n", b"HTTP/1.1 400 no\r\n\r\n"])
async def test_a_server_that_is_none_or_goes_away_is_an_error_and_no_crash(
    account: MailboxAccount, said: bytes
) -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        writer.close()

    stranger = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = stranger.sockets[0].getsockname()[1]
    try:
        for security in ("none", "starttls", "tls"):
            with pytest.raises(UnreachableError):
                await _all(replace(account, host="127.0.0.1", port=port, security=security))
    finally:
        stranger.close()
