"""The pages that people come, choose and go by."""

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from reader_house import NOW, ONE_CLICK, PREFERENCES, SITE, House, action_of, form_of
from selectolax.lexbor import LexborHTMLParser
from structlog.testing import capture_logs

from publisher.mail.tokens import Tokens
from publisher.services.subscribe import ALL
from publisher.stores.database import Database
from publisher.web import forms, signup


@pytest.fixture
def house(sqlite_database: Database, client_of: Callable[..., Any]) -> House:
    return House(sqlite_database, client_of)


async def test_whole_journey(house: House) -> None:
    page = await house.client.get("/subscribe")
    assert page.status == 200
    names = [node.attributes["value"] for node in LexborHTMLParser(page.text).css("input[name=newsletter]")]
    assert names == ["daily", "weekly"]  # the closed one is not offered

    done = await house.sign_up("daily")
    assert done.status == 202
    ((_, _, mail),) = house.post.mails.values()
    assert "The daily" in mail.text

    shown = await house.client.get(house.confirm_path())
    assert shown.status == 200
    assert await house.statuses() == {"daily": "unconfirmed"}
    confirmed = await house.client.post(action_of(shown.text), [])
    assert confirmed.status == 200
    assert await house.statuses() == {"daily": "confirmed"}
    assert house.tokens.feed(1, 1) in confirmed.text

    again = await house.client.post(action_of(shown.text), [])
    assert again.status == 200
    assert "The daily" in again.text
    assert house.tokens.feed(1, 1) not in again.text

    leave = await house.client.get(house.links.unsubscribe_url(1, "daily").removeprefix(SITE))
    assert "The daily" in leave.text
    left = await house.client.post(action_of(leave.text), [])
    assert left.status == 200
    assert await house.statuses() == {"daily": "unsubscribed"}


async def test_get_head_options_and_prefetch_change_nothing(house: House) -> None:
    """I25: link scanners open everything."""
    await house.add("daily")
    await house.sign_up("weekly", email="bob@example.org")
    paths = [
        "/subscribe?newsletter=daily&email=eve@example.org",
        house.confirm_path(),
        *(
            link.removeprefix(SITE)
            for link in (house.links.unsubscribe_url(1, "daily"), house.links.preferences_url(1))
        ),
        house.links.unsubscribe_url(1, ALL).removeprefix(SITE) + "?List-Unsubscribe=One-Click",
        house.links.unsubscribe_url(1, "daily").removeprefix(SITE) + "/undo",
    ]
    before, mails = await house.dump(), dict(house.post.mails)
    for path in paths:
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
            answer = await house.client.ask(method, path, {"purpose": "prefetch", "sec-purpose": "prefetch"})
            usual = 200 if method in ("GET", "HEAD") and not path.endswith("undo") else 405
            assert answer.status == usual, (method, path)
            if usual == 405:
                assert "POST" in answer.headers["allow"]
    assert await house.dump() == before
    assert house.post.mails == mails


async def test_one_click_needs_nothing_else(house: House) -> None:
    """I26, RFC 8058: no cookie, no referrer, no origin of ours, no redirect; both encodings; as often as one likes."""
    await house.add("daily", "weekly")
    path = house.links.unsubscribe_url(1, "daily").removeprefix(SITE)
    foreign = {"origin": "https://mail.example.com", "sec_fetch_site": "cross-site"}
    first = await house.client.post(path, ONE_CLICK, **foreign)
    assert (first.status, first.headers.get("location")) == (200, None)
    assert await house.statuses() == {"daily": "unsubscribed", "weekly": "confirmed"}
    before = await house.dump()
    assert (await house.client.post(path, ONE_CLICK, **foreign)).status == 200
    assert await house.dump() == before

    body = b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
    path = house.links.unsubscribe_url(1, "weekly").removeprefix(SITE)
    headers = {"content-type": "multipart/form-data; boundary=b", "origin": "https://mail.example.com"}
    assert (await house.client.ask("POST", path, headers, body)).status == 200
    assert await house.statuses() == {"daily": "unsubscribed", "weekly": "unsubscribed"}
    origins = [consent.origin for consent in await house.people.consents(1)]
    assert origins == ["command", "command", "one-click", "one-click"]


