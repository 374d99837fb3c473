"""Products decide, licences expire; updates are visible, and nothing else moves (scenarios 3 and 4)."""

import feedparser

from acceptance.running import eventually
from acceptance.stage import Live, Stage
from acceptance.told import canary, long_story, public_state

ASIA = "asia@reader.example"
SPORT = "sport@reader.example"


def test_products_decide_and_licences_expire(stage: Stage) -> None:
    """Scenario 3: in full for who holds the product, nothing for who does not; a word at the end."""
    stage.reader(ASIA, "asia", "daily")
    stage.reader(SPORT, "sport", "daily")
    stage.write("ferry.md", long_story("Ferry"))
    stage.write("regatta.md", long_story("Regatta", section="sport"))
    with stage.running() as live:
        asia, sport = stage.private(ASIA), stage.private(SPORT)
        eventually(lambda: "Ferry" in live.entries(f"{asia}/all.atom"), "the story in the feed")
        before = live.entries(f"{asia}/all.atom")
        assert canary("Ferry") in before["Ferry"].content[0].value
        assert "Regatta" not in before
        assert set(live.entries(f"{sport}/all.atom")) >= {"Regatta"}
        assert "Ferry" not in live.entries(f"{sport}/all.atom")
        assert b"Ferry" not in live.get(f"{sport}/wire.json").body
        assert live.get("/u/" + "A" * 43 + "/all.atom").status == 404
        stage.set_clock("2026-10-20T07:00:05+03:00")
        assert canary("Ferry") in stage.mail(ASIA, "Ferry").text
        assert "Ferry" not in stage.mail(SPORT, "Regatta").words

        stage.command("subscribers", "edit", ASIA, "--valid-until", "2026-10-20T12:00+03:00")
        stage.set_clock("2026-10-20T12:00:05+03:00")
        _ended(live, asia)
        stage.write("tunnel.md", long_story("Tunnel"))
        stage.write("relay.md", long_story("Relay", section="sport"))
        eventually(lambda: "Tunnel" in live.entries("/feeds/all.atom"), "the next story")
        stage.set_clock("2026-10-21T07:00:05+03:00")
        stage.mail(SPORT, "Relay")
        assert [sent for sent in stage.mails(ASIA) if "Tunnel" in sent.words] == []

        stage.command("subscribers", "edit", ASIA, "--renew", "asia", "--valid-until", "2027-01-01")
        after = live.entries(f"{asia}/all.atom")
        assert canary("Ferry") in after["Ferry"].content[0].value
        assert canary("Tunnel") in after["Tunnel"].content[0].value
        assert after["Ferry"].id == before["Ferry"].id
        assert not [title for title in after if "ended" in title]


def _ended(live: Live, private: str) -> None:
    """The same address answers with what the public gets, and one entry that says why."""
    for form in ("rss", "atom", "json"):
        answer = live.get(f"{private}/all.{form}")
        assert answer.status == 200
        assert canary("Ferry") not in answer.text
        assert "What Ferry is about, in short" in answer.text
    entries = live.entries(f"{private}/all.atom")
    [notice] = [title for title in entries if "subscription ended on" in title]
    assert "desk@wire.example" in str(entries[notice])
    assert "Ferry" in entries


def test_updates_are_visible_and_quiet_when_nothing_changed(stage: Stage) -> None:
    """Scenario 4: no change, no byte; an update moves what says so; a typo fix moves nothing."""
    stage.reader(ASIA, "*", "daily")
    dated = {"date": "2026-10-19T11:00:00+03:00"}
    path = stage.write("ferry.md", long_story("Ferry", **dated))
    with stage.running() as live:
        eventually(lambda: "Ferry" in live.entries("/feeds/all.atom"), "the story")
        private = stage.private(ASIA)
        tags = {
            url: live.get(url).headers["ETag"] for url in ("/feeds/all.rss", "/feeds/all.atom", f"{private}/all.atom")
        }
        stage.set_clock("2026-10-20T07:00:05+03:00")
        stage.mail(ASIA, "Ferry")
        live.stop()
    before = public_state(stage.folder)
    with stage.running() as live:
        assert public_state(stage.folder) == before
        for url, tag in tags.items():
            assert live.get(url, if_none_match=tag).status == 304
        first = live.entries("/feeds/all.atom")["Ferry"]
        _update(stage, live, path.read_text(), first)
        _typo(stage, live)
    assert ["Ferry" in sent.words for sent in stage.mails(ASIA)] == [True, True, False]


def _item(live: Live, name: str) -> dict[str, str]:
    [item] = [one for one in live.get("/feeds/all.json").json()["items"] if one["title"] == name]
    return dict(item)


def _update(stage: Stage, live: Live, text: str, first: feedparser.FeedParserDict) -> None:
    item = _item(live, "Ferry")
    stamped = text.replace("---\n\n", "updated: 2026-10-20T14:30:00+03:00\n---\n\n", 1)
    stage.set_clock("2026-10-20T14:30:05+03:00")
    stage.write("ferry.md", stamped.replace("Ferry paragraph 2 is told", "Ferry paragraph 2, anew, is told"))
    eventually(lambda: _item(live, "Ferry").get("date_modified") != item.get("date_modified"), "the update in the feed")
    again, now = live.entries("/feeds/all.atom")["Ferry"], _item(live, "Ferry")
    assert (again.id, again.link, again.published) == (first.id, first.link, first.published)
    assert (now["id"], now["url"], now["date_published"]) == (item["id"], item["url"], item["date_published"])
    assert live.entries("/feeds/all.rss")["Ferry"].published_parsed[:5] == (2026, 10, 19, 8, 0)
    assert again.updated_parsed[:5] == (2026, 10, 20, 11, 30)
    assert now["date_modified"].startswith(("2026-10-20T11:30:00", "2026-10-20T14:30:00"))
    # The files of one pass are replaced one after the other.
    page = eventually(lambda: text if "Update" in (text := live.get(first.link).text) else "", "the stamp on the page")
    assert "14:30" in page or "2:30" in page
    stage.set_clock("2026-10-21T07:00:05+03:00")
    eventually(lambda: len(stage.mails(ASIA)) == 2, "the next digest")
    digest = stage.mails(ASIA)[1]
    assert "Updated" in digest.text
    assert digest.text.count("anew, is told") == 1
    assert "Ferry paragraph 2 is told" not in digest.words


def _typo(stage: Stage, live: Live) -> None:
    before = _item(live, "Ferry")
    path = stage.folder / "articles" / "ferry.md"
    private = stage.private(ASIA)
    stage.write("ferry.md", path.read_text().replace("paragraph 3 is told", "paragraph 3 is tolled"))
    eventually(lambda: b"is tolled" in live.get(f"{private}/all.atom").body, "the typo mended")
    after = _item(live, "Ferry")
    for key in ("id", "url", "date_published", "date_modified", "title"):
        assert after.get(key) == before.get(key)
    assert len(live.entries(f"{private}/all.atom")) == len(live.entries("/feeds/all.atom"))
    assert "Correction" not in live.get("/feeds/all.atom").text
    stage.set_clock("2026-10-22T07:00:05+03:00")
    stage.write("other.md", long_story("Other"))
    eventually(lambda: "Other" in live.entries("/feeds/all.atom"), "another story")
    stage.set_clock("2026-10-23T07:00:05+03:00")
    assert "Ferry" not in stage.mail(ASIA, "Other").text
