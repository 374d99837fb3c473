"""Reports as servers write them, and as nobody should: what they say, and that reading them never fails otherwise."""

import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import report_samples as samples
from publisher.errors import ReportError
from publisher.mail.bounces import (
    enhanced_in,
    is_storm,
    is_worn_out,
    meaning_of,
    meaning_of_feedback,
)
from publisher.mail.reports import LARGEST, read_report
from publisher.model.report import Meaning, Recipient, Report, ReportKind
from report_samples import Mail

MAIL = Mail()
UNKNOWN_USER = "smtp; 550 5.1.1 <ada@example.org>: unknown"


@pytest.mark.parametrize(
    ("raw", "meaning"),
    [
        (samples.postfix(MAIL), Meaning.HARD),
        (samples.postfix(MAIL, "5.1.1", UNKNOWN_USER, returned="message/rfc822"), Meaning.HARD),
        (samples.postfix(MAIL, "5.2.2", "smtp; 552 5.2.2 over quota"), Meaning.SOFT),
        (samples.postfix(MAIL, "4.2.2", "smtp; 452 4.2.2 mailbox full"), Meaning.SOFT),
        (samples.postfix(MAIL, "4.4.1", "x-postfix; connect: timed out"), Meaning.SOFT),
        (samples.postfix(MAIL, "5.7.1", "smtp; 550 5.7.1 blocked"), Meaning.POLICY),
        (samples.postfix(MAIL, "5.4.4", "x-postfix; host not found"), Meaning.POLICY),
        (samples.postfix(MAIL, "4.4.1", "x-postfix; connect: timed out", action="delayed"), Meaning.NOTHING),
        (samples.postfix(MAIL, "2.0.0", "smtp; 250 ok", action="delivered"), Meaning.NOTHING),
        (samples.exim(MAIL, "smtp; 550 5.1.1 no such user"), Meaning.HARD),
        (samples.exim(MAIL, "smtp; 452 4.2.2 mailbox is full"), Meaning.SOFT),
        (samples.exim(MAIL, "smtp; 550 user unknown"), Meaning.SOFT),
        (samples.exchange(MAIL), Meaning.HARD),
        (samples.exchange(MAIL, "5.7.133", "sender not allowed"), Meaning.POLICY),
        (samples.exchange(MAIL, "5.2.2", "mailbox full"), Meaning.SOFT),
        (samples.gmail(MAIL, "550-5.1.1 The account that you tried to reach\n550 5.1.1 does not exist"), Meaning.HARD),
        (samples.gmail(MAIL, "550-5.7.26 This mail is\n550 5.7.26 unauthenticated"), Meaning.POLICY),
        (samples.gmail(MAIL, "552 5.2.2 The mailbox is out of space"), Meaning.SOFT),
        (samples.qmail(MAIL), Meaning.HARD),
        (samples.qmail(MAIL, "This message was in the queue too long. (#4.4.7)"), Meaning.SOFT),
        (samples.qmail(MAIL, "Some words without a number."), Meaning.NOTHING),
        (samples.internationalised(MAIL), Meaning.HARD),
    ],
)  # fmt: skip
def test_each_server_s_way_of_saying_it(raw: bytes, meaning: Meaning) -> None:
    """Who it is about, what came of it, and everything a proof may hang on."""
    report = read_report(raw)
    assert report.kind is ReportKind.BOUNCE
    (recipient,) = report.recipients
    assert meaning_of(recipient) is meaning, recipient
    assert MAIL.recipient in recipient.addresses
    assert any("bounces+token@wire.example" in envelope for envelope in report.envelopes)
    assert report.message_ids == (MAIL.message_id,)
    assert report.readers == (MAIL.recipient,)


def test_several_recipients_are_told_apart() -> None:
    groups = [
        ("ada@example.org", "failed", "5.1.1"),
        ("bob@example.org", "delivered", "2.0.0"),
        ("c@x", "failed", "4.2.2"),
    ]
    report = read_report(samples.several(MAIL, groups))
    assert [meaning_of(each) for each in report.recipients] == [Meaning.HARD, Meaning.NOTHING, Meaning.SOFT]
    assert [each.addresses for each in report.recipients] == [("ada@example.org",), ("bob@example.org",), ("c@x",)]
    assert report.envelopes.count(MAIL.return_path) == 1


def test_internationalised_addresses_are_undone() -> None:
    (recipient,) = read_report(samples.internationalised(MAIL)).recipients
    assert recipient.addresses == ("jörg@example.org", "ada@example.org")


def test_original_recipient_may_still_be_encoded() -> None:
    raw = samples.postfix(Mail(recipient="ada+2Bnews@example.org"))
    assert "ada+news@example.org" in read_report(raw).recipients[0].addresses


