"""What tests of transports share: a certificate authority of our own, and which servers of others there are."""

import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

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
    """A certificate authority and certificates for `localhost`, one of them no longer good, made now."""
    folder = tmp_path_factory.mktemp("tls")
    own, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root, server = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, who)]) for who in ("test authority", "localhost")
    )
    signs = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    now = datetime.now(UTC)

    def certificate(name: str, subject: x509.Name, public: ec.EllipticCurvePublicKey, ends: timedelta) -> None:
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(root).public_key(public)
        made = made.serial_number(x509.random_serial_number())
        made = made.not_valid_before(now - timedelta(days=2)).not_valid_after(now + ends)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(own.public_key())
        made = made.add_extension(issuer, critical=False)
        if subject == root:
            made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            made = made.add_extension(signs, critical=True)  # from Python 3.13 on an authority has to say so
        else:
            made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        (folder / name).write_bytes(made.sign(own, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    certificate("ca.pem", root, own.public_key(), timedelta(days=2))
    certificate("server.pem", server, key.public_key(), timedelta(days=2))
    certificate("expired.pem", server, key.public_key(), -timedelta(days=1))
    (folder / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
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
