"""Signed mail as a mail server receives it: the very bytes that were signed, whatever stands in them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from publisher.mail.tokens import Links, Tokens
from publisher.model.article import Access
from publisher.model.catalogue import Catalogue, Newsletter, Site
from publisher.model.delivery import Letter
from publisher.model.issue import IssueKind, MailText
from publisher.model.people import Subscriber
from publisher.model.personal import MARKERS
from publisher.model.text import Localized
from publisher.services.letters import Letters
from publisher.transports.smtp import Patience, Relay, SmtpTransport
from signatures import SIGNER, is_verified

KEY = b"k" * 32
NOW = datetime(2026, 3, 4, 6, 30, 5, tzinfo=UTC)
ARABIC = "نشرة الأخبار اليومية"
TURKISH = "Iğdır'da ışıklı bir gün: çağrı, şölen ve öğüt"
LONG_URL = "https://news.example.org/" + "a-very-long-path/" * 50
DOTS = ".\n..\n.\n\n. \n...dots"
HTML = f'<p>{MARKERS["name"]}</p>\n.\n<a href="{MARKERS["unsubscribe_url"]}">x</a>   \t <b>\n\n\n</b>'


class Sink:
    """A mail server that keeps what it gets."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.received.append(envelope.content)
        return "250 2.0.0 kept"


@asynccontextmanager
async def sink() -> AsyncIterator[tuple[Sink, SmtpTransport]]:
    """Runs a sink, and the way to it."""
    loop = asyncio.get_running_loop()
    kept = Sink()
    server = await loop.create_server(lambda: SMTP(kept, hostname="sink.example", loop=loop), "127.0.0.1", 0)
    relay = Relay(host="127.0.0.1", port=server.sockets[0].getsockname()[1], security="none", hostname="localhost")
    transport = SmtpTransport(relay, 2, Patience())
    try:
        yield kept, transport
    finally:
        await transport.close()
        server.close()


async def granted() -> bool:
    """Lets every body go."""
    return True


def letter(mail: MailText, name: str, title: str, kind: IssueKind) -> Letter:
    """Returns what one reader gets, signed."""
    daily = Newsletter(id="daily", title=Localized.of(title), sender=f"{title} <news@mail.example.org>")
    site = Site(title="Example", url="https://news.example.org", contact="mailto:desk@example.org")
    catalogue = Catalogue(
        site=site, sections={}, products={}, newsletters={"daily": daily}, default_access=Access.PUBLIC
    )
    links = Links(site.url, Tokens(KEY), "leave@example.org")
    letters = Letters(catalogue, "Example <service@example.org>", links, KEY, SIGNER)
    newsletter = None if kind is IssueKind.MESSAGE else "daily"
    reader = Subscriber(number=11, address="reader@example.com", name=name, language="en", created_at=NOW)
    return letters.test_letter(letters.prepared(mail, kind, newsletter), reader, newsletter, NOW)


@pytest.mark.parametrize("kind", [IssueKind.DIGEST, IssueKind.MESSAGE])
@pytest.mark.parametrize(
    ("subject", "name", "title", "text"),
    [
        ("Plain", "Ada", "Daily", "plain\n"),
        ("=?utf-8?q?evil?=\r\nBcc: x@example.org", 'A "B", <c@d.org>\r\nBcc: e@f.org', '"x', "a\nb"),
        (TURKISH, "Şule Öğütçü", "Günlük bülten", TURKISH),
        (ARABIC * 10, ARABIC, ARABIC, ARABIC),
        ("word " * 60, "n" * 200, "t" * 300, f"{LONG_URL}\n{LONG_URL}"),
        ("trailing   ", "  two  spaces  ", " ", "trailing   \n\t\nspaces \t \n\n\n"),
        ("", "", "", ""),
        (".", ".", ".", DOTS),
        (f"For {MARKERS['name']}", "ş" * 120, "=", f"{MARKERS['name']}={MARKERS['address']}\nFrom me\n"),
    ],
    ids=["plain", "hostile", "turkish", "arabic", "long", "spaces", "empty", "dots", "personal"],
)
async def test_a_server_gets_what_was_signed(kind: IssueKind, subject: str, name: str, title: str, text: str) -> None:
    sent = letter(MailText(subject=subject, preheader="", text=text, html=HTML), name, title, kind)
    async with sink() as (kept, transport):
        endings = [await transport.send(sent, granted) for _ in range(2)]
    assert [ending.accepted for ending in endings] == [True, True]
    assert kept.received == [sent.message, sent.message]
    assert is_verified(kept.received[0])
    message = message_from_bytes(kept.received[0], policy=default)
    names = message.keys()
    assert len(names) == len(set(names))
    assert "Bcc" not in names
    assert ("List-Unsubscribe" in names) == ("List-Id" in names) == (kind is IssueKind.DIGEST)
    assert kind is IssueKind.MESSAGE or ">, <mailto:leave@example.org?subject=" in message["List-Unsubscribe"]
    assert {"List-Help", "List-Owner", "Feedback-ID"} <= set(names) or kind is IssueKind.MESSAGE
