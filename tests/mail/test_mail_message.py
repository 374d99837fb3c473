"""Messages: prepared once, filled per reader, read back by the standard library."""

import re
from dataclasses import replace
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import compat32, default
from email.utils import parseaddr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mail_samples import DAILY, LONG_URL, MAIL, SENDER, personal

from publisher.mail.encoding import one_line
from publisher.mail.mailing_list import MailingList
from publisher.mail.message import Prepared, Sender, fill, message_id, prepare
from publisher.model.issue import MailText
from publisher.model.personal import MARKERS

LIST_HEADERS = {"List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Post", "Precedence", "Feedback-ID"}
HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "MIME-Version",
    "Content-Type",
}


def digest(mail: MailText = MAIL) -> Prepared:
    """Returns a newsletter's mail."""
    return prepare(mail, sender=SENDER, mailing_list=DAILY)


def parsed(octets: bytes) -> EmailMessage:
    """Returns the message as the standard library reads it, without defects."""
    message = message_from_bytes(octets, policy=default)
    assert not message.defects
    assert not [defect for part in message.walk() for defect in part.defects]
    assert isinstance(message, EmailMessage)
    return message


def read_mailbox(octets: bytes, header: str) -> tuple[str, str]:
    """Returns name and address; by the older reader, as the newer one of some Pythons parts adjacent encoded words."""
    raw = str(message_from_bytes(octets, policy=compat32)[header]).replace("\r\n", "")
    phrase, address = parseaddr(raw)
    return str(make_header(decode_header(phrase))), address


def body(message: EmailMessage, subtype: str) -> str:
    """Returns the text of one part."""
    part = message.get_body((subtype,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_a_digest_has_exactly_these_headers() -> None:
    message = parsed(fill(digest(), personal()))
    assert sorted(message.keys()) == sorted(HEADERS | LIST_HEADERS)
    assert message["From"] == "Example News Flow <news@example.org>"
    assert message["To"] == "Ayşe <ayse@example.com>"
    assert message["Subject"] == "Ağaç and others"
    assert message["Date"] == "Wed, 04 Mar 2026 06:30:05 +0000"
    assert message["List-Id"] == '"Daily digest" <daily.example.org>'
    assert message["Precedence"] == "bulk"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Post"] == "NO"


def test_list_unsubscribe_is_one_line_however_long_the_address() -> None:
    octets = fill(digest(), personal())
    assert f"\r\nList-Unsubscribe: <{LONG_URL}>\r\n".encode() in octets
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in octets


def test_service_mail_has_no_list_headers() -> None:
    message = parsed(fill(prepare(MAIL, sender=SENDER), personal()))
    assert sorted(message.keys()) == sorted(HEADERS)


def test_text_comes_first_and_both_parts_say_what_was_written() -> None:
    message = parsed(fill(digest(), personal()))
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert [part.get_content_charset() for part in message.iter_parts()] == ["utf-8", "utf-8"]
    assert body(message, "plain") == f"Dear Ayşe,\n\n.dot line\n{LONG_URL}\nFrom here on\n"
    assert body(message, "html") == (
        f'<p>Dear Ayşe,</p>\n<p>.dot</p>\n<a href="{LONG_URL}">leave</a>\n' + "<p>" + "long " * 60 + "</p>\n"
    )


def test_values_are_escaped_in_html_only() -> None:
    message = parsed(fill(digest(), personal(name='<b onclick="x">&', url="https://news.example.org/u?a=1&b=2")))
    assert 'Dear <b onclick="x">&,\n' in body(message, "plain")
    assert "Dear &lt;b onclick=&quot;x&quot;&gt;&amp;," in body(message, "html")
    assert "a=1&amp;b=2" in body(message, "html")


def test_no_line_of_a_body_starts_with_a_dot_or_passes_76() -> None:
    octets = fill(digest(), personal())
    head, _, rest = octets.partition(b"\r\n\r\n")
    assert all(len(line) <= 76 and not line.startswith(b".") for line in rest.split(b"\r\n"))
    assert all(len(line) <= 998 for line in head.split(b"\r\n"))


def test_the_same_mail_is_the_same_bytes() -> None:
    assert fill(digest(), personal()) == fill(digest(), personal())


def test_the_boundary_depends_on_the_words_alone() -> None:
    boundary = parsed(fill(digest(), personal())).get_boundary()
    assert parsed(fill(prepare(MAIL, sender=SENDER), personal())).get_boundary() == boundary
    assert parsed(fill(digest(replace(MAIL, text="other")), personal())).get_boundary() != boundary


def test_a_personal_subject_is_filled() -> None:
    mail = replace(MAIL, subject=f"For {MARKERS['name']}")
    assert parsed(fill(digest(mail), personal()))["Subject"] == "For Ayşe"


def test_a_value_that_there_is_not_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="shoe_size"):
        digest(replace(MAIL, text="\ue000shoe_size\ue001"))


def test_a_newsletter_without_its_way_out_is_not_sent() -> None:
    with pytest.raises(ValueError, match="List-Unsubscribe"):
        fill(digest(), personal(url=None))


@pytest.mark.parametrize(
    "url", ["https://x.org/>\r\nBcc: a@b.org", "https://x.org/ b", "javascript:x", "https://x.org/ä"]
)
def test_an_address_that_would_break_the_header_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="List-Unsubscribe"):
        fill(digest(), personal(url=url))


