"""The stories' memory: every version stays, whatever came after."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from publisher.model.article import Access, Article, Body, Status
from publisher.model.publication import Revision
from publisher.stores.articles import Articles
from publisher.stores.database import Database

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def article(slug: str) -> Article:
    return Article(
        title=slug.title(),
        language="en",
        slug=slug,
        id=f"tag:example.org,2026:{slug}",
        number=0,
        version=1,
        source=f"{slug}.md",
        path=f"/articles/{slug}/",
        first_seen_at=NOW,
        published_at=NOW,
        updated_at=NOW,
        revised_at=NOW,
    )


def revision(of: Article) -> Revision:
    return Revision(article=of, body=Body(html="<p>x</p>", text="x"), change="new")


async def test_all_versions_of_a_story_are_kept_in_their_order(database: Database) -> None:
    """With what config says of them today; a version written again is itself again."""
    articles = Articles(database, lambda stored: replace(stored, access=Access.SUMMARY))
    ferry, reef = await articles.save([revision(article("ferry")), revision(article("reef"))], [], [], NOW)
    for version, status in ((3, Status.KILLED), (2, Status.HELD), (2, Status.PUBLISHED)):
        later = replace(ferry, version=version, status=status, revised_at=NOW + DAY)
        await articles.save([revision(later)], [], [], NOW + DAY)
    found = await articles.versions([ferry.number, reef.number, 4711])
    assert {number: [(a.version, a.status) for a in kept] for number, kept in found.items()} == {
        ferry.number: [(1, Status.PUBLISHED), (2, Status.PUBLISHED), (3, Status.KILLED)],
        reef.number: [(1, Status.PUBLISHED)],
    }
    assert found[ferry.number][0].access is Access.SUMMARY
    assert await articles.versions([]) == {}


async def test_the_few_stories_with_a_history_to_tell(database: Database) -> None:
    """Recalled, released or corrected lately, or on hold for however long; a move of the file says nothing new."""
    articles = Articles(database)
    names = ("plain", "corrected", "moved", "old", "held")
    made = {a.slug: a for a in await articles.save([revision(article(name)) for name in names], [], [], NOW)}

    async def change(name: str, kind: str, at: datetime, **said: object) -> None:
        after = replace(made[name], version=2, revised_at=at, **said)  # type: ignore[arg-type]
        await articles.save([replace(revision(after), change=kind)], [], [], at)

    await change("plain", "updated", NOW + DAY)
    await change("corrected", "corrected", NOW + DAY)
    await change("moved", "corrected", NOW + DAY)
    await change("moved", "moved", NOW + DAY, source="elsewhere.md")
    await change("old", "killed", NOW - DAY, status=Status.KILLED)
    await change("held", "held", NOW - DAY, status=Status.HELD)
    assert set(await articles.recalled(NOW)) == {made[name].number for name in ("corrected", "moved", "held")}
    assert (await articles.versions([made["moved"].number]))[made["moved"].number][-1].source == "elsewhere.md"