async def test_one_click_for_somebody_erased_is_fine(house: House) -> None:
    await house.add("daily")
    await house.circulation.erase("ada@example.org", NOW)
    assert (
        await house.client.post(house.links.unsubscribe_url(1, "daily").removeprefix(SITE), ONE_CLICK)
    ).status == 200


async def test_link_for_everything(house: House) -> None:
    await house.add("daily", "weekly")
    path = house.links.unsubscribe_url(1, ALL).removeprefix(SITE)
    assert "all newsletters" in (await house.client.get(path)).text
    assert (await house.client.post(path, ONE_CLICK)).status == 200
    assert set((await house.statuses()).values()) == {"unsubscribed"}


async def test_wrong_tokens_are_not_found(house: House) -> None:
    await house.add("daily")
    tokens = {
        "confirm": house.tokens.confirm(99),
        "unsubscribe": house.tokens.preferences(1),
        "preferences": house.tokens.unsubscribe(1, "daily"),
    }
    before = await house.dump()
    for name, token in tokens.items():
        for wrong in (token, "nonsense", token[:-1], Tokens(b"x" * 32).unsubscribe(1, "daily")):
            assert (await house.client.get(f"/{name}/{wrong}")).status == 404
            assert (await house.client.post(f"/{name}/{wrong}", ONE_CLICK)).status == 404
    assert await house.dump() == before


async def test_answer_is_the_same_whoever_asks(house: House) -> None:
    """I31: new, known, suppressed, limited."""
    await house.add("daily")
    await house.circulation.suppress("never@example.org", NOW)
    answers = [
        await house.sign_up("daily", email=address)
        for address in ("new@example.org", "new@example.org", "ada@example.org", "never@example.org")
    ]
    assert {(answer.status, answer.body) for answer in answers} == {(202, answers[0].body)}
    assert "example.org" not in re.sub(r"news\.example\.org|x@example\.org", "", answers[0].text)
    assert len(house.post.mails) == 2


async def test_form_without_its_token_or_an_old_one_is_shown_again(house: House) -> None:
    fields = [("email", "ada@example.org"), ("newsletter", "daily")]
    for token in ("", "forged", house.tokens.preferences(1)):
        answer = await house.client.post("/subscribe", [*fields, ("form_token", token)])
        assert answer.status == 403
        assert form_of(answer.text)["email"] == "ada@example.org"
        assert "open for too long" in answer.text
    old = form_of((await house.client.get("/subscribe")).text)["form_token"]
    house.clock.time += timedelta(hours=25)
    assert (await house.client.post("/subscribe", [*fields, ("form_token", old)])).status == 403
    assert house.post.mails == {}


async def test_form_that_is_sent_at_once_asks_for_one_more_press(house: House) -> None:
    """Nothing that was given is lost, and the form's moment stays: whoever presses again is through."""
    token = form_of((await house.client.get("/subscribe")).text)["form_token"]
    fields = [("email", "ada@example.org"), ("newsletter", "daily"), ("language", "tr"), ("form_token", token)]
    again = await house.client.post("/subscribe", fields)
    assert (again.status, house.post.mails) == (200, {})
    shown = LexborHTMLParser(again.text)
    assert [node.attributes["value"] for node in shown.css("input[checked], option[selected]")] == ["daily", "tr"]
    assert shown.css_first("[role=alert]") is not None
    given = form_of(again.text)
    assert (given["email"], given["form_token"]) == ("ada@example.org", token)
    house.clock.time += timedelta(seconds=2)
    assert (await house.client.post("/subscribe", fields)).status == 202
    assert len(house.post.mails) == 1


