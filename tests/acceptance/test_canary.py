"""What is withheld is nowhere it is withheld from: one publication of every kind, searched byte by byte."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

from acceptance.crawl import Crawl
from acceptance.running import eventually, form_fields, press_sign_up
from acceptance.stage import Live, Stage
from acceptance.told import canary, holders, long_story, public_bytes

FULL, ASIA, LAPSED = "full@reader.example", "asia@reader.example", "lapsed@reader.example"
PUBLIC, ASKED, CLEARED = "public@reader.example", "asked@reader.example", "cleared@reader.example"
QUIET_ID = "tag:wire.example,2026:quietus-identity"
DESK = {"ednote": "Desk word marigold", "slugline": "MARIGOLD-SLUG"}
OUT = {
    "Openen": {"access": "public"},
    "Opentr": {"access": "public", "language": "tr"},
    "Sumen": {"access": "summary", "tags": "[tide]", **DESK},
    "Sumtr": {"access": "summary", "language": "tr", "tags": "[gelgit]"},
    "Heden": {"access": "headline"},
    "Hedtr": {"access": "headline", "language": "tr"},
    "Sportful": {"access": "summary", "section": "sport"},
    "Upden": {"access": "summary"},
    "Corren": {"access": "summary"},
    "Helden": {"access": "summary"},
    "Killen": {"access": "summary"},
    "Delen": {"access": "summary"},
    "Expen": {"access": "summary", "expires": "2026-10-19T20:00:00+03:00"},
}
QUIET = {
    "Quietus": {"access": "subscriber", "slug": "quietus-slug", "id": QUIET_ID, "tags": "[quietus-tag]"},
    "Sessizlik": {"access": "subscriber", "language": "tr", "section": "sport"},
}
LETTERS = {
    "Openletter": {"access": "public", "deliver": "mail"},
    "Lettersum": {"access": "summary", "deliver": "mail", "related": f"[{QUIET_ID}]"},
    "Letterkill": {"access": "summary", "deliver": "mail"},
}
"""Letters: in mail as anything else, and nowhere else."""
UNMAILED = {"Webben": {"access": "summary", "deliver": "web"}}
UNSEEN = {
    "Draften": {"status": "draft"},
    "Plannen": {"status": "planned", "date": "2026-11-20T10:00:00+03:00"},
    "Scheden": {"publish_at": "2026-11-20T10:00:00+03:00"},
    "Emben": {"embargo": "2026-11-20T10:00:00+03:00", "embargo_reason": "Agreed by marigold"},
}
GATED = [name for name, keys in OUT.items() if keys.get("access") != "public"]
TAKEN_BACK = ("Helden", "Killen", "Delen")
TRACELESS = ("quietus", QUIET_ID, "sessizlik", *map(str.casefold, UNSEEN), "marigold", "never met")
"""Words that nobody may meet who does not hold the right: titles, slugs, ids, tags, what a desk says to desks."""


def test_nothing_withheld_is_anywhere(stage: Stage) -> None:
    """Zero hits where there must be none; and where there must be some, they are."""
    _readers(stage)
    with stage.running(rounds=1.0, verbose=True) as live:
        tokens = {who: stage.private(who) for who in (FULL, ASIA, LAPSED, CLEARED)}
        for name, keys in (OUT | QUIET | LETTERS | UNMAILED | UNSEEN).items():
            stage.write(f"{name.casefold()}.md", _told(name, **keys))
        eventually(lambda: {"Openen", "Sumen", "Hedtr", "Expen"} <= set(live.entries("/feeds/all.atom")), "the stories")
        eventually(lambda: _alerted(stage), "every alert, once they were released: so many at once are held")
        stage.set_clock("2026-10-20T07:00:05+03:00")
        _take_back(stage)
        stage.set_clock("2026-10-20T08:00:05+03:00")
        eventually(lambda: _released(stage), "the bulletin, once it was released: so many at once are held")
        bulletin = stage.mail(PUBLIC, "Sumen")
        eventually(lambda: live.get("/articles/killen/").status == 410, "the kill")
        _signs_up(live)
        stage.mail(ASKED, "confirm")
        _places_public(stage, live)
        _mails(stage)
        _private_places(live, tokens)
        assert holders(canary("Openen"), {"mail": bulletin.words.encode()})
        assert "It was three boats" in live.get("/corrections/").text
        early = {"mail": "".join(sent.words for sent in stage.mails(CLEARED)).encode()}
        assert holders(canary("Emben"), early) == ["mail"], "who is cleared has the story under embargo"
        live.stop()
    _logs(stage, tokens)


def _told(name: str, **keys: object) -> str:
    """Returns a story, with a subhead in the text of those that are not for everybody."""
    text = long_story(name, **keys)
    return text if name.startswith("Open") else text.replace(canary(name), f"## Marigold subhead\n\n{canary(name)}")


def _readers(stage: Stage) -> None:
    stage.reader(FULL, "*", "daily,alerts")
    stage.reader(ASIA, "asia", "daily,alerts")
    stage.reader(LAPSED, "*", "daily,alerts,bulletin", "--valid-until", "2026-10-19T11:00+03:00")
    stage.reader(PUBLIC, "", "bulletin")
    stage.reader(CLEARED, "*", "daily,alerts", "--embargo-cleared")


def _alerted(stage: Stage) -> bool:
    """Lets go what is held, and says whether whoever may read everything has everything."""
    stage.command("issues", "release", "all")
    mails = {str(n): sent.words.encode() for n, sent in enumerate(stage.mails(FULL))}
    return all(holders(canary(name), mails) for name in (*GATED, *QUIET, *LETTERS))


def _released(stage: Stage) -> bool:
    stage.command("issues", "release", "all")
    return bool(stage.mails(PUBLIC))


def _take_back(stage: Stage) -> None:
    """What becomes of stories that were out: updated, corrected, held, killed, deleted."""
    changes = {
        "Upden": "updated: 2026-10-20T07:01:00+03:00\n",
        "Corren": 'corrections:\n  - {date: 2026-10-20T07:01:00+03:00, kind: correction, text: "It was three boats"}\n',
        "Helden": "status: held\n",
        "Killen": "status: killed\nkill_reason: The council never met\n",
    }
    for name, lines in changes.items():
        stage.write(f"{name.casefold()}.md", _told(name, **OUT[name]).replace("---\n\n", f"{lines}---\n\n", 1))
    (stage.folder / "articles" / "delen.md").unlink()
    killed = {**LETTERS["Letterkill"], "status": "killed", "kill_reason": "The council never met"}
    stage.write("letterkill.md", _told("Letterkill", **killed))


def _signs_up(live: Live) -> None:
    page = live.get("/subscribe")
    fields = {**form_fields(page.text), "email": ASKED, "newsletter": "daily", "website": "", "language": "en"}
    press_sign_up(live.url, fields)


def _places_public(stage: Stage, live: Live) -> None:
    """Every byte of public/ and every answer to somebody without a word: pages, feeds, sitemaps, errors."""
    crawl = Crawl(live.url).everything(*(f"/articles/{name.casefold()}/" for name in OUT))
    files = public_bytes(stage.folder)
    # The last parts of addresses that the crawl itself asked for are known: nothing is asked for that is traceless.
    places = files | crawl.answers
    assert len(crawl.statuses) > 80
    assert {crawl.statuses["/"], crawl.statuses["/sitemap.xml"], crawl.statuses["/feeds/all.rss"]} == {200}
    assert crawl.statuses["/articles/killen/"] == crawl.statuses["/articles/delen/"] == 410
    for name in (*GATED, *QUIET, *UNSEEN):
        assert holders(canary(name), places) == [], name
        assert holders(f"{name} paragraph 5", places) == [], name
    for words in TRACELESS:
        assert holders(words, places) == [], words
    for name in TAKEN_BACK:
        assert holders(f"What {name} is about", places) == [], name
    assert holders("What Heden is about", places) == []
    for name in LETTERS:
        assert holders(name, places) == [], name
        assert live.get(f"/articles/{name.casefold()}/").status == 404
    assert holders("What Webben is about", places)
    assert holders('"Killen"', places) == holders(">Killen<", places) == []
    _needles_are_where_they_must_be(places)


def _needles_are_where_they_must_be(places: dict[str, bytes]) -> None:
    """The search finds what is there: in pages, feeds, JSON, sitemaps and compressed answers."""
    found = holders(canary("Openen"), places)
    assert {"articles/openen/index.html", "feeds/all.rss", "feeds/all.atom", "feeds/all.json"} <= set(found)
    assert "GET /articles/openen/ gzip tr" in found
    assert "sitemap.xml" in holders("/articles/sumen/", places)
    assert "articles/sumen/index.html" in holders("What Sumen is about", places)
    compressed = gzip.compress(canary("Quietus").encode())
    assert holders(canary("Quietus"), {"x": gzip.decompress(compressed)}) == ["x"]


def _mails(stage: Stage) -> None:
    """What people got who hold no licence, or another one: headers, decoded, and every part."""
    for who in (PUBLIC, ASKED, LAPSED):
        mails = {f"{n}: {sent.subject}": sent.words.encode() for n, sent in enumerate(stage.mails(who))}
        assert mails or who == LAPSED
        for name in (*GATED, *QUIET, *UNSEEN):
            assert holders(canary(name), mails) == [], (who, name)
        for words in TRACELESS:
            assert holders(words, mails) == [], (who, words)
    others = {f"{n}: {sent.subject}": sent.words.encode() for n, sent in enumerate(stage.mails(ASIA))}
    for name in ("Sportful", "Sessizlik", "Emben"):
        assert holders(name, others) == [], name
    assert holders(canary("Quietus"), others)
    full = {f"{n}: {sent.subject}": sent.words.encode() for n, sent in enumerate(stage.mails(FULL))}
    for name in (*GATED, "Quietus", "Sessizlik", *LETTERS):
        assert holders(canary(name), full), name
    assert holders("Webben", full) == []
    assert not any(holders(f"/articles/{name.casefold()}/", full) for name in LETTERS)
    eventually(lambda: len(_kills(stage)) == 2, "word of the letter that was killed, as of any other story")
    assert holders(canary("Emben"), full) == []


def _kills(stage: Stage) -> list[str]:
    """Returns the subjects of what was told of kills; alerts of stories with such a title are none."""
    return [sent.subject for sent in stage.mails(FULL) if sent.subject.startswith("KILL (")]


def _private_places(live: Live, tokens: dict[str, str]) -> None:
    """Private feeds and the wire, of who may, of who may something else, and of who may no more."""
    names = ("all.rss", "all.atom", "all.json", "wire.json", "feeds.opml", "asia.atom", "sport.atom")
    places = {who: {name: _told_by(live, f"{folder}/{name}") for name in names} for who, folder in tokens.items()}
    still_out = [name for name in GATED if name not in (*TAKEN_BACK, "Expen")]
    for name in still_out:
        assert set(holders(canary(name), places[FULL])) >= {"all.rss", "all.atom", "all.json", "wire.json"}, name
        assert holders(canary(name), places[LAPSED]) == [], name
    for words in TRACELESS:
        assert holders(words, places[LAPSED]) == [], words
    for name in ("Sportful", "Sessizlik"):
        assert holders(name, places[ASIA]) == [], name
    for name in (*TAKEN_BACK, "Expen"):
        for who in tokens:
            assert holders(canary(name), places[who]) == [], (who, name)
            assert holders(f"What {name} is about", places[who]) == [], (who, name)
    for who in (FULL, ASIA, LAPSED):
        assert holders("Emben", places[who]) == [], who
    for name in LETTERS:
        assert all(holders(name, places[who]) == [] for who in tokens), name
    assert holders(canary("Webben"), places[FULL])
    assert holders("Emben", places[CLEARED]) == ["wire.json"]
    assert holders("Draften", places[CLEARED]) == holders("Scheden", places[CLEARED]) == []
    assert holders("Quietus", places[FULL]) != []


def _told_by(live: Live, url: str) -> bytes:
    answer = live.get(url)
    return f"{answer.status}\n{answer.headers}\n".encode() + answer.body


def _logs(stage: Stage, tokens: dict[str, str]) -> None:
    """No text, no secret word, no token and no address of anybody stands in a log."""
    logs = {"log": stage.logs.read_bytes()}
    assert logs["log"].count(b"publish.done") > 0
    for name in (*GATED, *QUIET, *UNSEEN):
        assert holders(canary(name), logs) == [], name
    for words in ("quietus", QUIET_ID, "sessizlik", "marigold", "never met"):
        assert holders(words, logs) == [], words
    for folder in tokens.values():
        assert holders(folder.rsplit("/", 1)[1], logs) == []
    for who in (FULL, ASIA, LAPSED, PUBLIC, ASKED, CLEARED):
        assert holders(who, logs) == [], who
    key = (stage.folder / "var" / "secret.key").read_bytes()
    assert key.hex().encode() not in logs["log"]
    assert _in_archive(stage.folder, canary("Killen"))


def _in_archive(folder: Path, words: str) -> bool:
    with closing(sqlite3.connect(folder / "var" / "publisher.db")) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return any(words in str(row) for name in tables for row in database.execute(f'SELECT * FROM "{name}"'))
