"""A correction reaches those who have the error; a hold and its end as well (scenario 6)."""

from acceptance.running import ask, eventually, form_fields, link_in
from acceptance.stage import Live, Sent, Stage
from acceptance.told import linked_data, long_story
from ninjs_schema import faults

ALERTED = "a@reader.example"
PAUSED = "paused@reader.example"
DIGEST = "digest@reader.example"
NOBODY = "b@reader.example"
LATER = "later@reader.example"
NOTE = "An earlier version gave the acronym as CGI; it is GGI."
CORRECTIONS = f"""corrections:
  - date: 2026-10-20T09:00:00+03:00
    kind: correction
    text: "{NOTE}"
"""


def initiative(acronym: str) -> str:
    return long_story("Initiative").replace("paragraph 2 is told", f"paragraph 2 names the initiative ({acronym})")


def corrected() -> str:
    return initiative("GGI").replace("---\n\n", f"{CORRECTIONS}---\n\n", 1)


def pause(live: Live, mail: Sent) -> None:
    """Pauses a reader's mail, as the reader does from the foot of a mail."""
    url = link_in(mail.message, "/preferences/")
    page = ask(url)
    paused = ask(url, {**form_fields(page.text), "action": "pause"}, origin=live.url)
    assert paused.status == 200, paused.text


def told_of(stage: Stage, address: str, words: str) -> list[Sent]:
    return [sent for sent in stage.mails(address) if words in sent.subject]


def test_a_correction_reaches_those_who_have_the_error(stage: Stage) -> None:
    """Scenario 6: everybody who got an earlier version, by whatever mail, once; nobody else."""
    for address, newsletters in ((ALERTED, "alerts"), (PAUSED, "alerts"), (DIGEST, "daily"), (NOBODY, "")):
        stage.reader(address, "*", newsletters)
    with stage.running() as live:
        private = stage.private(NOBODY)
        stage.write("initiative.md", initiative("CGI"))
        stage.mail(ALERTED, "(CGI)")
        pause(live, stage.mail(PAUSED, "(CGI)"))
        stage.set_clock("2026-10-20T07:00:05+03:00")
        stage.mail(DIGEST, "(CGI)")
        stage.reader(LATER, "*", "alerts")
        feeds = ("/feeds/all", "/feeds/asia-pacific", "/feeds/en/all", f"{private}/all", f"{private}/asia")
        before = live.entries("/feeds/all.atom")["Initiative"]
        stage.set_clock("2026-10-20T09:00:05+03:00")
        stage.write("initiative.md", corrected())
        notices = [stage.mail(address, NOTE) for address in (ALERTED, PAUSED, DIGEST)]
        for notice in notices:
            assert notice.subject.startswith("Correction"), notice.subject
            assert NOTE in notice.text
            assert NOTE in notice.html
        _everywhere(live, before.id, private, feeds)
        stage.set_clock("2026-10-21T07:00:05+03:00")
        live.stop()
    with stage.running() as live:
        stage.set_clock("2026-10-22T07:00:05+03:00")
        stage.write("other.md", long_story("Other"))
        stage.mail(ALERTED, "Other")
        live.stop()
    for address in (ALERTED, PAUSED, DIGEST):
        assert len([sent for sent in stage.mails(address) if sent.subject.startswith("Correction")]) == 1, address
    for address in (NOBODY, LATER):
        assert [sent.subject for sent in stage.attempts() if sent.recipient == address and NOTE in sent.words] == []


def _everywhere(live: Live, identity: str, private: str, feeds: tuple[str, ...]) -> None:
    page = live.get("/articles/initiative/").text
    assert ">Correction<" in page
    assert NOTE in page
    assert linked_data(page)["correction"][0]["text"] == NOTE
    log = live.get("/corrections/")
    assert log.status == 200
    assert NOTE in log.text
    assert "/articles/initiative/" in log.text
    assert NOTE in str(live.entries("/corrections.atom"))
    [item] = [one for one in live.get(f"{private}/wire.json").json()["items"] if one["uri"] == identity]
    assert item["version"] == "2"
    assert item["edNote"].startswith("CORRECTION")
    assert NOTE in item["edNote"]
    assert faults(item) == []
    for feed in feeds:
        for form in ("rss", "atom"):
            entries = live.entries(f"{feed}.{form}")
            assert entries["Initiative"].id == identity
            assert NOTE in str(entries["Initiative"]), feed
            advisory = entries["Correction: Initiative"]
            assert advisory.id != identity
            assert NOTE in str(advisory)
        items = {one["title"]: one for one in live.get(f"{feed}.json").json()["items"]}
        assert items["Correction: Initiative"]["id"] == advisory.id


def test_a_hold_and_its_end_reach_those_who_have_the_story(stage: Stage) -> None:
    """A held story's text is gone everywhere at once, prior recipients are told, and told when it may be used."""
    stage.reader(ALERTED, "*", "alerts")
    stage.reader(NOBODY, "*", "daily")
    with stage.running() as live:
        private = stage.private(NOBODY)
        stage.write("initiative.md", initiative("CGI"))
        stage.mail(ALERTED, "(CGI)")
        eventually(lambda: "Initiative" in live.entries("/feeds/all.atom"), "the story")
        identity = live.entries("/feeds/all.atom")["Initiative"].id
        stage.write("initiative.md", initiative("CGI").replace("---\n\n", "status: held\n---\n\n", 1))
        assert "HOLD" in stage.mail(ALERTED, "HOLD").subject
        page = live.get("/articles/initiative/")
        assert page.status == 200
        assert "on hold" in page.text
        assert "noindex" in page.text
        for words in (page.text, live.get(f"{private}/all.atom").text, live.get("/feeds/all.atom").text):
            assert "What Initiative is about" not in words
            assert "(CGI)" not in words
        [item] = [one for one in live.get(f"{private}/wire.json").json()["items"] if one["uri"] == identity]
        assert item["pubStatus"] == "withheld"
        assert faults(item) == []
        assert identity in {entry.id for entry in live.entries("/feeds/all.atom").values()}
        stage.set_clock("2026-10-20T07:00:05+03:00")
        stage.write("initiative.md", initiative("CGI"))
        assert "May be used" in stage.mail(ALERTED, "May be used").subject
        eventually(lambda: "What Initiative is about" in live.get("/articles/initiative/").text, "the text is back")
        assert "noindex" not in live.get("/articles/initiative/").text
        live.stop()
    assert len(stage.mails(ALERTED)) == 3
    assert [sent.subject for sent in stage.attempts() if sent.recipient == NOBODY and "HOLD" in sent.words] == []