@pytest.mark.parametrize(
    ("kind", "meaning"),
    [
        ("abuse", Meaning.COMPLAINT),
        ("Fraud", Meaning.COMPLAINT),
        ("not-spam", Meaning.NOTHING),
        ("auth-failure", Meaning.POLICY),
        ("virus", Meaning.POLICY),
    ],
)
def test_complaints(kind: str, meaning: Meaning) -> None:
    report = read_report(samples.feedback(MAIL, kind))
    assert report.kind is ReportKind.COMPLAINT
    assert meaning_of_feedback(report.feedback) is meaning
    assert report.recipients[0].addresses == (MAIL.recipient,)
    assert f"<{MAIL.return_path}>" in report.envelopes


def test_a_complaint_that_hides_the_reader_still_has_the_unsubscribe_link() -> None:
    mail = Mail(unsubscribe_url="https://wire.example/unsubscribe/v1.abc.def-_.ghi")
    report = read_report(samples.feedback(mail, redacted=True))
    assert report.unsubscribe == ("v1.abc.def-_.ghi",)
    assert report.recipients == (Recipient(),)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (samples.vacation, ReportKind.REPLY),
        (samples.old_vacation, ReportKind.REPLY),
        (samples.receipt, ReportKind.REPLY),
        (samples.letter, ReportKind.OTHER),
        (samples.forwarded, ReportKind.OTHER),
    ],
)
def test_what_is_no_report_says_nothing(make: Callable[[Mail], bytes], kind: ReportKind) -> None:
    report = read_report(make(MAIL))
    assert (report.kind, report.recipients) == (kind, ())


def _recipient(status: str, diagnostic: str = "") -> Recipient:
    return Recipient(action="failed", status=status, diagnostic=diagnostic)


@pytest.mark.parametrize(
    ("status", "diagnostic", "meaning"),
    [
        ("5.1.1", "", Meaning.HARD),
        ("5.1.2", "", Meaning.HARD),
        ("5.1.3", "", Meaning.HARD),
        ("5.1.6", "", Meaning.HARD),
        ("5.1.10", "", Meaning.HARD),
        ("5.2.1", "", Meaning.HARD),
        ("5.1.8", "", Meaning.SOFT),
        ("5.2.2", "", Meaning.SOFT),
        ("5.3.4", "", Meaning.SOFT),
        ("5.3.0", "", Meaning.POLICY),
        ("5.4.1", "smtp; 550 5.4.1 access denied", Meaning.POLICY),
        ("5.6.0", "", Meaning.POLICY),
        ("5.7.515", "", Meaning.POLICY),
        ("4.7.1", "smtp; 450 4.7.1 greylisted", Meaning.SOFT),
        ("5.0.0", "", Meaning.SOFT),
        ("5.0.0", "smtp; 554 message looks like spam", Meaning.POLICY),
        ("5.0.0", "smtp; 552 too much", Meaning.POLICY),
        ("5.0.0", "smtp; 452 4.2.2 full", Meaning.SOFT),
        # The milder of two that disagree.
        ("5.1.1", "smtp; 550 5.7.1 no", Meaning.POLICY),
        ("5.1.1", "smtp; 450 4.2.0 later", Meaning.SOFT),
        ("5.1.1", "smtp; 450 later", Meaning.SOFT),
        ("4.0.0", "smtp; 550 5.1.1 nobody", Meaning.SOFT),
        ("2.1.5", "", Meaning.NOTHING),
        ("", "", Meaning.NOTHING),
        ("", "the user is unknown to us", Meaning.NOTHING),
        ("", "smtp; 550 5.1.1 nobody", Meaning.HARD),
        ("nonsense", "from 5.1.1.1 to 15.1.1", Meaning.NOTHING),
    ],
)
def test_codes_decide_and_words_do_not(status: str, diagnostic: str, meaning: Meaning) -> None:
    assert meaning_of(_recipient(status, diagnostic)) is meaning


@pytest.mark.parametrize("action", ["", "delayed", "delivered", "relayed", "expanded", "exploded"])
def test_only_failed_counts(action: str) -> None:
    assert meaning_of(Recipient(action=action, status="5.1.1")) is Meaning.NOTHING


@pytest.mark.parametrize(
    ("text", "code"),
    [("(#5.1.1)", "5.1.1"), ("550-5.7.26 x", "5.7.26"), ("192.5.1.1", ""), ("5.1.1.2", ""), ("5.1.10.", "5.1.10")],
)
def test_a_code_is_not_found_in_an_address_of_the_network(text: str, code: str) -> None:
    assert enhanced_in(text) == code


def test_soft_bounces_wear_out_only_many_over_weeks() -> None:
    from datetime import UTC, datetime, timedelta

    now = datetime(2026, 6, 1, tzinfo=UTC)
    days = {
        "ten in three weeks": (range(0, 30, 3), True),
        "nine": (range(0, 27, 3), False),
        "ten within a fortnight": (range(10), False),
        "ten, the first of them too long ago": ([*range(0, 27, 3), 91], False),
        "none": ([], False),
    }
    for name, (ago, worn_out) in days.items():
        assert is_worn_out([now - timedelta(days=day) for day in ago], now) is worn_out, name