async def test_trap_that_only_programs_fill_in(house: House) -> None:
    answer = await house.sign_up("daily", website="https://spam.example")
    assert answer.status == 202
    assert house.post.mails == {}


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({}, True),
        ({"origin": "https://news.example.org"}, True),
        ({"origin": "null"}, True),
        ({"origin": "null", "sec_fetch_site": "same-origin"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "http://["}, False),
        ({"origin": "http://[", "host": ""}, False),
        ({"origin": "null", "sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "same-site"}, False),
    ],
)
async def test_forms_of_other_sites_are_not_taken(house: House, headers: dict[str, str], taken: bool) -> None:
    await house.add("daily")
    answer = await house.sign_up("daily", email="bob@example.org", headers=headers)
    assert answer.status == (202 if taken else 403)
    for link in (house.links.unsubscribe_url(1, "daily"), house.links.preferences_url(1)):
        answer = await house.client.post(link.removeprefix(SITE), PREFERENCES, **headers)
        assert answer.status == (200 if taken else 403)
    assert await house.statuses() == {"daily": "unsubscribed" if taken else "confirmed"}


async def test_bad_address_and_no_choice_are_told(house: House) -> None:
    wrong = await house.sign_up("daily", email='"><script>alert(1)</script>@x')
    assert wrong.status == 422
    assert "does not look like an email address" in wrong.text
    assert "<script>" not in wrong.text
    none = await house.sign_up("desk")
    assert none.status == 422
    assert "at least one" in none.text
    assert house.post.mails == {}


async def test_expired_confirmation_offers_the_form(house: House) -> None:
    await house.sign_up("weekly")
    house.clock.time += timedelta(hours=72)
    for answer in (await house.client.get(house.confirm_path()), await house.client.post(house.confirm_path(), [])):
        assert answer.status == 410
        assert "sign up again" in answer.text
        assert action_of(answer.text) == "/subscribe"
    assert await house.statuses() == {"weekly": "unconfirmed"}


async def test_a_link_used_again_tells_what_is_so_now(house: House) -> None:
    await house.sign_up("daily", "weekly")
    path = house.confirm_path()
    await house.client.post(path, [])
    await house.client.post(house.links.unsubscribe_url(1, "daily").removeprefix(SITE), ONE_CLICK)
    again = await house.client.post(path, [])
    assert "The weekly" in again.text
    assert "The daily" not in again.text
    await house.client.post(house.links.unsubscribe_url(1, ALL).removeprefix(SITE), ONE_CLICK)
    none = await house.client.post(path, [])
    assert none.status == 200
    assert "You have unsubscribed since" in none.text
    assert action_of(none.text) == "/subscribe"


@pytest.mark.parametrize("what", ["daily", ALL])
async def test_a_link_to_leave_by_says_so_once_that_is_done(house: House, what: str) -> None:
    """It asks nobody again who has left; of another newsletter it asks."""
    await house.add("daily", "weekly")
    path = house.links.unsubscribe_url(1, what).removeprefix(SITE)
    asked = (await house.client.get(path)).text
    await house.client.post(path, ONE_CLICK)
    told = await house.client.get(path)
    assert told.status == 200
    assert "<form" in asked
    assert "<form" not in told.text
    assert "You have left" in told.text
    if what == "daily":
        assert "<form" in (await house.client.get(house.links.unsubscribe_url(1, "weekly").removeprefix(SITE))).text


async def test_public_newsletter_shows_no_private_feed(house: House) -> None:
    await house.sign_up("weekly")
    assert "/u/" not in (await house.client.post(house.confirm_path(), [])).text


async def test_undo_works_from_the_page_alone_and_for_an_hour(house: House) -> None:
    await house.add("daily")
    path = house.links.unsubscribe_url(1, "daily").removeprefix(SITE)
    left = await house.client.post(path, [])
    token = form_of(left.text)["form_token"]
    assert (await house.client.post(f"{path}/undo", [])).status == 403
    assert await house.statuses() == {"daily": "unsubscribed"}
    for _ in ("pressed", "pressed twice"):
        assert (await house.client.post(action_of(left.text), [("form_token", token)])).status == 200
        assert await house.statuses() == {"daily": "confirmed"}
    await house.client.post(path, [])
    house.clock.time += timedelta(hours=2)
    assert (await house.client.post(f"{path}/undo", [("form_token", token)])).status == 403


