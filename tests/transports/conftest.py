"""What tests of transports share: a certificate authority of our own, and which servers of others there are."""

import os
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from mail_servers import DOVECOT
from mtas import EXIM, POSTFIX, SINK

collect_ignore: list[str] = []
if not SINK.exists():
    collect_ignore.append("test_smtp_sink.py")
if os.geteuid() != 0 or not POSTFIX.exists() or not EXIM.exists():
    collect_ignore.append("test_mtas.py")
if os.geteuid() != 0 or not DOVECOT.exists():
    collect_ignore.append("test_mailbox.py")


def pytest_report_header() -> list[str]:
    """Says what is left out, and how it is not."""
    return [f"{name} is left out: it needs root and what .ci/run installs" for name in collect_ignore]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate authority and a certificate for `localhost`, made now."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "san").write_text("subjectAltName=DNS:localhost\nauthorityKeyIdentifier=keyid\n")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    may_sign = ["-addext", "keyUsage=critical,keyCertSign"]  # from Python 3.13 on an authority has to say so
    subject = ["-subj", "/CN=test authority", "-days", "2"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", *subject, *may_sign)
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    openssl(
        "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
        "-out", "server.pem", "-days", "2", "-extfile", "san",
    )  # fmt: skip
    openssl(
        "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
        "-out", "expired.pem", "-days", "0", "-extfile", "san",
    )  # fmt: skip
    time.sleep(1.1)  # it was good for no second
    return folder


@pytest.fixture
def server_tls(authority: Path) -> ssl.SSLContext:
    """What a relay with that certificate uses."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem", authority / "server.key")
    return context


@pytest.fixture
def trust(authority: Path) -> ssl.SSLContext:
    """What a client that trusts the authority uses."""
    return ssl.create_default_context(cafile=str(authority / "ca.pem"))
