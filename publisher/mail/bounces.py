"""What reports mean for a reader, and when that is enough to mail them no more.

A server's words are free text; only codes are judged. Where two codes in one
report disagree, the milder one counts: keeping a dead address costs little, and
taking a living one from the list costs a reader.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from publisher.mail.outcome import DEAD_ADDRESS
from publisher.model.report import Meaning, Recipient

SOFT_POINTS = 0.5
"""Of one soft bounce; an issue brings a reader one at most."""
WORN_OUT_POINTS = 5.0
SOFT_WINDOW = timedelta(days=90)
SOFT_SPAN = timedelta(days=21)
"""From the first to the last soft bounce at least: no holiday is that long in one go."""
STORM_BOUNCES = 10
STORM_SHARE = 0.05
"""More hard bounces of one issue than both are rather the work of a broken server."""
_MILDNESS = (Meaning.NOTHING, Meaning.POLICY, Meaning.SOFT, Meaning.HARD, Meaning.COMPLAINT)
_SOFT_ALTHOUGH_PERMANENT = frozenset({"5.2.2", "5.3.4"})
"""Mailbox full; message larger than that mailbox takes."""
_OURS_OR_THE_ROUTES = ("5.3.", "5.4.", "5.5.", "5.6.", "5.7.")
_ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_REPLY_CODE = re.compile(r"(?:^|;)\s*([245]\d\d)(?=[\s-]|$)")
_POLICY_REPLIES = ("552", "554")
"""Without an enhanced code they speak of the content more often than of the mailbox."""
_COMPLAINTS = ("abuse", "fraud")
_NO_COMPLAINTS = ("not-spam",)


def meaning_of(recipient: Recipient) -> Meaning:
    """Returns what a delivery report says of one recipient (RFC 3464 §2.3.3 to §2.3.6): only `failed` counts."""
    if recipient.action != "failed":
        return Meaning.NOTHING
    codes = _codes(recipient)
    said = [_meaning_of_code(code) for code in codes if not code.endswith(".0.0")]
    if not said:
        return _without_detail(codes, recipient.diagnostic)
    # `5.0.0` says nothing that a better code does not say; a 4 of any kind says that it may pass.
    return min([*said, *(Meaning.SOFT for code in codes if code.startswith("4"))], key=mildness)


def meaning_of_feedback(feedback: str) -> Meaning:
    """Returns what a feedback report says (RFC 5965 §3.5): a complaint, nothing, or something for the operator."""
    if feedback in _COMPLAINTS:
        return Meaning.COMPLAINT
    return Meaning.NOTHING if feedback in _NO_COMPLAINTS else Meaning.POLICY


def mildness(meaning: Meaning) -> int:
    """Returns by what meanings are compared, the mildest lowest."""
    return _MILDNESS.index(meaning)


def is_worn_out(bounced_at: Iterable[datetime], now: datetime) -> bool:
    """Returns whether soft bounces, one per issue by when it was sent, are enough to suppress."""
    counted = sorted(at for at in bounced_at if now - at <= SOFT_WINDOW)
    return len(counted) * SOFT_POINTS >= WORN_OUT_POINTS and counted[-1] - counted[0] >= SOFT_SPAN


def is_storm(hard: int, recipients: int) -> bool:
    """Returns whether so many hard bounces of one issue are more than is believed without asking."""
    return hard > max(STORM_BOUNCES, recipients * STORM_SHARE)


def enhanced_in(text: str) -> str:
    """Returns the first enhanced status code in a server's words, empty when there is none."""
    match = _ENHANCED.search(text)
    return match[1] if match else ""


def _codes(recipient: Recipient) -> list[str]:
    """The status field's, the diagnostic's own, and the class of the reply that the diagnostic begins with."""
    reply = _REPLY_CODE.search(recipient.diagnostic)
    found = [enhanced_in(recipient.status), enhanced_in(recipient.diagnostic), f"{reply[1][0]}.0.0" if reply else ""]
    return [code for code in found if code]


def _meaning_of_code(code: str) -> Meaning:
    if code.startswith("2"):
        return Meaning.NOTHING
    if code in DEAD_ADDRESS:
        return Meaning.HARD
    if code.startswith("5") and code.startswith(_OURS_OR_THE_ROUTES) and code not in _SOFT_ALTHOUGH_PERMANENT:
        return Meaning.POLICY
    return Meaning.SOFT


def _without_detail(codes: list[str], diagnostic: str) -> Meaning:
    reply = _REPLY_CODE.search(diagnostic)
    if reply is not None and reply[1] in _POLICY_REPLIES:
        return Meaning.POLICY
    return Meaning.SOFT if codes else Meaning.NOTHING
