"""The operator's preview: as anybody, at any time, in every form; for nobody else, and without leaving a trace."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from publications import AGENCY, ManualClock, make_publication, story, write
from publisher.app import App, open_app
from publisher.web.application import application
from publisher.web.health import Vitals
from publisher.web.preview import in_scheme

LOCAL = ("127.0.0.1", 40000)
READER = "ada@reader.example"


@dataclass
class Desk:
    """A running publication with a reader of Asia alone, and a browser on the same machine."""

    app: App
    clock: ManualClock
    client: Any

    async def page(self, **asked: str) -> Any:
        return await self.client.get("/preview/?" + "&".join(f"{key}={value}" for key, value in asked.items()))

    async def frame(self, **asked: str) -> Any:
        return await self.client.get("/preview/frame?" + "&".join(f"{key}={value}" for key, value in asked.items()))


@pytest.fixture
async def desk(tmp_path: Path, client_of: Callable[..., Any]) -> AsyncIterator[Desk]:
    clock, folder = ManualClock(), make_publication(tmp_path / "wire")
    async with open_app(folder, clock) as app:
        await app.publishing.open()
        await app.publishing.refresh(clock.now())
        await app.circulation.add(READER, clock.now(), confirmed=True, newsletters=["daily"], products=["asia"])
        write(folder, "port.md", story("Port closes", section="asia-pacific"))
        write(folder, "bank.md", story("Bank opens", section="economy"))
        await app.publishing.refresh(clock.move(hours=1))
        yield Desk(app, clock, client_of(application(app, Vitals()), LOCAL))


def _rows(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(folder / "var" / "publisher.db")) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: database.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables}


async def test_anybodys_mail_is_shown_and_nothing_is_changed(desk: Desk) -> None:
    """A reader gets what their licence opens, somebody new everything, the public its portion; in every form."""
    before = _rows(desk.app.folder)
    frame = await desk.frame(newsletter="daily", who="reader", address=READER)
    assert "Port closes" in frame.text
    assert "Bank opens" not in frame.text
    assert "The canary sentence" in frame.text
    anybody = await desk.frame(newsletter="daily")
    assert all(words in anybody.text for words in ("Port closes", "Bank opens", "The canary sentence"))
    public = await desk.frame(newsletter="daily", who="public")
    assert all(words in public.text for words in ("Port closes", "Bank opens", "publishes only part"))
    assert "The canary sentence" not in public.text
    assert "<style>" in public.text
    text = await desk.page(newsletter="daily", address=READER, form="text")
    assert "The canary sentence" in text.text
    assert "<iframe" not in text.text
    source = await desk.page(newsletter="daily", address=READER, form="eml")
    assert "List-Unsubscribe" in source.text
    page = await desk.page(newsletter="daily", address=READER)
    assert page.text.count("<iframe") == 2
    assert f'value="{READER}"' in page.text
    assert _rows(desk.app.folder) == before


async def test_at_another_time_it_is_another_mail(desk: Desk) -> None:
    """What a story says from its hour on is shown at that hour."""
    write(desk.app.folder, "later.md", story("Later", publish_at="2026-11-09T09:00:00Z"))
    await desk.app.publishing.refresh(desk.clock.move(minutes=1))
    assert "Later" not in (await desk.frame(newsletter="daily")).text
    assert "November 2, 2026" in (await desk.frame(newsletter="daily")).text
    assert "November 10, 2026" in (await desk.frame(newsletter="daily", at="2026-11-10T07:00")).text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"newsletter": "none"}, "there is no newsletter"),
        ({"newsletter": "daily", "who": "reader"}, "address"),
        ({"newsletter": "daily", "address": "who@nowhere.example"}, "publisher subscribers add who@nowhere.example"),
        ({"newsletter": "daily", "address": "no-address"}, "no-address"),
        ({"newsletter": "daily", "at": "soon"}, "is no moment"),
        ({"newsletter": "alerts", "who": "public"}, "newsletters.archive"),
    ],
)
async def test_what_cannot_be_shown_says_what_to_do(desk: Desk, asked: dict[str, str], said: str) -> None:
    answer = await desk.page(**asked)
    assert answer.status == 400
    assert said in answer.text
    assert (await desk.frame(**asked)).status == 404


async def test_who_would_get_nothing_is_told_why(desk: Desk) -> None:
    await desk.app.circulation.edit(READER, desk.clock.now(), valid_until=desk.clock.now())
    answer = await desk.page(newsletter="daily", address=READER)
    assert "the licence has ended" in answer.text
    assert "<iframe" not in answer.text


async def test_only_a_browser_on_this_machine_is_shown_anything(desk: Desk, client_of: Callable[..., Any]) -> None:
    """Nobody elsewhere, nobody through a proxy, and nobody at all once mail goes to real people."""
    app = application(desk.app, Vitals())
    paths = ("/preview", "/preview/", "/preview/frame?newsletter=daily", "/preview/live.js", "/preview/changes?since=")
    for path in paths:
        assert (await client_of(app).get(path)).status == 404
        assert (await client_of(app, LOCAL).get(path, x_forwarded_for="192.0.2.1")).status == 404
        assert (await client_of(app, ("::1", 40000)).get(path)).status == 200
        assert (await client_of(app, ("::ffff:127.0.0.1", 40000)).get(path)).status == 200
        assert (await desk.client.ask("POST", path)).status == 405
    (desk.app.folder / "config.toml").write_text(
        AGENCY + '[smtp]\nsandbox = false\nsender = "Wire <news@wire.example>"\n'
    )
    async with open_app(desk.app.folder, desk.clock) as live:
        assert (await client_of(application(live, Vitals()), LOCAL).get("/preview/")).status == 404


async def test_frames_run_nothing_and_the_page_only_its_own_script(desk: Desk) -> None:
    page, frame = await desk.page(newsletter="daily"), await desk.frame(newsletter="daily")
    assert "sandbox allow-popups" in frame.headers["content-security-policy"]
    assert "script-src" not in frame.headers["content-security-policy"]
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    script = await desk.client.get("/preview/live.js")
    assert script.headers["content-type"].startswith("text/javascript")


async def test_the_page_hears_of_a_save_at_once(desk: Desk) -> None:
    """Also of one that came between the page and its question."""
    stamp = desk.app.publishing.stamp
    waiting = asyncio.create_task(desk.client.get(f"/preview/changes?since={stamp}"))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    write(desk.app.folder, "port.md", story("Port opens again", section="asia-pacific"))
    await desk.app.publishing.refresh(desk.clock.move(minutes=1), ["port.md"])
    answer = await asyncio.wait_for(waiting, 60)
    assert "event: change" in answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "event: change" in (await desk.client.get(f"/preview/changes?since={stamp}")).text
    assert "Port opens again" in (await desk.frame(newsletter="daily")).text
    (desk.app.folder / "templates" / "email").mkdir(parents=True)
    before = desk.app.publishing.stamp
    async with open_app(desk.app.folder, desk.clock) as app:
        (app.folder / "templates" / "email" / "digest.txt").write_text("Subject: Mine\n\nMine\n")
        await app.publishing.open()
        await app.publishing.refresh(desk.clock.move(minutes=1))
        assert app.publishing.stamp.split(".")[1] != before.split(".")[1], "a template was saved"


@pytest.mark.parametrize(
    ("written", "light", "dark"),
    [
        ("@media (prefers-color-scheme: dark) {", "@media (max-width: 0px) {", "@media (min-width: 0px) {"),
        ("@media (prefers-color-scheme:light){", "@media (min-width: 0px){", "@media (max-width: 0px){"),
        (
            '<meta name="color-scheme" content="light dark">',
            '<meta name="color-scheme" content="light">',
            '<meta name="color-scheme" content="dark">',
        ),
        (":root { color-scheme: light dark; }", ":root { color-scheme: light; }", ":root { color-scheme: dark; }"),
    ],
)
def test_a_colour_scheme_is_chosen_for_the_browser(written: str, light: str, dark: str) -> None:
    assert (in_scheme(written, "light"), in_scheme(written, "dark")) == (light, dark)
