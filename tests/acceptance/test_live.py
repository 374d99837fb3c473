"""Going live, with the installed command: nobody gets mail before the test mail was read and the count said."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.stage import CONFIG, OPENING, Stage, relay
from name_server import name_server

SANDBOXED = (
    CONFIG.replace("sandbox = false", "sandbox = true  # nothing leaves yet")
    .replace("wire.example", "wire.press")
    .replace('timezone = "Europe/Istanbul"', 'timezone = "Europe/Istanbul"\npostal_address = "1 Quay, Port Town"')
)
DNS = {
    ("wire.press", "TXT"): ['"v=spf1 include:relay.press -all"'],
    ("wire.press", "MX"): ["10 mx.wire.press."],
    ("_dmarc.wire.press", "TXT"): ['"v=DMARC1; p=none"'],
}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    mails = tmp_path / "mails"
    with relay(mails) as port:
        made = Stage(tmp_path / "wire", SANDBOXED, port, mails)
        made.write("opening.md", OPENING)
        yield made


@pytest.fixture
def server() -> Iterator[str]:
    with name_server(DNS) as port:
        yield f"127.0.0.1#{port}"


def test_from_the_sandbox_to_real_people(stage: Stage, server: str) -> None:
    """Each step is asked for, none can be skipped, and only the last one opens the door."""
    stage.reader("ada@reader.press", "", "weekly")
    stage.reader("bora@reader.press", "", "weekly")
    live = ["live", "--nameserver", server, "--json"]

    told = json.loads(stage.command(*live, exits=1))
    assert "address" in told["next"][0]
    verdicts = {finding["about"]: finding["verdict"] for finding in told["findings"]}
    assert (verdicts["smtp"], verdicts["dns.spf"], verdicts["dns.dmarc"]) == ("ok", "ok", "ok")
    assert verdicts["address"] == "failed"

    live += ["--despite", "address"]  # this machine only: a test has no other
    assert "--to" in json.loads(stage.command(*live, exits=1))["next"][0]
    assert "--code" in json.loads(stage.command(*live, "--to", "editor@wire.press", exits=1))["next"][0]
    mail = stage.mail("editor@wire.press", "a test")
    assert mail.subject.startswith("[TEST]")
    found = re.search(r"^(\d{6})\r?$", mail.text, re.MULTILINE)
    assert found is not None
    wrong = f"{(int(found[1]) + 1) % 1_000_000:06}"
    assert "something else" in json.loads(stage.command(*live, "--code", wrong, exits=1))["next"][0]
    told = json.loads(stage.command(*live, "--code", found[1], exits=1))
    assert told["test"] == {"address": "editor@wire.press", "read": True}
    assert (told["recipients"], told["newsletters"]) == (2, {"weekly": 2})
    assert "not 3" in json.loads(stage.command(*live, "--recipients", "3", exits=1))["next"][0]
    assert "sandbox = true" in (stage.folder / "config.toml").read_text()
    assert json.loads(stage.command("status", "--json"))["sandbox"] is True

    told = json.loads(stage.command(*live, "--recipients", "2"))
    assert told["live"] is True
    assert (stage.folder / "config.toml").read_text() == SANDBOXED.replace("sandbox = true  #", "sandbox = false  #")
    assert json.loads(stage.command("status", "--json"))["sandbox"] is False
    assert json.loads(stage.command("live", "--nameserver", server, "--json", exits=1))["live"] is True
    assert {sent.recipient for sent in stage.attempts()} == {"editor@wire.press"}

    told = json.loads(stage.command("send", "weekly", "--since", "2026-08-01T00:00Z", "--json", exits=1))
    assert "first issue" in told["held"][0]


def test_what_config_cannot_do_outside_the_sandbox_is_said_first(stage: Stage, server: str) -> None:
    """A relay elsewhere without TLS, and a relay that is not there, end the walk with what to do."""
    config = stage.folder / "config.toml"
    config.write_text(SANDBOXED.replace("[smtp]", '[smtp]\nhost = "relay.press"'))
    done = stage.run("live", "--nameserver", server)
    assert done.returncode == 2
    assert "starttls" in done.stderr
    config.write_text(SANDBOXED)
    done = Stage.run(stage, "live", "--nameserver", "nonsense")
    assert done.returncode == 2
    assert "nonsense" in done.stderr


def test_the_doctor_finds_the_running_service_by_its_address(stage: Stage, server: str) -> None:
    """On this machine only it is not what readers reach; everything else is told beside it."""
    with stage.running():
        told = json.loads(stage.command("doctor", "--nameserver", server, "--json", exits=1))
    failed = [finding for finding in told["findings"] if finding["verdict"] == "failed"]
    assert [finding["about"] for finding in failed] == ["address"]
    assert all(finding["remedy"] for finding in failed)
