"""An embargo holds, then releases itself; what is scheduled goes out at its minute (scenario 5)."""

from datetime import datetime

from acceptance.running import eventually
from acceptance.stage import Live, Stage
from acceptance.told import canary, holders, long_story, public_bytes

CLEARED = "c@reader.example"
OTHER = "a@reader.example"
AT_TEN = "2026-10-20T10:00:00+03:00"


def test_an_embargo_holds_then_releases_itself(stage: Stage) -> None:
    """Scenario 5: only who is cleared has it before its time, all have it once afterwards, also after downtime."""
    stage.reader(CLEARED, "*", "daily,alerts", "--embargo-cleared")
    stage.reader(OTHER, "*", "daily,alerts")
    with stage.running("2026-10-20T06:00:00+03:00") as live:
        cleared, other = stage.private(CLEARED), stage.private(OTHER)
        stage.write("budget.md", long_story("Budget", embargo=AT_TEN, embargo_reason="By agreement", urgency="flash"))
        early = stage.mail(CLEARED, "Budget")
        assert "EMBARGOED until" in early.subject
        assert "10:00" in early.subject
        assert canary("Budget") in early.text
        stage.set_clock("2026-10-20T07:00:05+03:00")
        stage.write("ferry.md", long_story("Ferry"))
        eventually(lambda: "Ferry" in live.entries(f"{other}/all.atom"), "another story")
        stage.set_clock("2026-10-20T09:00:00+03:00")
        _no_trace(stage, live, other)
        for form in ("rss", "atom", "json"):
            assert holders("Budget", {form: live.get(f"{cleared}/all.{form}").body}) == []
        [item] = [one for one in live.get(f"{cleared}/wire.json").json()["items"] if "Budget" in str(one)]
        assert item["embargoedUntil"].startswith(("2026-10-20T10:00:00", "2026-10-20T07:00:00"))
        stage.set_clock("2026-10-20T09:30:00+03:00")
        live.stop()
    with stage.running("2026-10-20T10:20:00+03:00") as live:
        stage.mail(OTHER, "Budget")
        eventually(lambda: "Budget" in live.entries("/feeds/all.atom"), "the story for the public")
        assert "Budget" in live.entries(f"{other}/all.atom")
        assert holders("Budget", {"page": live.get(live.entries("/feeds/all.atom")["Budget"].link).body})
        assert holders("budget", {"map": live.get("/sitemap.xml").body})
        stage.set_clock("2026-10-21T07:00:05+03:00")
        eventually(
            lambda: [one for one in stage.issues() if one["slot"] == "daily:2026-10-21"] or _slept(stage), "a look"
        )
        live.stop()
    in_full = [(sent.recipient, sent.subject) for sent in stage.attempts() if canary("Budget") in sent.words]
    assert [who for who, _ in in_full].count(CLEARED) == 1
    assert [who for who, _ in in_full].count(OTHER) == 1
    atom = [line for line in (stage.folder / "public/feeds/all.atom").read_text().split("<entry>") if "Budget" in line]
    assert len(atom) == 1


def _slept(stage: Stage) -> bool:
    """Whether the slot of the morning has passed by a while."""
    return stage.now().isoformat() > "2026-10-21T04:00:09"


def _no_trace(stage: Stage, live: Live, other: str) -> None:
    feeds = {
        path: live.get(f"{other}/{path}").body
        for path in ("all.rss", "all.atom", "all.json", "wire.json", "feeds.opml")
    }
    pages = {
        path: live.get(path).body for path in ("/", "/sections/asia-pacific/", "/sitemap.xml", "/news-sitemap.xml")
    }
    for needle in ("Budget", canary("Budget")):
        assert holders(needle, {**public_bytes(stage.folder), **feeds, **pages}) == []
        assert [sent for sent in stage.attempts() if sent.recipient != CLEARED and needle in sent.words] == []
    assert live.get("/articles/budget/").status == 404


def test_it_goes_out_by_itself_at_its_minute(stage: Stage) -> None:
    """A scheduled story and one under embargo come out at their minute, with nobody touching anything."""
    stage.reader(OTHER, "*", "alerts")
    stage.write("planned.md", long_story("Planned", publish_at=AT_TEN, section="economy"))
    stage.write("secret.md", long_story("Secret", embargo=AT_TEN))
    before, ten = datetime.fromisoformat("2026-10-20T09:59:54+03:00"), datetime.fromisoformat(AT_TEN)
    stage.stop_clock(before)
    with stage.running(rounds=None) as live:
        assert not {"Planned", "Secret"} & set(live.entries("/feeds/all.atom"))
        assert holders("Planned", public_bytes(stage.folder)) == holders("Secret", public_bytes(stage.folder)) == []

        stage.set_clock(before.isoformat())

        def both() -> bool:
            return {"Planned", "Secret"} <= set(live.entries("/feeds/all.atom"))

        eventually(both, "both stories")
        assert stage.now() >= ten
        for name in ("Planned", "Secret"):
            sent = stage.mail(OTHER, canary(name))
            assert stage.moment(sent) >= ten
            assert "EMBARGOED" not in sent.subject
        assert live.entries("/feeds/all.atom")["Planned"].published_parsed[:5] == (2026, 10, 20, 7, 0)


def test_both_gates_at_once_are_refused(stage: Stage) -> None:
    """`check` names the file and the line."""
    stage.write("both.md", long_story("Both", publish_at=AT_TEN, embargo=AT_TEN))
    done = stage.run("check")
    assert done.returncode == 1
    told = done.stdout + done.stderr
    [line] = [line for line in told.splitlines() if line.startswith("articles/both.md:")]
    number = int(line.split(":")[1])
    assert (
        (stage.folder / "articles" / "both.md")
        .read_text()
        .splitlines()[number - 1]
        .startswith(("publish_at", "embargo"))
    )
    assert "publish_at" in line
    assert "embargo" in line
