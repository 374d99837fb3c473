"""The whole web side: slashes, what a database that is away does, and what every page tells the browser."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from desks import Desk, opened, two_desks
from structlog.testing import capture_logs

from publications import ManualClock
from publisher.errors import UnreachableError
from publisher.web.application import application
from publisher.web.health import Vitals


@pytest.fixture
async def desk(tmp_path: Path, client_of: Callable[..., Any]) -> AsyncIterator[Desk]:
    async with opened(two_desks(tmp_path / "wire"), ManualClock(), client_of) as made:
        yield Desk(made.app, made.clock, client_of(application(made.app, Vitals())))


async def subscriber(desk: Desk) -> int:
    added = await desk.app.circulation.add("ada@example.org", desk.clock.now(), confirmed=True, newsletters=["daily"])
    assert added.subscriber is not None
    return added.subscriber


async def test_a_token_is_never_sent_to_the_host_of_the_request(desk: Desk) -> None:
    home = (await desk.reader("ada@example.org")).removeprefix("https://wire.example").rstrip("/")
    tokens, number = desk.app.tokens, await subscriber(desk)
    for path, status in {
        home: 200,
        f"{home}/": 200,
        f"{home}/all.atom/": 404,
        f"/unsubscribe/{tokens.unsubscribe(number, 'daily')}/": 404,
        f"/preferences/{tokens.preferences(number)}/": 404,
        "/confirm/x/": 404,
        "/subscribe/": 404,
        "/u/x": 404,
        "/inbox": 200,
    }.items():
        answer = await desk.client.get(path, host="evil.example")
        assert (path, answer.status) == (path, status)
        assert "location" not in answer.headers


async def test_every_page_has_a_policy_and_keeps_its_type(desk: Desk) -> None:
    home = (await desk.reader("ada@example.org")).removeprefix("https://wire.example")
    mail = "Subject: Odd\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=x-unknown\r\n\r\n<p>Hello</p>\r\n"
    path = f"/inbox/{desk.app.inbox.store('a@example.org', 'b@example.org', mail.encode())}/"
    for url, status in {
        home: 200,
        "/u/x/": 404,
        "/inbox/": 200,
        path: 200,
        f"{path}html": 200,
        f"{path}source": 200,
        "/inbox/none/": 404,
        "/nothing": 404,
        "/subscribe": 200,
    }.items():
        answer = await desk.client.get(url)
        assert (url, answer.status) == (url, status)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; ")


async def test_a_database_that_is_away_is_a_matter_of_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise UnreachableError("the database does not answer: no route to 192.0.2.5")

    monkeypatch.setattr(type(desk.app.people), "person", away)
    path = f"/preferences/{desk.app.tokens.preferences(1)}"
    with capture_logs() as logs:
        page = await desk.client.get(path)
        machine = await desk.client.get(path, accept="application/json")
    for answer in (page, machine):
        assert (answer.status, answer.headers["retry-after"]) == (503, "30")
        assert answer.headers["cache-control"] == "no-store"
        assert "192.0.2.5" not in answer.text
    assert page.headers["content-type"].startswith("text/html")
    assert json.loads(machine.text) == {"error": "not available for the moment"}
    assert [(log["event"], log["log_level"]) for log in logs] == [("web.unreachable", "error")] * 2


@pytest.mark.parametrize(
    ("path", "accepted", "language", "words"),
    [
        ("/nothing", "", "en", "Nothing at this address"),
        ("/nothing", "tr-TR,tr;q=0.9,en;q=0.5", "tr", "Bu adreste bir şey yok"),
        ("/tr/nothing", "en", "tr", "Bu adreste bir şey yok"),
        ("/nothing?lang=tr", "en", "tr", "Bu adreste bir şey yok"),
        ("/nothing", "fr", "en", "Nothing at this address"),
    ],
)
async def test_what_is_not_there_is_said_in_the_language_of_who_asks(
    desk: Desk, path: str, accepted: str, language: str, words: str
) -> None:
    answer = await desk.client.get(path, **({"accept-language": accepted} if accepted else {}))
    assert answer.status == 404
    assert f'<html lang="{language}" dir="ltr">' in answer.text
    assert words in answer.text
    assert f'href="{"/tr/" if language == "tr" else "/"}" rel="home"' in answer.text


async def test_a_feed_that_is_not_there_says_so_in_a_language_of_the_site(desk: Desk) -> None:
    answer = await desk.client.get("/u/x/all.atom", **{"accept-language": "tr"})
    assert (answer.status, answer.text) == (404, "Böyle bir akış yok.\n")
    assert (await desk.client.get("/u/x/all.atom")).text == "There is no such feed.\n"


async def test_readers_of_feeds_are_counted_without_their_addresses(desk: Desk, client_of: Callable[..., Any]) -> None:
    """Public feeds only, as an aggregator says and as programs ask."""
    app = application(desk.app, Vitals())
    far, here = client_of(app, ("203.0.113.9", 1)), client_of(app, ("127.0.0.1", 1))
    home = (await desk.reader("ada@example.org")).removeprefix("https://wire.example")
    await far.get("/feeds/all.rss", user_agent="Feedly/1.0 (+http://www.feedly.com/fetcher.html; 16 subscribers)")
    etag = (await far.get("/feeds/all.rss", user_agent="Reader/1")).headers["etag"]
    assert (await far.get("/feeds/all.rss", user_agent="Reader/1", if_none_match=etag)).status == 304
    await far.get(f"{home}all.rss", user_agent="Reader/1")
    await far.get("/", user_agent="Browser/1")
    told = (await here.get("/metrics")).text
    assert 'publisher_feed_subscribers{aggregator="Feedly",feed="/feeds/all.rss"} 16.0' in told
    assert 'publisher_feed_programs{feed="/feeds/all.rss"} 1.0' in told
    assert 'publisher_feed_requests_total{status="304"} 1.0' in told
    assert 'publisher_feed_requests_total{status="200"} 2.0' in told
    assert "203.0.113.9" not in told
    assert home not in told


async def test_who_opens_a_private_feed_in_a_browser_sees_what_it_is(desk: Desk) -> None:
    """The page with the reader's feeds; a program gets the feed."""
    home = (await desk.reader("ada@example.org")).removeprefix("https://wire.example")
    page = await desk.client.get(f"{home}all.atom", sec_fetch_dest="document", sec_fetch_mode="navigate")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "no-store"
    assert f"{home}all.atom" in page.text
    feed = await desk.client.get(f"{home}all.atom")
    assert feed.headers["content-type"].startswith("application/atom+xml")
