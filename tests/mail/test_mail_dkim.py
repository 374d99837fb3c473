"""Signatures: believed by dkimpy, broken by any change that a reader could see."""

import base64
import hashlib
import re
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from mail_samples import AT, DAILY, MAIL, SENDER, personal

from publisher.mail.dkim import new_key, read_key, record, relaxed_body, relaxed_header
from publisher.mail.mailing_list import MailingList
from publisher.mail.message import Prepared, Sender, fill, prepare
from publisher.model.issue import MailText
from publisher.model.personal import MARKERS
from signatures import KEY, SIGNER, is_verified, tags


def signed(mail: MailText = MAIL, mailing_list: MailingList | None = DAILY) -> Prepared:
    """Returns a mail that gets signed."""
    return prepare(mail, sender=SENDER, mailing_list=mailing_list, signer=SIGNER)


@pytest.mark.parametrize(
    ("line", "relaxed"),
    [
        (b"A: X ", b"a:X\r\n"),  # RFC 6376 §3.4.5
        (b"B : Y\t\r\n\tZ  ", b"b:Y Z\r\n"),
        (b"Subject: ", b"subject:\r\n"),
        (b"To: =?utf-8?b?QQ==?=\r\n <a@b.org>", b"to:=?utf-8?b?QQ==?= <a@b.org>\r\n"),
    ],
)
def test_relaxed_headers(line: bytes, relaxed: bytes) -> None:
    assert relaxed_header(line) == relaxed


@pytest.mark.parametrize(
    ("lines", "relaxed"),
    [
        (b" C \r\nD \t E\r\n", b" C\r\nD E\r\n"),  # RFC 6376 §3.4.5
        (b"\r\n\t\r\nx\r\n", b"\r\n\r\nx\r\n"),
        (b"   indented=20=\r\n", b" indented=20=\r\n"),
    ],
)
def test_relaxed_bodies(lines: bytes, relaxed: bytes) -> None:
    assert relaxed_body(lines) == relaxed


def test_a_signature_says_how_and_what_it_signs() -> None:
    octets = fill(signed(), personal())
    told = tags(octets)
    assert {key: told[key] for key in "vacds"} == {
        "v": "1",
        "a": "rsa-sha256",
        "c": "relaxed/relaxed",
        "d": "example.org",
        "s": "news",
    }
    assert told["t"] == str(int(AT.timestamp()))
    assert "l" not in told
    head, _, body = octets.partition(b"\r\n\r\n")
    assert head.startswith(b"DKIM-Signature: ")
    assert told["bh"] == base64.b64encode(hashlib.sha256(relaxed_body(body)).digest()).decode()
    assert all(len(line) <= 78 for line in head.split(b"\r\nFrom: ")[0].split(b"\r\n"))


def test_what_is_signed_and_what_must_not_be_added() -> None:
    names = tags(fill(signed(), personal()))["h"].split(":")
    once = ["message-id", "mime-version", "list-id", "list-post", "feedback-id"]
    twice = ["from", "to", "subject", "date", "content-type", "list-unsubscribe", "list-unsubscribe-post"]
    absent = ["cc", "reply-to"]
    assert sorted(names) == sorted([*once, *twice, *twice, *absent])


def test_list_help_and_owner_are_signed_where_they_are() -> None:
    told = replace(DAILY, help_url="https://news.example.org/subscribe", owner="mailto:desk@example.org")
    octets = fill(signed(mailing_list=told), personal())
    assert {"list-help", "list-owner"} <= set(tags(octets)["h"].split(":"))
    assert is_verified(octets)


@pytest.mark.parametrize(
    "mail",
    [
        MAIL,
        replace(MAIL, subject=f"For {MARKERS['name']}"),
        replace(MAIL, subject="", text="", html=""),
        replace(MAIL, text=".\n..\n. x\n\n\n", html="<p>\n  two  spaces \t \n\n"),
        replace(MAIL, text=f"{MARKERS['name']}{MARKERS['address']}", html=MARKERS["name"]),
    ],
    ids=["digest", "personal subject", "empty", "dots and spaces", "values only"],
)
def test_dkimpy_believes_it(mail: MailText) -> None:
    assert is_verified(fill(signed(mail), personal(name="Ayşe  <b>  =20 ")))
    assert is_verified(fill(signed(mail, mailing_list=None), personal(name="")))


UNICODE = st.text(st.characters(exclude_characters="\ue000\ue001"), max_size=150)


