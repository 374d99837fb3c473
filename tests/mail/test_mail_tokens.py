"""Signed tokens."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.mail.tokens import Links, ReadToken, Tokens, UnsubscribeToken, hash_of

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
TOKENS = Tokens(KEY)
NEWSLETTERS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,78}[a-z0-9])?", fullmatch=True)


@given(st.integers(1, 2**63 - 1), NEWSLETTERS)
def test_unsubscribe_token_says_who_and_what(subscriber: int, newsletter: str) -> None:
    token = TOKENS.unsubscribe(subscriber, newsletter)
    assert TOKENS.read_unsubscribe(token) == UnsubscribeToken(subscriber, newsletter)
    assert re.fullmatch(r"v1\.[0-9a-f]{6}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}", token)


def test_reading_token_opens_one_issue_for_one_reader_and_nothing_else() -> None:
    token = TOKENS.read(5, 17)

    assert TOKENS.read_read(token) == ReadToken(issue=5, subscriber=17)
    assert TOKENS.read(17, 5) != token
    assert TOKENS.read_read(TOKENS.preferences(17)) is None
    assert TOKENS.read_unsubscribe(token) is None
    assert Tokens(OTHER_KEY).read_read(token) is None
    assert Links("https://news.example.org", TOKENS).read_url(5, 17) == f"https://news.example.org/read/{token}/"


def test_tokens_are_the_same_on_every_machine_and_day() -> None:
    """Links in mails of years ago still work: the form of a token never changes."""
    assert TOKENS.unsubscribe(17, "daily") == Tokens(KEY).unsubscribe(17, "daily")
    assert Tokens(OTHER_KEY).unsubscribe(17, "daily") != TOKENS.unsubscribe(17, "daily")


def test_numbers_are_read_back() -> None:
    assert TOKENS.read_confirm(TOKENS.confirm(5)) == 5
    assert TOKENS.read_preferences(TOKENS.preferences(6)) == 6


def test_no_token_is_valid_for_another_purpose() -> None:
    made = {
        "unsubscribe": TOKENS.unsubscribe(7, "daily"),
        "confirm": TOKENS.confirm(7),
        "preferences": TOKENS.preferences(7),
        "feed": TOKENS.feed(7, 1),
    }
    readers = {
        "unsubscribe": TOKENS.read_unsubscribe,
        "confirm": TOKENS.read_confirm,
        "preferences": TOKENS.read_preferences,
    }
    for reads, read in readers.items():
        for purpose, token in made.items():
            assert (read(token) is not None) == (reads == purpose), (reads, purpose)


@given(st.text(max_size=120))
def test_what_we_did_not_sign_is_nothing(token: str) -> None:
    for read in (TOKENS.read_unsubscribe, TOKENS.read_confirm, TOKENS.read_preferences):
        assert read(token) is None


@given(st.integers(0, 200), st.characters(codec="ascii", categories=["L", "N"]))
def test_a_changed_character_ends_a_token(position: int, other: str) -> None:
    token = TOKENS.unsubscribe(17, "daily")
    position %= len(token)
    forged = token[:position] + other + token[position + 1 :]
    assert (TOKENS.read_unsubscribe(forged) is None) == (forged != token)


def test_claim_of_one_token_does_not_fit_the_signature_of_another() -> None:
    mine, theirs = TOKENS.unsubscribe(1, "daily").split("."), TOKENS.unsubscribe(2, "daily").split(".")
    assert TOKENS.read_unsubscribe(".".join([*theirs[:3], mine[3]])) is None


def test_token_of_another_key_is_nothing_until_the_key_is_named_as_previous() -> None:
    token = Tokens(OTHER_KEY).unsubscribe(1, "daily")
    assert TOKENS.read_unsubscribe(token) is None
    assert Tokens(KEY, previous=[OTHER_KEY]).read_unsubscribe(token) == UnsubscribeToken(1, "daily")
    assert Tokens(KEY, previous=[OTHER_KEY]).unsubscribe(1, "daily") == TOKENS.unsubscribe(1, "daily")


def test_feed_tokens_are_long_url_safe_and_different_in_every_generation() -> None:
    tokens = {TOKENS.feed(subscriber, generation) for subscriber in range(1, 20) for generation in range(1, 20)}
    assert len(tokens) == 19 * 19
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in tokens)
    assert len(base64.urlsafe_b64decode(TOKENS.feed(1, 1) + "=")) * 8 >= 192


def test_store_keeps_only_a_hash_of_a_feed_token() -> None:
    assert TOKENS.feed_hash(3, 2) == hash_of(TOKENS.feed(3, 2))
    assert re.fullmatch("[0-9a-f]{64}", TOKENS.feed_hash(3, 2))


def test_address_hash_needs_the_key() -> None:
    assert TOKENS.address_hash("ada@example.org") != Tokens(OTHER_KEY).address_hash("ada@example.org")
    assert "ada" not in TOKENS.address_hash("ada@example.org")


def test_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Tokens(b"short")


def test_links_lead_to_our_site() -> None:
    links = Links("https://news.example.org/", TOKENS)
    assert links.unsubscribe_url(1, "daily") == f"https://news.example.org/unsubscribe/{TOKENS.unsubscribe(1, 'daily')}"
    assert links.preferences_url(1) == f"https://news.example.org/preferences/{TOKENS.preferences(1)}"
    assert links.confirm_url(4) == f"https://news.example.org/confirm/{TOKENS.confirm(4)}"
    assert links.feed_url(1, 2) == f"https://news.example.org/u/{TOKENS.feed(1, 2)}/"
    assert max(map(len, [links.unsubscribe_url(10**9, "n" * 80)])) < 300
