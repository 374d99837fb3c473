"""What a newsletter's mail says of the newsletter, in headers that programs read."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_samples import DAILY, LONG_URL

from publisher.mail.mailing_list import MailingList, unsubscribe_line

HELP = "https://news.example.org/subscribe"


def told(mailing_list: MailingList, domain: str = "example.org") -> dict[str, str]:
    """Returns the headers by name."""
    return dict(line.decode("ascii").split(": ", 1) for line in mailing_list.lines(domain))


def test_a_newsletter_says_what_it_is_and_that_nobody_writes_to_it() -> None:
    assert told(replace(DAILY, help_url=HELP, owner="mailto:desk@example.org")) == {
        "List-Id": '"Daily digest" <daily.example.org>',
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Post": "NO",
        "Precedence": "bulk",
        "Feedback-ID": told(DAILY)["Feedback-ID"],
        "List-Help": f"<{HELP}>",
        "List-Owner": "<mailto:desk@example.org>",
    }


@pytest.mark.parametrize(
    ("title", "header"),
    [
        ("Daily", '"Daily" <daily.example.org>'),
        ("Günlük", "<daily.example.org>"),
        ('a "b"', "<daily.example.org>"),
        ("a\\", "<daily.example.org>"),
        ("=?utf-8?q?x?=", "<daily.example.org>"),
        ("x" * 300, "<daily.example.org>"),
        ("", "<daily.example.org>"),
    ],
)
def test_list_id_needs_no_encoded_word(title: str, header: str) -> None:
    assert told(MailingList(id="daily", title=title))["List-Id"] == header


def test_feedback_id_tells_newsletters_and_senders_apart_and_nobody_else() -> None:
    newsletter, sender = told(DAILY)["Feedback-ID"].split(":")
    assert newsletter == "daily"
    assert 5 <= len(sender) <= 15
    assert told(DAILY, "EXAMPLE.org")["Feedback-ID"] == f"daily:{sender}"
    assert told(replace(DAILY, id="weekly"))["Feedback-ID"] == f"weekly:{sender}"
    assert told(DAILY, "example.com")["Feedback-ID"].split(":")[1] != sender


@pytest.mark.parametrize(
    "owner",
    [
        "",
        "desk@example.org",
        "mailto:a@b.org>\r\nBcc: x@y.org",
        "mailto:ä@b.org",
        "https://x.org/ y",
        "mailto:" + "x" * 900,
    ],
)
def test_what_is_no_uri_is_left_out(owner: str) -> None:
    assert "List-Owner" not in told(replace(DAILY, owner=owner))


@given(title=st.text(), owner=st.text(), help_url=st.text())
def test_no_text_makes_more_than_a_line(title: str, owner: str, help_url: str) -> None:
    for line in MailingList(id="daily", title=title, owner=owner, help_url=help_url).lines("example.org"):
        assert re.fullmatch(rb"[A-Za-z-]+: [!-~]+(?: [!-~]+)*", line)
        assert b"=?" not in line
        assert len(line) <= 998


def test_the_way_out_is_one_line_however_long() -> None:
    assert unsubscribe_line(LONG_URL) == f"List-Unsubscribe: <{LONG_URL}>".encode()


MAILTO = "mailto:leave@example.org?subject=unsubscribe%20v1.abcdef"
LONGEST = "https://x.org/" + "x" * 886
ROOM = 998 - len(f"List-Unsubscribe: <{LONGEST}>, <{MAILTO}>")


@pytest.mark.parametrize(
    ("url", "mailto", "rest"),
    [
        ("https://x.org/", MAILTO, f", <{MAILTO}>"),
        ("https://x.org/", None, ""),
        ("https://x.org/", "https://second.example/", ""),
        ("https://x.org/", "mailto:a@b.org>\r\nBcc: <c@d.org", ""),
        (LONGEST, MAILTO + "x" * ROOM, f", <{MAILTO}{'x' * ROOM}>"),
        (LONGEST, MAILTO + "x" * (ROOM + 1), ""),
    ],
)
def test_the_way_out_by_mail_stands_second_and_never_in_the_way(url: str, mailto: str | None, rest: str) -> None:
    line = unsubscribe_line(url, mailto)
    assert line == f"List-Unsubscribe: <{url}>{rest}".encode()
    assert len(line) <= 998


@pytest.mark.parametrize(
    "url", ["", "mailto:x@example.org", "https://x.org/>,<mailto:y@z.org", "https://x.org/" + "x" * 900]
)
def test_what_cannot_be_posted_to_is_no_way_out(url: str) -> None:
    with pytest.raises(ValueError, match="List-Unsubscribe"):
        unsubscribe_line(url)
