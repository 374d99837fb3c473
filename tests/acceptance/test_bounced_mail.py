"""A real Postfix accepts, defers, refuses and bounces; its reports suppress the right people."""

import json
import re
import subprocess
from pathlib import Path

import pytest

import report_samples as samples
from acceptance.running import eventually, publisher, running
from mail_servers import PASSWORD, Postfix, dovecot, postfix
from ports import free_port
from report_samples import Mail

CONFIG = """
[site]
title = "Test Wire"
url = "https://wire.example"
[[newsletters]]
id = "daily"
title = "Daily digest"
schedule = "daily 07:00"
[smtp]
host = "127.0.0.1"
port = {port}
security = "none"
sender = "Test Wire <news@reports.test>"
return_path = "bounces@reports.test"
hostname = "wire.example"
sandbox = false
[delivery]
retry_after = "1s"
"""
PEOPLE = ("ada", "nobody", "ghost", "full", "late", "grey")


def test_a_real_server_s_reports_reach_the_right_people(tmp_path: Path) -> None:
    """Unknown at RCPT, unknown later, full, full until it gives up, put off once, and simply delivered."""
    kept = {"ada@example.test": "ada/", "grey@example.test": "grey/", "bounces@reports.test": "bounces/"}
    other = {"full@example.test": "error:5.2.2 the mailbox is full", "late@example.test": "retry:4.2.2 full for now"}
    refused = {"nobody@example.test": "550 5.1.1 there is nobody of that name"}
    with postfix(maildirs=kept, transports=other, refused=refused) as relay:
        relay.greylisted.add("grey@example.test")
        folder = _publication(tmp_path / "wire", relay.port)
        _send(folder, relay)
        eventually(lambda: len(relay.mails("bounces")) == 3, f"three reports\n{relay.log}")
        assert len(relay.mails("ada")) == len(relay.mails("grey")) == 1
        reports = relay.maildir("bounces")
        first, again = (_process(folder, reports) for _ in range(2))
        marked = _process(folder, _with_nothing_but_the_envelope_id(relay, tmp_path / "marked"))
    found = {each["address"]: (each["meaning"], each["effect"], each["status"]) for each in first}
    assert found == {
        "ghost@example.test": ("hard", "suppressed", "5.1.1"),
        "full@example.test": ("soft", "recorded", "5.2.2"),
        "late@example.test": ("soft", "recorded", "4.2.2"),
    }
    assert {each["effect"] for each in again} == {"repeated"}
    assert {each["address"]: each["effect"] for each in marked} == dict.fromkeys(found, "repeated")
    listed = json.loads(publisher("suppressions", "list", "--json", folder=folder).stdout)
    assert {each["address"]: each["reason"] for each in listed} == {
        "nobody@example.test": "bounce",
        "ghost@example.test": "bounce",
    }
    status = publisher("status", folder=folder).stdout
    assert "reports    1 hard, 2 soft" in status
    _survives_erasure(folder, tmp_path)


def _publication(folder: Path, port: int) -> Path:
    (folder / "articles").mkdir(parents=True)
    (folder / "config.toml").write_text(CONFIG.format(port=port))
    roster = folder / "people.csv"
    roster.write_text("".join(["email,consent\n", *(f"{name}@example.test,paper form\n" for name in PEOPLE)]))
    publisher("subscribers", "import", str(roster), folder=folder)
    publisher("build", folder=folder)
    (folder / "articles" / "harbour.md").write_text("---\ntitle: Harbour\n---\nThe harbour is open.\n")
    return folder


def _send(folder: Path, relay: Postfix) -> None:
    """Sends until the one that was put off has come again."""
    done = publisher("send", "daily", "--yes", "--json", folder=folder, check=False)
    told = json.loads(done.stdout)
    assert (told["planned"], told["accepted"], told["deferred"], told["rejected"]) == (6, 4, 1, 1), relay.log
    assert relay.put_off == ["grey@example.test"]

    def accepted() -> bool:
        publisher("send", "daily", "--yes", "--json", folder=folder, check=False)
        return len(relay.mails("grey")) == 1

    eventually(accepted, f"the greylisted mail\n{relay.log}")


def _process(folder: Path, reports: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(
        publisher("bounces", "process", str(reports), "--json", folder=folder).stdout
    )
    return found


def _with_nothing_but_the_envelope_id(relay: Postfix, folder: Path) -> Path:
    """The same reports as they would be for mail without a signed return path, from a relay that offers DSN."""
    folder.mkdir()
    for number, raw in enumerate(relay.mails("bounces")):
        assert b"The harbour is open" not in raw  # we ask for the headers only
        raw = re.sub(rb"\+[a-z2-7]{32}@", b"@", raw)
        raw = re.sub(rb"(?im)^(message-id|to|list-unsubscribe): .*\n", b"", raw)
        assert len(re.findall(rb"[a-z2-7]{32}", raw)) == 1
        (folder / f"{number}.eml").write_bytes(raw)
    return folder


def _survives_erasure(folder: Path, tmp_path: Path) -> None:
    """Neither erasing somebody nor importing them again opens a dead address."""
    publisher("subscribers", "erase", "ghost@example.test", folder=folder)
    roster = tmp_path / "people.csv"
    roster.write_text("email,consent\nghost@example.test,paper form\nnobody@example.test,paper form\n")
    done = publisher("subscribers", "import", str(roster), "--json", folder=folder, check=False)
    assert json.loads(done.stdout)["added"] == 0
    reasons = [each["reason"] for each in json.loads(done.stdout)["left_alone"]]
    assert reasons == ["suppressed (bounce)"] * 2


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    names = ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost", "-days", "2"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *names]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    return tmp_path / "cert.pem", tmp_path / "key.pem"


def test_the_service_reads_its_mailbox_and_survives_without_it(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    """Nobody listens at first: `status` says so, the service works on. Then the mailbox is there, with a complaint."""
    plain, tls = free_port(), free_port()
    folder = _publication(tmp_path / "wire", 25)
    mailbox = {
        "PUBLISHER_SMTP__SANDBOX": "true",
        "PUBLISHER_BOUNCES__HOST": "127.0.0.1",
        "PUBLISHER_BOUNCES__PORT": str(plain),
        "PUBLISHER_BOUNCES__SECURITY": "none",
        "PUBLISHER_BOUNCES__USERNAME": "reports@wire.example",
        "PUBLISHER_BOUNCES__PASSWORD": PASSWORD,
        "PUBLISHER_BOUNCES__INTERVAL": "1s",
    }
    publisher("send", "daily", folder=folder, **mailbox)
    with running(folder, **mailbox) as service:
        (mail,) = service.mails("ada@example.test")
        path = str(mail["Return-Path"]).strip("<>")
        complaint = samples.feedback(Mail(return_path=path, recipient="ada@example.test"))

        def status() -> str:
            return publisher("status", folder=folder, **mailbox).stdout

        eventually(lambda: "reports    the mailbox for reports cannot be read" in status(), "the trouble")
        assert service.get("/readyz").status == 200
        with dovecot(certificate, (plain, tls)) as server:
            server.deliver("reports@wire.example", complaint)
            eventually(lambda: "reports    1 complaint" in status(), "the complaint")
            assert server.seen("reports@wire.example") == 1
        assert "ada@example.test" in publisher("suppressions", "list", folder=folder, **mailbox).stdout
        assert service.stop() == 0
