"""What feeds leave behind in the store, on both databases: archive documents, and what hubs have heard."""

from publisher.model.publication import OutputRecord
from publisher.stores.announcements import Announcements
from publisher.stores.articles import Articles
from publisher.stores.database import Database
from publisher.stores.feed_archives import FeedArchiveRows

HUB, OTHER = "https://hub.example/", "https://other.example/"


async def test_what_a_document_holds_is_said_once(database: Database) -> None:
    """Who comes second is told so, and changes nothing, not even what would have been new."""
    rows = FeedArchiveRows(database)
    assert await rows.pages() == {}
    assert await rows.add("all", 1, [(3, 2, 1), (6, 5, 4)])
    assert not await rows.add("all", 2, [(9,), (10,)])
    assert await rows.add("all", 3, [(9, 8, 7)])
    assert await rows.add("en/economy", 1, [(2,)])
    assert await rows.pages() == {"all": [(3, 2, 1), (6, 5, 4), (9, 8, 7)], "en/economy": [(2,)]}


async def test_a_hub_has_still_to_hear_what_has_other_bytes(database: Database) -> None:
    """Each hub by itself; archive documents and pages are no business of theirs."""
    store, outputs = Announcements(database), Articles(database)
    files = ["feeds/all.atom", "feeds/all.rss", "corrections.atom", "feeds/all/archive/1.atom", "index.html"]
    await outputs.save_outputs([OutputRecord(path, "f", f"{path} 1") for path in files], [])
    assert not await store.knows(HUB)
    unheard = await store.unheard(HUB)
    assert list(unheard) == ["corrections.atom", "feeds/all.atom", "feeds/all.rss"]
    await store.save(HUB, unheard)
    assert await store.knows(HUB)
    assert not await store.knows(OTHER)
    assert await store.unheard(HUB) == {}
    await outputs.save_outputs([OutputRecord("feeds/all.rss", "f", "another")], ["feeds/all.atom"])
    assert await store.unheard(HUB) == {"feeds/all.rss": "another"}
    assert list(await store.unheard(OTHER)) == ["corrections.atom", "feeds/all.rss"]
    await store.save(HUB, {"feeds/all.rss": "another"})
    await store.save(HUB, {})
    assert await store.unheard(HUB) == {}


async def test_a_hub_hears_of_each_change_once_whatever_another_node_left_behind(database: Database) -> None:
    """A node that is no more has its feeds as they were when it ended."""
    ended, alive = Articles(database, home="ended"), Articles(database, home="alive")
    await ended.save_outputs([OutputRecord("feeds/all.atom", "f", "old")], [])
    await alive.save_outputs([OutputRecord("feeds/all.atom", "f", "new")], [])
    store = Announcements(database, "alive")
    assert await store.unheard(HUB) == {"feeds/all.atom": "new"}
    await store.save(HUB, {"feeds/all.atom": "new"})
    assert await store.unheard(HUB) == {}
