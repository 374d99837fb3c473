"""Which addresses are taken, and which are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.mail.addresses import AddressError, parse_address


@pytest.mark.parametrize(
    ("text", "mailbox", "key"),
    [
        ("ada@example.org", "ada@example.org", "ada@example.org"),
        ("  Ada.Lovelace@Example.ORG\t", "Ada.Lovelace@example.org", "ada.lovelace@example.org"),
        ("ada+news@example.org", "ada+news@example.org", "ada+news@example.org"),
        ("o'brien@example.org", "o'brien@example.org", "o'brien@example.org"),
        ("ada@münchen.example", "ada@xn--mnchen-3ya.example", "ada@xn--mnchen-3ya.example"),
        ("ada@xn--mnchen-3ya.example", "ada@xn--mnchen-3ya.example", "ada@xn--mnchen-3ya.example"),
        ("ada@ＥＸＡＭＰＬＥ.org", "ada@example.org", "ada@example.org"),
        ("ada@lab.test", "ada@lab.test", "ada@lab.test"),
    ],
)
def test_address_is_taken(text: str, mailbox: str, key: str) -> None:
    address = parse_address(text)
    assert (address.mailbox, address.key) == (mailbox, key)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is needed"),
        ("   ", "is needed"),
        ("ada", "@-sign"),
        ("ada@example", "period"),
        ("ada@@example.org", "invalid"),
        ('"ada x"@example.org', "Quoting"),
        ('"x@evil.example"@example.org', "Quoting"),
        ("ada@[192.0.2.1]", "bracketed"),
        ("@a.example,@b.example:ada@example.org", "not an email address"),
        ("ada(comment)@example.org", "invalid"),
        ("Ada <ada@example.org>", "angle brackets"),
        ("ada..x@example.org", "periods"),
        ("-oQ/tmp@example.org", "safely"),
        ("=?utf-8?q?ada?=@example.org", "safely"),
        ("%00@example.org", "safely"),
        ("ada%victim.example@example.org", "safely"),
        ("jörg@example.org", "outside of a-z"),
        ("ada@example.org\r\nRCPT TO:<x@example.org>", "not an email address"),
        ("ada\n@example.org", "not an email address"),
        ("ada\x00@example.org", "not an email address"),
        ("ada@example.org\u2028", "not an email address"),
        ("a" * 65 + "@example.org", "too long"),
        ("a@" + "b" * 260 + ".org", "254"),
        ("ada@localhost", "period"),
        ("ada@example.invalid", "reserved"),
    ],
)
def test_address_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(AddressError, match=why) as raised:
        parse_address(text)
    assert str(raised.value).isprintable()


@given(st.text(max_size=300) | st.emails())
def test_whatever_is_taken_is_safe_in_an_envelope(text: str) -> None:
    """RFC 5321 dot-atom and host name: nothing in it can end a command or a header."""
    try:
        mailbox = parse_address(text).mailbox
    except AddressError:
        return
    assert mailbox.isascii()
    assert mailbox.isprintable()
    assert mailbox.count("@") == 1
    assert not set(mailbox) & set(' <>()[]\\,;:"\r\n')
    assert len(mailbox) <= 254
    assert parse_address(mailbox).mailbox == mailbox
    assert parse_address(mailbox.upper()).key == parse_address(mailbox).key
