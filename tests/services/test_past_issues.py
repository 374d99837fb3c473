"""Issues on the web: a page each, the archive and a feed, with what the public may have at that moment and no more."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import feedparser
import pytest

from publications import AGENCY, ManualClock, make_publication, story, write
from publisher.app import App, open_app
from publisher.model.issue import Issue
from publisher.services.publish import Report

READER, OTHER = "ada@reader.example", "bora@reader.example"
DAY = {"days": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_publication(tmp_path / "wire")


@pytest.fixture
def clock() -> ManualClock:
    """Monday, two hours after the daily's hour in Istanbul."""
    return ManualClock()


@asynccontextmanager
async def opened(folder: Path, clock: ManualClock) -> AsyncIterator[App]:
    """A publication that was begun yesterday, with a reader of everything."""
    async with open_app(folder, clock) as app:
        await app.publishing.open()
        await app.publishing.refresh(clock.now())
        await app.circulation.add(READER, clock.now(), confirmed=True, products=["*"])
        await app.planning.due(clock.now())
        yield app


async def next_day(app: App, clock: ManualClock, *changed: str) -> tuple[list[Issue], Report]:
    """Looks at the folder, then plans tomorrow's issues; returns them and what they cost."""
    clock.move(hours=1)
    await app.publishing.refresh(clock.now(), changed or None)
    issues = await app.planning.due(clock.move(days=1, minutes=20))
    return issues, await app.publishing.refresh_issues(clock.now())


def public(folder: Path) -> dict[str, str]:
    root = folder / "public"
    return {p.relative_to(root).as_posix(): p.read_text(errors="replace") for p in root.rglob("*") if p.is_file()}


def entries(folder: Path, name: str = "daily", extension: str = "atom") -> list[feedparser.FeedParserDict]:
    parsed = feedparser.parse((folder / f"public/feeds/newsletters/{name}.{extension}").read_bytes())
    assert not parsed.bozo, parsed.get("bozo_exception")
    return list(parsed.entries)


async def test_an_issue_has_a_page_a_place_in_the_archive_and_an_entry(folder: Path, clock: ManualClock) -> None:
    """The public renditions of what was mailed, in its order; the mail leads there, with nobody's token."""
    async with opened(folder, clock) as app:
        assert entries(folder) == []
        assert "No issue has come out yet." in public(folder)["issues/index.html"]
        assert "/issues/" not in public(folder)["index.html"]
        write(folder, "pier.md", story("Pier reopens", section="economy", deck="After nine years"))
        write(folder, "port.md", story("Port closes", section="asia-pacific", urgency="1"))
        [issue], _ = await next_day(app, clock)
        files = public(folder)
        page = files["issues/daily/1/index.html"]
        assert page.index("Port closes") < page.index("Pier reopens")
        assert "After nine years" in page
        assert "publishes only part" in page
        assert "canary" not in page
        assert 'href="/issues/daily/1/"' in files["issues/daily/index.html"]
        assert 'href="/issues/daily/"' in files["issues/index.html"]
        assert 'href="/issues/"' in files["index.html"]
        assert "tr/issues/daily/1/index.html" in files
        [entry] = entries(folder)
        assert entry.link == "https://wire.example/issues/daily/1/"
        assert entry.title.startswith("Daily digest, November 3, 2026: Port closes")
        assert 'href="https://wire.example/articles/pier/"' in entry.content[0].value
        [variant] = (await app.issues.outcomes(issue.number)).values()
        mail = await app.deliveries.mail(variant)
        assert "https://wire.example/issues/daily/1/" in mail.html
        assert "https://wire.example/issues/daily/1/" in mail.text
        assert not any(READER in text or "/u/" in text for name, text in files.items() if "issues/" in name)


async def test_every_format_has_the_same_issues(folder: Path, clock: ManualClock) -> None:
    async with opened(folder, clock) as app:
        for name in ("one", "two"):
            write(folder, f"{name}.md", story(name.title()))
            await next_day(app, clock)
    ids = [entry.id for entry in entries(folder)]
    assert len(ids) == 2
    assert [entry.id for entry in entries(folder, extension="rss")] == ids
    found = json.loads((folder / "public/feeds/newsletters/daily.json").read_text())
    assert [item["id"] for item in found["items"]] == ids
    assert found["home_page_url"] == "https://wire.example/issues/daily/"
    assert "Daily digest" in public(folder)["feeds/index.html"]
    assert "newsletters/daily" in public(folder)["feeds.opml"]