@given(subject=UNICODE, name=UNICODE, sender=UNICODE, title=UNICODE, text=UNICODE)
@settings(max_examples=60, deadline=None)
def test_dkimpy_believes_whatever_is_written(subject: str, name: str, sender: str, title: str, text: str) -> None:
    mail = replace(MAIL, subject=subject, text=f"{text} {MARKERS['name']}\n{text}", html=f"{MARKERS['name']}  {text}")
    prepared = prepare(
        mail,
        sender=Sender(name=sender, address="news@example.org"),
        mailing_list=MailingList(id="daily", title=title),
        signer=SIGNER,
    )
    assert is_verified(fill(prepared, personal(name=name)))


@pytest.mark.parametrize(
    ("found", "changed"),
    [
        (b"Subject: ", b"Subject: Re: "),
        (b"\r\nDate: Wed", b"\r\nDate: Thu"),
        (b"ayse@example.com>", b"other@example.com>"),
        (b"List-Unsubscribe: <https://news", b"List-Unsubscribe: <https://evil"),
        (b"List-Unsubscribe=One-Click", b"List-Unsubscribe=Other"),
        (b"Message-ID: <i7", b"Message-ID: <i8"),
        (b"List-Id: ", b"List-Id: x "),
        (b"Dear=20", b"Bear=20"),
        (b"From: Example", b"From: Other <o@evil.example>\r\nFrom: Example"),
        (b"\r\nSubject: ", b"\r\nSubject: second\r\nSubject: "),
        (b"\r\nTo: ", b"\r\nTo: x@evil.example\r\nTo: "),
        (b"\r\nDate: ", b"\r\nDate: Thu, 05 Mar 2026 06:30:05 +0000\r\nDate: "),
        (b"\r\nTo: ", b"\r\nReply-To: x@evil.example\r\nTo: "),
        (b"\r\nTo: ", b"\r\nCc: x@evil.example\r\nTo: "),
        (b"\r\nTo: ", b"\r\nList-Unsubscribe: <https://evil.example/>\r\nTo: "),
        (b"\r\nTo: ", b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nTo: "),
        (b"\r\nContent-Type: multipart", b"\r\nContent-Type: text/plain\r\nContent-Type: multipart"),
    ],
)
def test_a_change_breaks_it(found: bytes, changed: bytes) -> None:
    octets = fill(signed(), personal())
    assert is_verified(octets)
    assert octets.count(found) >= 1
    assert not is_verified(octets.replace(found, changed, 1))


def test_a_body_that_grows_breaks_it() -> None:
    octets = fill(signed(), personal())
    assert not is_verified(octets + b"more\r\n")
    assert is_verified(octets + b"\r\n\r\n")  # empty lines at the end are nobody's message


@pytest.mark.parametrize(
    ("found", "changed"),
    [
        (b"From: Example", b"Received: from a by b\r\nFrom: Example"),
        (b"Precedence: bulk", b"Precedence: list"),
        (b"X-Auto-Response-Suppress: OOF, AutoReply", b"X-Auto-Response-Suppress: All"),
        (b"long long", b"long \tlong"),
    ],
)
def test_what_relays_do_leaves_it_whole(found: bytes, changed: bytes) -> None:
    octets = fill(signed(), personal())
    assert found in octets
    assert is_verified(octets.replace(found, changed, 1))


def test_another_key_is_not_believed() -> None:
    octets = fill(signed(), personal())
    assert not is_verified(octets, replace(SIGNER, key=read_key(new_key())))


def test_without_a_signer_nothing_is_signed() -> None:
    assert b"DKIM-Signature" not in fill(prepare(MAIL, sender=SENDER, mailing_list=DAILY), personal())


def test_the_record_holds_the_public_key_in_pieces_that_dns_takes() -> None:
    told = record("example.org", "news", KEY)
    assert told.name == "news._domainkey.example.org"
    assert "".join(told.strings) == told.value
    assert max(map(len, told.strings)) <= 255
    match = re.fullmatch(r"v=DKIM1; k=rsa; p=(\S+)", told.value)
    assert match is not None
    public = load_der_public_key(base64.b64decode(match[1]))
    assert isinstance(public, rsa.RSAPublicKey)
    assert public.public_numbers() == KEY.public_key().public_numbers()
    assert re.findall(r'"([^"]+)"', told.zone_lines) == told.strings


def pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, password: bytes | None = None) -> bytes:
    """Returns a key as a file holds it."""
    locked = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (b"", "no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key"),
        (pem(KEY, b"secret"), "password"),
        (pem(ed25519.Ed25519PrivateKey.generate()), "RSA"),
        (pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)), "1024 bits"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_with_the_reason(file: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_key(file)
