"""Text for mail: short lines, whole addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.rendering.plaintext import WIDTH, one_line, shortened, wrapped


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a b c d", ["a b", "c d"]),
        ("* aa bb cc", ["* aa", "  bb", "  cc"]),
        ("12. aa bb", ["12. aa", "    bb"]),
        ("https://example.org/long", ["https://example.org/long"]),
        ("one-two", ["one-two"]),
        ("\n\na\n\n\n\n\nb\n\n", ["a", "", "b"]),
        ("a   ", ["a"]),
    ],
)
def test_lines_break_between_words_under_their_bullets(text: str, lines: list[str]) -> None:
    width = 6 if text.startswith(("*", "1")) else 4

    assert wrapped(text, width) == "\n".join(lines) + "\n"


@given(st.text(alphabet="ab c\n*.-1", max_size=400))
def test_no_line_with_two_words_is_too_long_and_no_word_is_lost(text: str) -> None:
    result = wrapped(text, 20)

    assert all(len(line) <= 20 or len(line.split()) <= 2 for line in result.splitlines())
    assert result.split() == text.split()


def test_width_is_that_of_mail() -> None:
    """RFC 5322 §2.1.1 asks for 78 characters at most."""
    assert WIDTH == 78
    assert max(map(len, wrapped("word " * 200).splitlines())) <= 78


@pytest.mark.parametrize(
    ("text", "short"), [("a b", "a b"), ("aaa bbb ccc", "aaa…"), ("aaa, bbb ccc", "aaa…"), ("aaaaaaaaaaa", "aaaaaa…")]
)
def test_text_is_cut_between_words_where_it_can_be(text: str, short: str) -> None:
    assert shortened(text, 7) == short


def test_line_breaks_become_spaces() -> None:
    assert one_line(" a\n\tb\u2028c ") == "a b c"