async def test_a_killed_story_leaves_the_issue_and_a_last_one_takes_the_page_along(
    folder: Path, clock: ManualClock
) -> None:
    """Decided anew at once; the entry says that it is another one now, so that readers replace what they have."""
    async with opened(folder, clock) as app:
        write(folder, "pier.md", story("Pier reopens"))
        write(folder, "port.md", story("Port closes"))
        await next_day(app, clock)
        [before] = entries(folder)
        write(folder, "port.md", story("Port closes", status="killed", kill_reason="wrong"))
        await app.publishing.refresh(clock.move(hours=1), ["port.md"])
        assert "Port closes" not in str(public(folder))
        assert "Pier reopens" in public(folder)["issues/daily/1/index.html"]
        [after] = entries(folder)
        assert after.id == before.id
        assert after.updated > before.updated
        write(folder, "pier.md", story("Pier reopens", access="subscriber"))
        await app.publishing.refresh(clock.move(hours=1), ["pier.md"])
        assert entries(folder) == []
        overviews = ["issues/index.html", "tr/issues/index.html"]
        assert sorted(name for name in public(folder) if "issues/" in name and "feeds" not in name) == overviews
        assert {"/issues/daily/1/", "/tr/issues/daily/1/"} <= app.publishing.gone
        write(folder, "pier.md", story("Pier reopens"))
        await app.publishing.refresh(clock.move(hours=1), ["pier.md"])
        assert "Pier reopens" in public(folder)["issues/daily/1/index.html"]
        assert not [path for path in app.publishing.gone if "issues" in path]


async def test_what_has_no_public_trace_has_none_here(folder: Path, clock: ManualClock) -> None:
    """Stories for subscribers and letters; an issue of nothing else has no page, and its mail leads to none."""
    async with opened(folder, clock) as app:
        write(folder, "secret.md", story("Quiet heron", access="subscriber"))
        write(folder, "letter.md", story("Dear reader", deliver="mail"))
        [issue], report = await next_day(app, clock)
        assert [name for name in report.written if name != "index.html"] == [], "that one counts the stories of a day"
        mail = await app.deliveries.mail(next(iter((await app.issues.outcomes(issue.number)).values())))
        assert all(words in mail.text for words in ("Quiet heron", "Dear reader"))
        assert "/issues/" not in mail.html + mail.text
        await app.publishing.refresh(clock.now())
        assert not app.publishing.gone, "of what the public never had nothing is told"
        assert "/articles/letter" not in mail.html
        write(folder, "pier.md", story("Pier reopens"))
        write(folder, "secret2.md", story("Silent stork", access="subscriber"))
        await next_day(app, clock)
        text = str(public(folder))
        assert "Pier reopens" in public(folder)["issues/daily/2/index.html"]
        assert all(words not in text for words in ("Quiet heron", "Silent stork", "Dear reader"))
        assert [entry.link for entry in entries(folder)] == ["https://wire.example/issues/daily/2/"]
        write(folder, "secret2.md", story("Silent stork", access="subscriber", status="killed", kill_reason="x"))
        [before] = entries(folder)
        await app.publishing.refresh(clock.move(hours=1), ["secret2.md"])
        assert entries(folder) == [before], "not even the time of the entry tells of it"


async def test_only_the_newsletters_own_clock_counts_and_its_issues_stay(folder: Path, clock: ManualClock) -> None:
    """Not what was sent by hand, or to readers in another rhythm; but what was there stays when the hour changes."""
    async with opened(folder, clock) as app:
        write(folder, "pier.md", story("Pier reopens"))
        await next_day(app, clock)
        write(folder, "port.md", story("Port closes"))
        await app.publishing.refresh(clock.move(hours=1))
        sending = await app.planning.send("daily", clock.move(minutes=1))
        assert sending.issue is not None
        assert (await app.publishing.refresh_issues(clock.now())).written == []
        assert "Port closes" not in public(folder)["issues/daily/index.html"]
    (folder / "config.toml").write_text(AGENCY.replace('"daily 07:00"', '"daily 08:30"'))
    async with opened(folder, clock):
        assert "Pier reopens" in public(folder)["issues/daily/1/index.html"]
    (folder / "config.toml").write_text(AGENCY.replace('"daily 07:00"', '"daily 08:30"\narchive = false'))
    async with opened(folder, clock):
        assert not [name for name in public(folder) if "issues/daily/" in name or "newsletters/daily" in name]


