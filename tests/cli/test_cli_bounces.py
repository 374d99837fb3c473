"""`publisher bounces`, quarantine and status as a user meets them, over a publication that has sent to its sandbox."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

import report_samples as samples
from publisher.cli import main
from report_samples import Mail

CONFIG = """
[site]
title = "Example"
url = "https://wire.example"
[[newsletters]]
id = "daily"
title = "Daily"
schedule = "daily 07:00"
[smtp]
sender = "Example <news@wire.example>"
return_path = "bounces@wire.example"
[bounces]
host = "127.0.0.1"
port = 9
security = "none"
username = "reports"
password = "hush"
"""
READERS = 24


class Publication:
    """A folder and the command line in it."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capfd = capfd
        self.err = ""

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """Runs a command; returns its exit code and what it said on stdout."""
        self._capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["-C", str(self.folder), *arguments])
        said = self._capfd.readouterr()
        self.err = said.err
        return int(ended.value.code or 0), said.out

    def json(self, *arguments: str) -> Any:
        """Runs a command with `--json`; returns its result."""
        return json.loads(self("--json", *arguments)[1])

    def mails(self) -> dict[str, Mail]:
        """What went out, by reader, with the envelope that the sandbox has seen."""
        found = {}
        for path in sorted((self.folder / "var" / "inbox").glob("*.eml")):
            lines = path.read_text().splitlines()
            said = {name: value for name, _, value in (line.partition(": ") for line in lines[:20])}
            found[said["Delivered-To"]] = Mail(
                return_path=said["Return-Path"].strip("<>"),
                recipient=said["Delivered-To"],
                message_id=said["Message-ID"],
            )
        return found

    def file(self, name: str, content: bytes) -> str:
        """Writes a file beside the publication; returns its path."""
        path = self.folder.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return str(path)


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Commands set up logging for their process; here it must not outlive the test."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def publication(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Publication:
    """A publication whose one issue reached two dozen readers."""
    folder = tmp_path / "wire"
    (folder / "articles").mkdir(parents=True)
    (folder / "config.toml").write_text(CONFIG)
    made = Publication(folder, capfd)
    lines = "".join(f"reader{n}@example.org,form\n" for n in range(READERS))
    assert made("build")[0] == 0
    assert made("subscribers", "import", made.file("people.csv", f"email,consent\n{lines}".encode()))[0] == 0
    (folder / "articles" / "harbour.md").write_text("---\ntitle: Harbour\n---\nIt is open.\n")
    assert made("send", "daily")[0] == 0
    return made


def mbox(*raws: bytes) -> bytes:
    """Returns messages as an mbox (RFC 4155)."""
    return b"".join(b"From MAILER-DAEMON Wed Mar  4 06:00:00 2026\r\n" + raw + b"\r\n" for raw in raws)


def test_mail_carries_a_return_path_of_its_own(publication: Publication) -> None:
    """The envelope only: the message names the sender as before."""
    mails = publication.mails()
    assert len({mail.return_path for mail in mails.values()}) == len(mails) == READERS
    assert all(mail.return_path.startswith("bounces+") for mail in mails.values())
    assert not any("reader" in mail.return_path for mail in mails.values())
    inbox = (publication.folder / "var" / "inbox").glob("*.eml")
    assert all(path.read_text().count("bounces+") == 1 for path in inbox)
    assert publication("send", "daily", "--to", "me@example.org")[0] == 0
    assert publication.mails()["me@example.org"].return_path == "bounces@wire.example"