async def test_preferences_choose_pause_resume_and_leave(house: House) -> None:
    await house.add("daily")
    path = house.links.preferences_url(1).removeprefix(SITE)
    page = await house.client.get(path)
    checked = LexborHTMLParser(page.text).css("input[name=newsletter][checked]")
    assert [node.attributes["value"] for node in checked] == ["daily"]
    assert "/u/" not in page.text
    assert form_of(page.text)["form"] == "preferences"
    saved = await house.client.post(path, [*PREFERENCES, ("newsletter", "weekly"), ("language", "tr")])
    assert saved.headers["content-language"] == "tr"
    assert await house.statuses() == {"daily": "unsubscribed", "weekly": "confirmed"}
    await house.client.post(path, [*PREFERENCES, ("action", "pause")])
    assert (await house.statuses())["weekly"] == "paused"
    assert form_of((await house.client.get(path)).text)["action"]
    await house.client.post(path, [*PREFERENCES, ("action", "resume")])
    assert (await house.statuses())["weekly"] == "confirmed"
    await house.client.post(path, [*PREFERENCES, ("action", "leave")])
    assert set((await house.statuses()).values()) == {"unsubscribed"}


async def test_saving_while_paused_pauses_what_is_new(house: House) -> None:
    await house.add("daily")
    path = house.links.preferences_url(1).removeprefix(SITE)
    await house.client.post(path, [*PREFERENCES, ("action", "pause")])
    saved = await house.client.post(path, [*PREFERENCES, ("newsletter", "daily"), ("newsletter", "weekly")])
    assert await house.statuses() == {"daily": "paused", "weekly": "paused"}
    assert form_of(saved.text)["action"]


@pytest.mark.parametrize("fields", [[], [("action", "leave")], [("newsletter", "weekly")], [("form", "x")]])
async def test_what_is_not_the_whole_form_of_preferences_changes_nothing(
    house: House, fields: list[tuple[str, str]]
) -> None:
    await house.add("daily")
    before = await house.dump()
    answer = await house.client.post(house.links.preferences_url(1).removeprefix(SITE), fields)
    assert answer.status == 422
    assert await house.dump() == before


@pytest.mark.parametrize(
    ("query", "accept", "language"),
    [
        ("", "", "en"),
        ("?lang=tr", "en", "tr"),
        ("?lang=xx", "tr-TR,tr;q=0.9,en;q=0.8", "tr"),
        ("", "fr;q=1,tr;q=0.2,en;q=0.5", "en"),
        ("", "tr;q=0", "en"),
        ("", "tr;q=nonsense,*;;", "en"),
    ],
)
async def test_language_of_the_form(house: House, query: str, accept: str, language: str) -> None:
    page = await house.client.get(f"/subscribe{query}", accept_language=accept)
    assert page.headers["content-language"] == language
    assert f'lang="{language}"' in page.text.partition("<head>")[0]


async def test_pages_are_kept_out_of_caches_indexes_and_referrers(house: House) -> None:
    await house.add("daily")
    await house.sign_up("weekly", email="bob@example.org")
    unsubscribe = house.links.unsubscribe_url(1, "daily").removeprefix(SITE)
    answers = [
        await house.client.get("/subscribe"),
        await house.client.get(house.confirm_path()),
        await house.client.post(house.confirm_path(), []),
        await house.client.get(unsubscribe),
        await house.client.post(unsubscribe, ONE_CLICK),
        await house.client.post(unsubscribe, []),
        await house.client.get(house.links.preferences_url(1).removeprefix(SITE)),
    ]
    for answer in answers:
        assert answer.status == 200
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "noindex" in answer.headers["x-robots-tag"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content-type": "application/x-www-form-urlencoded"}, b"a=" + b"x" * 20_000, 413),
        ({"content-type": "multipart/form-data; boundary=b"}, b"--b\r\nnonsense", 403),
        ({"content-type": "multipart/form-data"}, b"--b\r\n", 400),
        ({"content-type": "multipart/form-data; boundary=b"}, b"--b\r\nX: y\r\n\r\n1\r\n--b--\r\n", 400),
        (
            {"content-type": "multipart/form-data; boundary=b"},
            b'--b\r\nContent-Disposition: form-data; name="email"; filename="x"\r\n\r\n1\r\n--b--\r\n',
            400,
        ),
        ({"content-type": "application/x-www-form-urlencoded"}, b"&".join(b"a=1" for _ in range(200)), 400),
        ({"content-type": "application/x-www-form-urlencoded"}, b"email=%ff%fe&newsletter=%00", 403),
        ({"content-type": "application/json"}, b"{}", 403),
        ({}, b"", 403),
    ],
)
async def test_strange_bodies_do_no_harm(house: House, headers: dict[str, str], body: bytes, status: int) -> None:
    assert (await house.client.ask("POST", "/subscribe", headers, body)).status == status
    assert house.post.mails == {}