async def test_lists_lead_to_the_log_of_corrections_while_there_is_one(folder: Path, clock: ManualClock) -> None:
    async with opened(folder, clock) as app:
        for notes in ("[{date: 2026-11-02T08:00:00Z, text: Nine not eight.}]", "[]"):
            write(folder, "a.md", story("A", corrections=notes))
            write(folder, "b.md", story("B", corrections="[{date: 2026-11-02T08:00:00Z, kind: update, text: More.}]"))
            await app.publishing.refresh(clock.move(hours=1), ["a.md", "b.md"])
            for name in ("issues/index.html", "articles/a/index.html"):
                assert ("/corrections/" in public(folder)[name]) == (notes != "[]")
            assert "/corrections/" not in public(folder)["articles/b/index.html"]  # it would outlive the log


async def test_one_new_issue_costs_its_page_the_archive_and_the_feeds(folder: Path, clock: ManualClock) -> None:
    """However many there were; and nothing changed, nothing written."""
    async with opened(folder, clock) as app:
        for number in range(1, 4):
            write(folder, f"{number}.md", story(f"Story {number}"))
            _, report = await next_day(app, clock, f"{number}.md")
        feeds = [f"feeds/newsletters/daily.{extension}" for extension in ("atom", "json", "rss")]
        pages = [f"{home}issues/{page}index.html" for home in ("", "tr/") for page in ("", "daily/", "daily/3/")]
        assert report.written == sorted(["news-sitemap.xml", *feeds, *pages])  # the first story is news no longer
        assert (await app.publishing.refresh_issues(clock.now())).written == []
    async with opened(folder, clock) as app:
        report = await app.publishing.refresh(clock.now())
        assert (report.written, report.removed) == ([], [])


async def test_held_issues_wait_and_cancelled_ones_stay_if_anybody_has_them(folder: Path, clock: ManualClock) -> None:
    async with opened(folder, clock) as app:
        write(folder, "pier.md", story("Pier reopens"))
        [issue], _ = await next_day(app, clock)
        assert await app.issues.cancel(issue.number, clock.now())
        report = await app.publishing.refresh_issues(clock.now())
        assert "issues/daily/1/index.html" in report.removed
        assert "No issue has come out yet." in public(folder)["issues/index.html"]


async def test_a_long_archive_has_pages_that_stay_as_they_are(folder: Path, clock: ManualClock) -> None:
    """The newest page has from fifty to a hundred; a new issue changes no older page."""
    async with opened(folder, clock) as app:
        archive = app.publishing.archive
        from publisher.model.archive import PastIssue
        from publisher.model.issue import Mention

        def past(edition: int) -> PastIssue:
            return PastIssue(
                number=edition,
                newsletter="daily",
                edition=edition,
                due_at=clock.now(),
                timezone="UTC",
                stories=((1, Mention.STORY),),
            )

        for edition in range(1, 231):
            archive._remember(past(edition))
        before = archive.pages("daily")
        assert [(page, len(issues)) for page, issues in before] == [(0, 80), (3, 50), (2, 50), (1, 50)]
        archive._remember(past(231))
        assert archive.pages("daily")[1:] == before[1:]


async def test_readers_of_another_language_have_pages_of_their_own(folder: Path, clock: ManualClock) -> None:
    """Of a story and its translation each page shows the one for its readers, and each mail leads to its own page."""
    async with opened(folder, clock) as app:
        await app.circulation.add(OTHER, clock.now(), confirmed=True, products=["*"], language="tr")
        write(folder, "pier.md", story("Pier reopens", id="tag:wire.example,2026:pier"))
        write(folder, "pier.tr.md", story("İskele açıldı", translation_of="tag:wire.example,2026:pier"))
        write(folder, "port.md", story("Port closes"))
        [issue], _ = await next_day(app, clock)
        files = public(folder)
        english, turkish = files["issues/daily/1/index.html"], files["tr/issues/daily/1/index.html"]
        assert [words in english for words in ("Pier reopens", "Port closes", "İskele")] == [True, True, False]
        assert [words in turkish for words in ("Pier reopens", "Port closes", "İskele")] == [False, True, True]
        assert 'hreflang="tr" href="https://wire.example/tr/issues/daily/1/"' in english
        assert "3 Kasım 2026" in turkish
        mails = [await app.deliveries.mail(n) for n in (await app.issues.outcomes(issue.number)).values()]
        assert sorted("/tr/issues/daily/1/" in mail.text for mail in mails) == [False, True]
