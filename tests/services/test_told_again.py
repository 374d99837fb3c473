"""What a running service says after a story changed twice: in the words that were out, and at its hour."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from publications import AGENCY, ManualClock, make_publication, story, write
from publisher.app import App, open_app

SECRET = "Minister resigns"
FEEDS = ("all.atom", "all.rss", "all.json", "wire.json")
NOTE = "[{date: 2026-11-02T09:30:00Z, kind: correction, text: Nine not eight.}]"


class Desk:
    """A service at work over a folder with one story that is out; one reader's licence is for all, another's ended."""

    def __init__(self, folder: Path, app: App, clock: ManualClock) -> None:
        self.folder = folder
        self.app = app
        self.clock = clock

    async def say(self, name: str = "ferry", title: str = "Ferry reopens", **keys: object) -> list[str]:
        """Saves the story ten minutes later; returns what was written."""
        self.clock.move(minutes=10)
        write(self.folder, f"{name}.md", story(title, section="asia-pacific", **keys))
        return (await self.app.publishing.refresh(self.clock.now(), [f"{name}.md"])).written

    async def wait(self, **step: float) -> None:
        await self.app.publishing.refresh(self.clock.move(**step))

    async def enrol(self) -> None:
        for name in ("full", "lapsed"):
            until = self.clock.now().replace(minute=1) if name == "lapsed" else None
            await self.app.circulation.add(
                f"{name}@example.org",
                self.clock.now(),
                confirmed=True,
                newsletters=[],
                products=["*"],
                valid_until=until,
            )

    async def private(self, viewer: str, name: str) -> str:
        reader = await self.app.people.by_address(f"{viewer}@example.org")
        assert reader is not None
        found = await self.app.private_feeds.feed(reader, "token", *name.split("."), self.clock.now())
        assert found is not None
        return found.body.decode()

    def files(self) -> dict[str, Path]:
        root = self.folder / "public"
        return {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}

    def public(self) -> dict[str, str]:
        return {name: path.read_text() for name, path in self.files().items() if path.suffix != ".png"}

    async def everywhere(self) -> str:
        """Returns all that the public and both readers have."""
        private = [await self.private(viewer, name) for viewer in ("full", "lapsed") for name in FEEDS]
        return "\n".join([*(f"{name}\n{text}" for name, text in self.public().items()), *private])


@pytest.fixture
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    folder = make_publication(tmp_path / "wire", getattr(request, "param", AGENCY))
    clock = ManualClock()
    async with open_app(folder, clock) as app:
        await app.publishing.open()
        await app.publishing.refresh(clock.now())
        made = Desk(folder, app, clock)
        await made.enrol()
        await made.say()
        yield made


REMOVING = AGENCY.replace('"withdraw"', '"remove"')
KEEPING = AGENCY.replace("[articles]\n", '[articles]\non_expire = "keep"\n')


@pytest.mark.parametrize("desk", [AGENCY, REMOVING], indirect=True)
@pytest.mark.parametrize("status", ["draft", "planned", "held", "withdrawn"])
async def test_what_was_written_while_a_story_was_not_out_is_not_told(desk: Desk, status: str) -> None:
    """A story that goes back to its desk with a new headline and slug is told of under the old ones."""
    slug = {"slug": "secret-slug"} if status != "held" else {}
    await desk.say(title=SECRET, status=status, **slug)
    told = await desk.everywhere()
    assert SECRET not in told
    assert "secret-slug" not in told
    assert "Ferry reopens" in await desk.private("full", "wire.json")


@pytest.mark.parametrize("status", ["held", "withdrawn"])
async def test_what_was_only_for_subscribers_is_not_told_to_others(desk: Desk, status: str) -> None:
    """The public had the first headline, subscribers the second: each is told of the one they had."""
    await desk.say(title=SECRET, access="subscriber")
    await desk.say(title=SECRET, status=status)
    assert SECRET not in "\n".join(desk.public().values())
    for name in FEEDS:
        assert SECRET not in await desk.private("lapsed", name)
        assert SECRET in await desk.private("full", name)


async def test_a_headline_under_embargo_is_not_told_when_it_is_withdrawn(desk: Desk) -> None:
    await desk.say(title=SECRET, embargo="2026-11-02T12:00:00Z")
    await desk.say(title=SECRET, status="withdrawn")
    assert SECRET not in await desk.everywhere()


async def test_a_headline_of_after_its_time_is_not_told(desk: Desk) -> None:
    await desk.say(expires="2026-11-02T09:25:00Z")
    await desk.say(title=SECRET, expires="2026-11-02T09:25:00Z")
    await desk.say(title=SECRET, status="withdrawn")
    assert SECRET not in await desk.everywhere()


@pytest.mark.parametrize("gate", ["embargo", "publish_at"])
async def test_a_story_that_waits_again_comes_out_again(desk: Desk, gate: str) -> None:
    """At its hour, in the same process, although it was out before."""
    await desk.say(**{gate: "2026-11-02T12:00:00Z"})
    assert "articles/ferry/index.html" not in desk.public()
    assert desk.app.publishing.next_change_at(desk.clock.now()) == desk.clock.now().replace(hour=12, minute=0)
    await desk.wait(hours=4)
    assert "articles/ferry/index.html" in desk.public()
    assert "Ferry reopens" in desk.public()["feeds/all.atom"]


@pytest.mark.parametrize("desk", [KEEPING], indirect=True)
async def test_a_page_that_stands_alone_leaves_the_feeds_of_its_tags_to_others(desk: Desk) -> None:
    await desk.say(tags="[boats]", expires="2026-11-02T10:00:00Z")
    await desk.say("tea", "Tea is served", tags="[boats]")
    await desk.wait(hours=2)
    await desk.say(tags="[]", expires="2026-11-02T10:00:00Z")
    assert "feeds/tags/boats.atom" in desk.public()


async def test_a_correction_is_told_whatever_became_of_the_dates_it_came_with(desk: Desk) -> None:
    """The present version says until when a story may be out."""
    await desk.say(corrections=NOTE, expires="2026-11-02T11:00:00Z")
    await desk.say(corrections=NOTE)
    await desk.wait(hours=3)
    assert "Correction: Ferry reopens" in desk.public()["feeds/all.atom"]
    assert "Correction: Ferry reopens" in await desk.private("full", "all.atom")


async def test_a_language_without_pages_of_its_own_is_on_those_of_the_main_one_at_once(desk: Desk) -> None:
    written = await desk.say("harbour", "افتتاح الميناء", language="ar")
    assert {"index.html", "sections/asia-pacific/index.html"} <= set(written)
    assert "tr/index.html" not in written


async def test_a_story_may_be_tied_to_another_twice(desk: Desk) -> None:
    """It is related to the story that it supersedes."""
    one = [article.id for article in desk.app.publishing.intake.articles]
    await desk.say("again", "Ferry", related=one, supersedes=one)
    written = await desk.say("again", "Ferry again", related=one, supersedes=one)
    assert "articles/again/index.html" in written


async def test_a_note_that_is_said_twice_is_one_note(desk: Desk) -> None:
    twice = f"{NOTE[:-1]}, {NOTE[1:]}"
    await desk.say(corrections=twice)
    assert desk.public()["corrections.atom"].count("<entry>") == 1


@pytest.mark.parametrize("status", ["killed", "held"])
async def test_a_note_that_comes_with_the_end_is_not_told(desk: Desk, status: str) -> None:
    """It was never out, and may repeat what must not be."""
    reason = {"kill_reason": "Invented"} if status == "killed" else {}
    await desk.say(status=status, corrections=NOTE, **reason)
    assert "Nine not eight" not in await desk.everywhere()


@pytest.mark.parametrize("desk", [KEEPING], indirect=True)
async def test_a_page_that_stands_alone_forgets_what_was_killed(desk: Desk) -> None:
    """At once, not at the next look at everything."""
    (ferry,) = [article.id for article in desk.app.publishing.intake.articles]
    await desk.say("tea", "Tea is served", related=[ferry], expires="2026-11-02T10:00:00Z")
    await desk.wait(hours=2)
    assert "Ferry reopens" in desk.public()["articles/tea/index.html"]
    await desk.say(status="killed", kill_reason="Invented")
    assert "Ferry reopens" not in await desk.everywhere()


@pytest.mark.parametrize("status", ["killed", "held", "withdrawn", "draft"])
async def test_a_story_that_is_taken_back_takes_its_picture_along(desk: Desk, status: str) -> None:
    """At once; what another story shows as well stays, and a release brings it back."""
    for name in ("boat", "quay"):
        (desk.folder / "articles" / f"{name}.png").write_bytes(b"\x89PNG " + name.encode())
    await desk.say("tea", "Tea is served", image="quay.png")
    body = "![Quay](quay.png)\n"
    await desk.say(image="boat.png", body=body)
    assert {name.rpartition("/")[2] for name in desk.files() if name.startswith("media/")} == {"boat.png", "quay.png"}
    reason = {"kill_reason": "Invented"} if status == "killed" else {}
    await desk.say(image="boat.png", body=body, status=status, **reason)
    assert {name.rpartition("/")[2] for name in desk.files() if name.startswith("media/")} == {"quay.png"}
    if status != "killed":
        await desk.say(image="boat.png", body=body)
        assert "boat.png" in {name.rpartition("/")[2] for name in desk.files()}


async def test_a_product_that_grows_brings_a_client_what_it_holds_now(tmp_path: Path) -> None:
    """The client had read to the end of the wire; the same licence opens older stories since."""
    folder, clock = make_publication(tmp_path / "wire"), ManualClock()
    write(folder, "tea.md", story("Tea is served", section="economy"))
    write(folder, "zebra.md", story("Zebra seen", section="asia-pacific"))
    cursor = ""
    for config, opened in [(AGENCY, False), (AGENCY.replace('["asia-pacific"]', '["asia-pacific", "economy"]'), True)]:
        make_publication(folder, config)
        async with open_app(folder, clock) as app:
            await app.publishing.open()
            await app.publishing.refresh(clock.move(minutes=1))
            if not opened:
                await app.circulation.add(
                    "a@example.org", clock.now(), confirmed=True, newsletters=[], products=["asia"]
                )
            reader = await app.people.by_address("a@example.org")
            assert reader is not None
            found = await app.private_feeds.feed(reader, "token", "wire", "json", clock.now(), cursor)
            assert found is not None
            cursor = json.loads(found.body)["next"].partition("cursor=")[2]
            assert ("Tea is served" in found.body.decode()) is opened