async def raw_post(house: House, *messages: dict[str, Any], waits: float = 0) -> list[Any]:
    """Posts to /subscribe message by message, and returns what was sent back."""
    left, said = list(messages), []

    async def receive() -> Any:
        if not left:
            await asyncio.sleep(waits)
            return {"type": "http.disconnect"}
        return left.pop(0)

    async def send(message: Any) -> None:
        said.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": "/subscribe",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"news.example.org")],
        "client": ("192.0.2.7", 40000),
        "server": ("news.example.org", 443),
    }
    await house.app(scope, receive, send)
    return said


async def test_who_goes_away_in_the_middle_of_a_form_leaves_no_traceback(house: House) -> None:
    said = await raw_post(house, {"type": "http.request", "body": b"email=a", "more_body": True})
    assert said[0]["status"] == 400
    assert house.post.mails == {}


async def test_a_form_that_does_not_come_is_not_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "_BODY_SECONDS", 0.05)
    said = await raw_post(house, {"type": "http.request", "body": b"email=a", "more_body": True}, waits=60)
    assert said[0]["status"] == 408
    assert (b"connection", b"close") in said[0]["headers"]


async def test_a_sign_up_outlives_a_database_that_is_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sum(signup._RETRY_SECONDS) >= 120
    monkeypatch.setattr(signup, "_RETRY_SECONDS", (0.0,) * 4)
    house.post.away = 3
    with capture_logs() as logs:
        answer = await house.sign_up("daily")
    assert answer.status == 202
    assert [event.partition(":")[0] for event in house.post.mails] == ["signup"]
    assert logs == []


async def test_a_sign_up_that_is_lost_in_the_end_is_told_in_the_log(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signup, "_RETRY_SECONDS", (0.0,) * 4)
    house.post.away = 5
    with capture_logs() as logs:
        answer = await house.sign_up("daily")
    assert answer.status == 202
    assert [(log["event"], log["log_level"], log["newsletters"]) for log in logs] == [
        ("subscribe.lost", "error", ["daily"])
    ]
    assert "ada@example.org" not in str(logs)


async def test_a_sign_up_that_waits_when_the_service_ends_is_told_in_the_log(house: House) -> None:
    house.post.away = 100
    with capture_logs() as logs:
        waiting = asyncio.create_task(house.sign_up("daily"))
        async with asyncio.timeout(60):
            while house.post.away == 100:
                await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert [log["event"] for log in logs] == ["subscribe.lost"]


async def test_networks_are_counted_without_keeping_anybodys_address(house: House) -> None:
    peers = {
        "192.0.2.77": "192.0.2.0/24",
        "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
        "::ffff:198.51.100.9": "198.51.100.0/24",
        "127.0.0.1": "local",
        "": "local",
    }
    for i, (peer, network) in enumerate(peers.items()):
        client = house.client_of(house.app, (peer, 1))
        await house.sign_up("weekly", client=client, email=f"p{i}@example.org")
        consent = (await house.people.consents(i + 1))[0]
        assert consent.evidence.partition("; ")[0] == f"network {network}"


async def test_rate_limit_holds_over_the_web(house: House) -> None:
    for i in range(25):
        await house.sign_up("weekly", email=f"p{i}@example.org")
    assert len(house.post.mails) == 20
