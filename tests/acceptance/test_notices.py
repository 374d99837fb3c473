"""What subscribers are told by mail, through the service: a correction and a kill; the desk's files say it."""

from email.message import EmailMessage
from pathlib import Path

from acceptance.running import Running, eventually, publisher, running
from publications import AGENCY, make_publication, write

ADA, BORA = "ada@example.org", "bora@example.org"
CANARY = "The pelican counted eleven lanterns (CGI)."


def file(title: str, *lines: str, body: str = CANARY) -> str:
    """Returns an article file with these lines of front matter."""
    return "\n".join(["---", f"title: {title}", "section: asia-pacific", *lines, "---", "", body, ""])


def add(folder: Path, address: str, *more: str) -> None:
    publisher("subscribers", "add", address, "--confirmed", "--products", "*", *more, folder=folder)


def text_of(mail: EmailMessage) -> str:
    return "".join(str(mail.get_body((kind,)).get_content()) for kind in ("plain", "html"))  # type: ignore[union-attr]


def subjects(service: Running, address: str) -> list[str]:
    return [str(mail["Subject"]).replace("\u00a0", " ") for mail in service.mails(address)]


def test_correction_and_kill_reach_those_who_have_the_story(tmp_path: Path) -> None:
    """Ada got the story by mail: she is told, paused or not, by the file alone, also of what was written while nothing
    ran; Bora has nothing of it and hears nothing; the kill says nothing of the story."""
    folder = make_publication(tmp_path / "wire", AGENCY)
    add(folder, ADA, "--newsletters", "daily;alerts")
    add(folder, BORA, "--newsletters", "weekly")
    write(folder, "island.md", file("Island story"))
    publisher("send", "daily", "--since", "2020-01-01", folder=folder)
    said = 'corrections: [{date: 2026-01-02T10:00:00Z, kind: correction, text: "It is GGI, not CGI."}]'
    write(folder, "island.md", file("Island story", said, body=CANARY.replace("CGI", "GGI")))
    publisher("build", folder=folder)
    with running(folder) as service:
        eventually(lambda: len(service.mails(ADA)) == 2, "the correction")
        notice = service.mails(ADA)[1]
        assert notice["Subject"] == "Correction: Island story"
        assert "It is GGI, not CGI." in text_of(notice)
        assert "eleven lanterns (GGI)" in text_of(notice)
        assert "eleven lanterns (CGI)" not in text_of(notice)
        assert notice["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert (notice["Auto-Submitted"], notice["Precedence"]) == ("auto-generated", "bulk")
        write(folder, "island.md", file("Island story", said, "status: killed", "kill_reason: It never happened."))
        eventually(lambda: len(service.mails(ADA)) == 3, "the kill")
        kill = service.mails(ADA)[2]
        assert kill["Subject"] == "KILL (ref 1)"
        assert "It never happened." in text_of(kill)
        for word in ("Island", "island", "lanterns", "/articles/"):
            assert word not in kill["Subject"] + text_of(kill)
        assert service.mails(BORA) == []
        assert service.stop() == 0
    listed = publisher("issues", "list", folder=folder).stdout
    assert "notice  correction:1:2  done  1 planned: 1 accepted" in listed
    assert "notice  kill:1  done  1 planned: 1 accepted" in listed
    number = next(line.split()[0] for line in listed.splitlines() if "kill:1" in line)
    shown = publisher("issues", "show", number, folder=folder).stdout
    assert "ref 1, killed (told about)" in shown
    assert "Island" not in shown