def test_files_of_every_shape_are_told_one_by_one(publication: Publication, monkeypatch: pytest.MonkeyPatch) -> None:
    mails = publication.mails()
    one, two, three, four = (mails[f"reader{n}@example.org"] for n in range(4))
    maildir = publication.folder.parent / "maildir"
    publication.file("maildir/new/1", samples.postfix(one))
    publication.file("maildir/cur/2:2,S", samples.vacation(two))
    publication.file("maildir/tmp/3", samples.postfix(two))
    box = publication.file(
        "reports.mbox", mbox(samples.qmail(two), samples.letter(two), b"X: >From \r\n\r\n>From me\r\n")
    )
    forged = publication.file("forged.eml", samples.postfix(Mail(recipient="reader9@example.org")))
    stdin = io.TextIOWrapper(io.BytesIO(samples.feedback(three)))
    monkeypatch.setattr(sys, "stdin", stdin)
    code, out = publication("bounces", "process", str(maildir), box, forged, "-")
    assert code == 0
    gone = "recorded, no more mail goes there"
    unknown = '(5.1.1 x-unix; no such user: "ada")'
    unproven = "ignored, nothing proves that it is about a mail of ours"
    nobody = "(5.1.1 Sorry, no mailbox here by that name. (#5.1.1))"
    assert [line.partition(": ")[2] for line in out.splitlines()[:-1]] == [
        "automatic reply: nothing to do",
        f"hard bounce, reader0@example.org, issue 1: {gone} {unknown}",
        f"hard bounce, reader1@example.org, issue 1: {gone} {nobody}",
        "no report: nothing to do",
        "no report: nothing to do",
        f"hard bounce, nobody we know of: {unproven} {unknown}",
        f"complaint, reader2@example.org, issue 1: {gone} (abuse)",
    ]
    assert out.splitlines()[-1] == "7 messages, 0 of them unreadable"
    listed = publication.json("suppressions", "list")
    assert {each["address"]: each["reason"] for each in listed} == {
        "reader0@example.org": "bounce", "reader1@example.org": "bounce", "reader2@example.org": "complaint",
    }  # fmt: skip
    assert publication.json("status")["reports"] == {"complaint": 1, "hard": 2, "nothing": 3, "unproven": 1}
    soft = publication.file("soft.eml", samples.postfix(four, "4.2.2", "smtp; 452 4.2.2 full"))
    (told,) = publication.json("bounces", "process", soft)
    assert (told["meaning"], told["effect"], told["status"]) == ("soft", "recorded", "4.2.2")


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(publication: Publication) -> None:
    good = publication.file("good.eml", samples.postfix(publication.mails()["reader5@example.org"]))
    empty = publication.file("empty.eml", b"")
    junk = publication.file("junk.eml", b"\x00\xff" * 50)
    (publication.folder.parent / "none").mkdir()
    nothing = str(publication.folder.parent / "none")
    code, out = publication("bounces", "process", "nowhere.eml", empty, junk, nothing, good)
    assert code == 1
    assert [line.rpartition("/")[2] for line in out.splitlines()[:4]] == [
        "nowhere.eml: unreadable: cannot be read: No such file or directory",
        "empty.eml: unreadable: is empty",
        "junk.eml: unreadable: not a message: it has no headers",
        "none: unreadable: there is no message in this folder",
    ]
    assert "reader5@example.org, issue 1: recorded" in out
    assert publication("bounces", "process")[0] == 2


def test_too_many_at_once_wait_for_a_word(publication: Publication) -> None:
    """A broken server must not empty the list: nobody is suppressed until somebody looked."""
    box = publication.file("storm.mbox", mbox(*(samples.postfix(mail) for mail in publication.mails().values())))
    effects = [each["effect"] for each in publication.json("bounces", "process", box)]
    assert effects == ["suppressed"] * 10 + ["quarantined"] * 14
    assert publication.json("suppressions", "list") == []
    line = (
        "issue 1 (daily no. 1): 24 hard bounces of 24 recipients are quarantined; "
        "publisher suppressions approve 1, or dismiss 1"
    )
    assert line in publication.err
    assert f"bounces    {line}" in publication("status")[1]
    assert publication.json("status")["quarantined"][0]["hard"] == 24
    assert publication("suppressions", "approve", "2")[0] == 1
    assert "the bounces of issue 2 are not quarantined" in publication.err
    assert publication("suppressions", "dismiss", "1") == (0, "issue 1: its bounces suppress nobody\n")
    assert publication("suppressions", "approve", "1")[0] == 1
    assert publication.json("suppressions", "list") == []
    assert publication.json("status")["quarantined"] == []


def test_approved_they_count(publication: Publication) -> None:
    box = publication.file("storm.mbox", mbox(*(samples.postfix(mail) for mail in publication.mails().values())))
    publication("bounces", "process", box)
    assert publication("suppressions", "approve", "1") == (0, "issue 1: 24 suppressed\n")
    assert len(publication.json("suppressions", "list")) == READERS


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('[smtp]\nreturn_path = "bounces"', "smtp.return_path: a plain address such as bounces@example.org"),
        ('[smtp]\nreturn_path = "a+b@example.org"', "smtp.return_path: a plain address"),
        ('[smtp]\nreturn_path = "<b@example.org>\\r\\nRSET"', "smtp.return_path: a plain address"),
        (f'[smtp]\nreturn_path = "{"b" * 32}@example.org"', "smtp.return_path: at most 31 characters"),
        ('[bounces]\nhost = "imap.example.org"\nsecurity = "none"', 'bounces: security = "none" is for'),
        ('[bounces]\nhost = "imap.example.org"', "bounces: username and password (or password_file) are needed"),
        ('[bounces]\nhost = "h"\nusername = "ü"\npassword = "x"', "bounces: username and password must be plain"),
        ('[bounces]\nfolder = "Zurück"', "bounces.folder: "),
        ('[bounces]\ninterval = "0s"', "bounces.interval: a second at least"),
        ('[bounces]\nhook_secret = "short"', "bounces.hook_secret: at least 32 characters"),
        ('[bounces]\nhook_secret_file = "nowhere"', "bounces.hook_secret_file: cannot read"),
        ('[bounces]\npop3 = "x"', "bounces.pop3: unknown key"),
    ],
)
def test_settings_that_make_no_sense_are_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], line: str, words: str
) -> None:
    (tmp_path / "config.toml").write_text(line)
    made = Publication(tmp_path, capfd)
    assert made("status")[0] == 2
    assert words in made.err