@pytest.mark.parametrize(
    ("hard", "recipients", "storm"),
    [
        (1, 1, False),
        (10, 10, False),
        (11, 10, True),
        (11, 220, False),
        (11, 219, True),
        (51, 1000, True),
        (50, 1000, False),
    ],
)
def test_a_storm_is_more_than_ten_and_than_a_twentieth(hard: int, recipients: int, storm: bool) -> None:
    assert is_storm(hard, recipients) is storm


# Hostile ------------------------------------------------------------------------------------------------------------


def _nested(levels: int) -> bytes:
    opening = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level) for level in range(levels)
    )
    return b"From: a@b\r\n" + opening + b"Content-Type: text/plain\r\n\r\nx\r\n"


def _status(fields: bytes, boundary: bytes = b"x") -> bytes:
    return (
        b'From: a@b\r\nContent-Type: multipart/report; boundary="' + boundary + b'"\r\n\r\n--' + boundary
        + b"\r\nContent-Type: message/delivery-status\r\n\r\n" + fields + b"\r\n--" + boundary + b"--\r\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n\r\n",
        b"\0" * 1000,
        b"x" * (LARGEST + 1),
        _nested(500),
        b"From: a\r\nContent-Type: multipart/x" + b";a" * 400_000 + b"\r\n\r\nx",
        b"From: a\r\nContent-Type: multipart/x" + b";\r\n a" * 400_000 + b"\r\n\r\nx",
    ],
    ids=["empty", "blank", "nuls", "large", "deep", "parameters", "folded parameters"],
)
def test_what_cannot_be_read_is_refused_at_once(raw: bytes) -> None:
    began = time.process_time()
    with pytest.raises(ReportError):
        read_report(raw)
    assert time.process_time() - began < 60


@pytest.mark.parametrize(
    "raw",
    [
        _nested(20),
        _status(b"Final-Recipient: rfc822; a@b\r\n\r\n" * 20_000),
        _status(b"A:" + b" x\r\n" * 300_000),
        _status(b"Final-Recipient: rfc822; " + b"<" * 200_000 + b"\r\nAction: failed\r\n"),
        _status(b"Diagnostic-Code: smtp; " + b"5.1." * 200_000),
        _status(b"Final-Recipient: utf-8; " + rb"\x{D800}\x{FFFFFF}\x{41}" * 1000),
        _status(b"\xff\xfe: \x80\r\n" * 5000),
        _status(b"x", b"a" * 900),
        b"Content-Type: multipart/report; boundary=\r\n\r\n--\r\nContent-Type: message/delivery-status\r\n\r\n",
        b"Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: base64\r\n\r\n====",
        b"To: " + b"a@b, " * 200_000 + b"\r\n\r\nx",
        b"X: y\r\n" * 300_000 + b"\r\n",
        b"From: a\r\n\r\nHi. This is the " + b"\n\n<a@b>:\nx" * 100_000,
    ],
    ids=range(13),
)
def test_crafted_messages_are_read_or_refused_before_long(raw: bytes) -> None:
    began = time.process_time()
    try:
        report = read_report(raw)
    except ReportError:
        pass
    else:
        assert isinstance(report, Report)
        assert len(report.recipients) <= 100
    assert time.process_time() - began < 60


_WHOLE = [
    samples.postfix(MAIL), samples.exim(MAIL, UNKNOWN_USER), samples.exchange(MAIL), samples.qmail(MAIL),
    samples.internationalised(MAIL), samples.feedback(MAIL), samples.forwarded(MAIL), samples.receipt(MAIL),
]  # fmt: skip
_PIECES = [
    b"\r\n", b"\r", b"\n\n", b"\0", b"\xff", b"=?utf-8?q?=00?=", b"Content-Type: message/delivery-status\r\n\r\n",
    b"Content-Type: multipart/digest; boundary*0*=utf-8''x\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n",
    b'boundary="', b"--4X7.1772/mx.example.org\r\n", b": ", b"\\x{110000}", b"+", b";", b"<", b"Subject: =?x?b?*?=\r\n",
]  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(_WHOLE),
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 40), st.one_of(st.sampled_from(_PIECES), st.binary(max_size=30))),
        max_size=8,
    ),
)
def test_whatever_is_done_to_a_report_it_is_read_or_refused(raw: bytes, cuts: list[tuple[float, int, bytes]]) -> None:
    """Pieces cut out and others put in, anywhere; judging what is left never fails either."""
    for place, length, piece in cuts:
        at = int(place * len(raw))
        raw = raw[:at] + piece + raw[at + length :]
    try:
        report = read_report(raw)
    except ReportError:
        return
    for recipient in report.recipients:
        assert meaning_of(recipient) in Meaning
    assert all(len(text) <= 2000 for text in (*report.envelopes, *report.message_ids))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000))
def test_any_octets_are_read_or_refused(raw: bytes) -> None:
    try:
        report = read_report(raw)
    except ReportError:
        return
    assert report.kind in ReportKind
