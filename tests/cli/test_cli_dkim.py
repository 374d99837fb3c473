"""`publisher dkim` as a user calls it: a key, its record, and mail that is signed with it."""

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from publisher.cli import main
from signatures import is_believed, tags

CONFIG = """
[site]
title = "Example"
url = "https://news.example.org"
[[newsletters]]
id = "weekly"
title = "Weekly"
[smtp]
sender = "Example <news@mail.example.org>"
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Commands set up logging for their process; here it must not outlive the test."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def publisher(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in a publication; returns its exit code, what it answered and what it said."""
    (tmp_path / "articles").mkdir()
    (tmp_path / "articles" / "one.md").write_text("---\ntitle: One\ndate: 2026-01-05\n---\nIt begins so.\n")
    (tmp_path / "config.toml").write_text(CONFIG)

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["-C", str(tmp_path), *arguments])
        said = capfd.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def result(run: Run, *arguments: str) -> Any:
    """Returns what a command that is done answers with `--json`."""
    code, out, err = run("--json", *arguments)
    assert code == 0, err
    return json.loads(out)


def mails(folder: Path) -> list[bytes]:
    """Returns what the sandbox caught, oldest first, without the lines that it adds."""
    found = [path.read_bytes() for path in sorted((folder / "var" / "inbox").glob("*.eml"))]
    return [octets.split(b"\r\n", 2)[2] for octets in found]


def test_from_nothing_to_signed_mail(publisher: Run, tmp_path: Path) -> None:
    send = ("send", "weekly", "--to", "ada@example.com")
    assert publisher("build")[0] == publisher(*send)[0] == 0
    made = result(publisher, "dkim", "new")
    assert (made["domain"], made["selector"], made["bits"]) == ("mail.example.org", "publisher", 2048)
    assert made["record"]["name"] == "publisher._domainkey.mail.example.org"
    assert max(map(len, made["record"]["strings"])) <= 255
    assert stat.S_IMODE((tmp_path / "var" / "dkim.pem").stat().st_mode) == 0o600
    assert not made["configured"]

    (tmp_path / "config.toml").write_text(CONFIG + made["config"])
    shown = result(publisher, "dkim", "show")
    assert shown == {**made, "configured": True}
    assert publisher(*send)[0] == 0
    plain, signed = mails(tmp_path)
    assert b"DKIM-Signature" not in plain
    assert tags(signed)["d"] == "mail.example.org"
    assert is_believed(signed, shown["record"]["name"], "".join(shown["record"]["strings"]))
    code, preview, _ = publisher("preview", "weekly", "--format", "eml")
    assert code == 0
    assert "DKIM-Signature: v=1;" in preview


def test_the_text_says_what_to_do_next(publisher: Run, tmp_path: Path) -> None:
    _, out, _ = publisher("dkim", "new")
    assert "publisher._domainkey.mail.example.org. IN TXT (" in out
    assert '[dkim]\ndomain = "mail.example.org"\nselector = "publisher"\nkey_file = "var/dkim.pem"' in out
    assert "PRIVATE" not in out
    (tmp_path / "config.toml").write_text(CONFIG + out[out.index("[dkim]") :])
    _, out, _ = publisher("dkim", "show")
    assert "config.toml names this key" in out


def test_a_key_is_never_overwritten_unasked(publisher: Run, tmp_path: Path) -> None:
    first = result(publisher, "dkim", "new")
    kept = (tmp_path / "var" / "dkim.pem").read_bytes()
    code, out, err = publisher("dkim", "new")
    assert (code, out) == (2, "")
    assert "--replace" in err
    assert (tmp_path / "var" / "dkim.pem").read_bytes() == kept
    second = result(publisher, "dkim", "new", "--replace")
    assert second["record"]["value"] != first["record"]["value"]
    assert [path.name for path in (tmp_path / "var").iterdir() if "dkim" in path.name] == ["dkim.pem"]


def test_a_second_key_beside_the_first(publisher: Run, tmp_path: Path) -> None:
    """To change keys without a gap: the new one is published before it signs."""
    made = result(publisher, "dkim", "new")
    (tmp_path / "config.toml").write_text(CONFIG + made["config"])
    kept = (tmp_path / "var" / "dkim.pem").read_bytes()
    other = result(
        publisher, "dkim", "new", "--selector", "next", "--key-file", "keys/next.pem", "--domain", "example.org"
    )
    assert other["record"]["name"] == "next._domainkey.example.org"
    assert 'key_file = "keys/next.pem"' in other["config"]
    assert not other["configured"]
    assert (tmp_path / "var" / "dkim.pem").read_bytes() == kept
    (tmp_path / "config.toml").write_text(CONFIG + other["config"])
    assert result(publisher, "dkim", "show")["record"] == other["record"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("new", "--domain", "example.com"), "does not speak for smtp.sender"),
        (("new", "--domain", "example"), "domain: a domain"),
        (("new", "--selector", "a b"), "selector: a name"),
        (("new", "--key-file", "public/dkim.pem"), "key_file: this folder"),
        (("new", "--key-file", "config.toml/x.pem"), "cannot write"),
        (("show",), "publisher dkim new"),
    ],
)
def test_what_cannot_be_is_said(publisher: Run, tmp_path: Path, arguments: tuple[str, ...], why: str) -> None:
    code, out, err = publisher("dkim", *arguments)
    assert (code, out) == (2, "")
    assert why in err
    assert not list(tmp_path.rglob("*.pem"))


def test_a_sender_that_is_nobodys_gets_no_key(publisher: Run, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG.replace("mail.example.org", "localhost"))
    code, _, err = publisher("dkim", "new")
    assert code == 2
    assert "smtp.sender" in err


@pytest.mark.parametrize(
    ("pem", "why"),
    [
        (None, "there is no"),
        (b"nonsense", "no private key"),
        (
            rsa.generate_private_key(public_exponent=65537, key_size=1024).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            "1024 bits",
        ),
    ],
    ids=["missing", "nonsense", "small"],
)
@pytest.mark.parametrize("command", [("build",), ("send", "weekly", "--to", "ada@example.com"), ("dkim", "show")])
def test_a_key_that_cannot_sign_stops_before_anything_goes_out_unsigned(
    publisher: Run, tmp_path: Path, pem: bytes | None, why: str, command: tuple[str, ...]
) -> None:
    (tmp_path / "config.toml").write_text(CONFIG + '[dkim]\ndomain = "example.org"\nselector = "news"\n')
    if pem is not None:
        (tmp_path / "var").mkdir()
        (tmp_path / "var" / "dkim.pem").write_bytes(pem)
    code, _, err = publisher(*command)
    assert code == 2
    assert err.startswith("publisher: dkim.key_file: ")
    assert why in err


def test_an_unreadable_key_is_named(publisher: Run, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG + '[dkim]\ndomain = "example.org"\nselector = "news"\n')
    (tmp_path / "var" / "dkim.pem").mkdir(parents=True)
    code, _, err = publisher("build")
    assert code == 2
    assert "dkim.key_file: cannot read" in err
