"""What waited while nothing ran says what is right when something runs again; the relay is the judge."""

from acceptance.running import eventually
from acceptance.stage import Stage
from acceptance.told import canary, long_story

ADA = "ada@reader.example"
CLEO = "cleo@reader.example"
LATER = "451 4.7.1 try again later"
HOUR = "2026-10-20T10:00:00+03:00"
NOTE = [{"date": "2026-10-20T08:00:00+03:00", "kind": "correction", "text": "It is GGI, not CGI."}]


def test_a_mail_ahead_of_its_hour_does_not_go_after_it(stage: Stage) -> None:
    """The relay put it off, then nothing ran until the hour was past: the story itself goes, once, without the box."""
    stage.reader(CLEO, "*", "daily,alerts", "--embargo-cleared")
    stage.script({CLEO: [LATER]})
    with stage.running("2026-10-20T09:00:00+03:00") as live:
        stage.write("budget.md", long_story("Budget", embargo=HOUR, urgency="flash"))
        eventually(lambda: [sent for sent in stage.attempts() if sent.recipient == CLEO], "the first try")
        live.kill()
    with stage.running("2026-10-20T10:20:00+03:00") as live:
        assert "EMBARGOED" not in stage.mail(CLEO, "Budget").subject
        live.stop()
    assert [sent.subject.count("EMBARGOED") for sent in stage.mails(CLEO)] == [0]


def test_a_correction_survives_a_hold_and_a_withdrawal(stage: Stage) -> None:
    """Corrected, held and taken back while the relay took nothing and the process was killed each time: told once."""
    stage.reader(ADA, "*", "alerts")
    with stage.running("2026-10-20T06:00:00+03:00") as live:
        stage.write("ferry.md", long_story("Ferry", urgency="flash"))
        stage.mail(ADA, "Ferry")
        stage.script({ADA: ["250 2.0.0 kept", *[LATER] * 40]})
        stage.write("ferry.md", long_story("Ferry", urgency="flash", corrections=NOTE))
        eventually(lambda: [one for one in stage.issues() if one["event"] == "correction:2:2"], "the correction")
        live.kill()
    for hour, status in (("07", "held"), ("08", "withdrawn")):
        stage.write("ferry.md", long_story("Ferry", urgency="flash", corrections=NOTE, status=status))
        with stage.running(f"2026-10-20T{hour}:00:00+03:00") as live:
            eventually(lambda want=status: _told(stage, want), f"a look at a story that is {status}")
            live.kill()
    stage.script()
    with stage.running("2026-10-20T09:00:00+03:00") as live:
        notice = stage.mail(ADA, "It is GGI, not CGI.")
        live.stop()
    assert canary("Ferry") not in notice.words
    assert [sent.subject for sent in stage.mails(ADA)][1:] == ["Correction: Ferry"]


def _told(stage: Stage, status: str) -> bool:
    events = {str(one["event"]): one["state"] for one in stage.issues() if one["event"]}
    return "hold:2:3" in events if status == "held" else events["hold:2:3"] in ("cancelled", "done")


def test_a_story_between_the_first_build_and_the_first_run_is_alerted(stage: Stage) -> None:
    """`build`, a reader, a story, then `run` for the first time: that story goes out, and no older one."""
    stage.write("old.md", long_story("Old", urgency="flash", date="2026-10-18T08:00:00+03:00"))
    stage.command("build")
    stage.reader(ADA, "*", "alerts")
    stage.write("ferry.md", long_story("Ferry", urgency="flash"))
    with stage.running("2026-10-20T06:00:00+03:00") as live:
        stage.mail(ADA, "Ferry")
        live.stop()
    assert [sent.subject for sent in stage.mails(ADA)] == [stage.mails(ADA)[0].subject]