@pytest.mark.parametrize(
    "end", ["\r\nBcc: x@example.org", "\nBcc: x@example.org", "\rBcc: x@example.org", "\0", "y" * 998]
)
def test_what_would_break_the_head_is_refused(end: str) -> None:
    with pytest.raises(ValueError, match="headers"):
        fill(digest(), replace(personal(), message_id="<a@b>" + end))


def test_message_ids_are_stable_and_distinct() -> None:
    key = b"k" * 32
    assert message_id(key, 7, 11, "example.org") == message_id(key, 7, 11, "example.org")
    ids = {message_id(key, issue, person, "example.org") for issue in range(5) for person in range(200)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"<i\d+\.[a-z2-7]{26}@example\.org>", identity) for identity in ids)
    assert message_id(b"x" * 32, 7, 11, "example.org") not in ids


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("Example News <news@example.org>", "Example News", "news@example.org"),
        ('"News, the" <news@example.org>', "News, the", "news@example.org"),
        ("news@example.org", "", "news@example.org"),
        ("Haber <haber@örnek.example>", "Haber", "haber@xn--rnek-4qa.example"),
    ],
)
def test_senders(text: str, name: str, address: str) -> None:
    assert Sender.parse(text) == Sender(name=name, address=address)


@pytest.mark.parametrize(
    ("domain", "aligned"),
    [
        ("mail.example.org", True),
        ("example.org", True),
        ("news.mail.example.org", True),
        ("other.example.org", False),
        ("ample.org", False),
        ("example.com", False),
    ],
)
def test_whose_signature_speaks_for_a_sender(domain: str, aligned: bool) -> None:
    assert Sender(name="", address="news@Mail.Example.org").is_aligned_with(domain) is aligned


@pytest.mark.parametrize("text", ["", "news", "<news@example.org", "News <a@b.org> x", "News <a b@example.org>"])
def test_what_is_no_sender_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="sender"):
        Sender.parse(text)


UNICODE = st.text(max_size=120)
LOCAL = st.text("abcXYZ019!#$%&'*+/=^_`{|}~.-", min_size=1, max_size=40)


@given(subject=UNICODE, name=UNICODE, title=UNICODE, sender=UNICODE, local=LOCAL, text=UNICODE)
@settings(max_examples=300)
def test_no_text_can_add_a_header_or_break_a_line(
    subject: str, name: str, title: str, sender: str, local: str, text: str
) -> None:
    mail = replace(MAIL, subject=subject, text=text + MARKERS["name"] + text, html=text + MARKERS["name"])
    mailing_list = MailingList(id="daily", title=title)
    try:
        prepared = prepare(mail, sender=Sender(name=sender, address="n@example.org"), mailing_list=mailing_list)
    except ValueError:
        assert "\ue000" in subject + text  # a marker of the reader's own making is refused, not sent
        return
    octets = fill(prepared, personal(name=name, address=f"{local}@example.com"))
    assert octets.count(b"\n") == octets.count(b"\r") == octets.count(b"\r\n")
    assert b"\0" not in octets
    assert octets.isascii()
    head, _, rest = octets.partition(b"\r\n\r\n")
    assert all(len(line) <= 998 for line in head.split(b"\r\n"))
    assert all(len(line) <= 76 for line in rest.split(b"\r\n"))
    message = parsed(octets)
    assert sorted(message.keys()) == sorted(HEADERS | LIST_HEADERS)
    assert read_mailbox(octets, "To") == (one_line(name), f"{local}@example.com")
    assert read_mailbox(octets, "From") == (one_line(sender), "n@example.org")
    if "\ue000" not in subject and "\ue001" not in subject:
        assert message["Subject"] == one_line(subject)


def test_mail_without_html_is_text_alone() -> None:
    """For readers who want it so; every line is as legal as in any other mail."""
    raw = fill(digest(replace(MAIL, html="")), personal())
    read = message_from_bytes(raw, policy=default)

    assert (read.get_content_type(), read["Content-Transfer-Encoding"]) == ("text/plain", "quoted-printable")
    assert read.get_content().startswith("Dear Ayşe,\r\n\r\n.dot line\r\n")
    assert LONG_URL in read.get_content()
    assert raw.endswith(b"\r\n")
    assert max(map(len, raw.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 76
