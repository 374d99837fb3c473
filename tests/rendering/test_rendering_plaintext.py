"""Text for mail: short lines, whole addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.rendering.plaintext import WIDTH, one_line, shortened, told, wrapped


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a b c d", ["a b", "c d"]),
        ("* aa bb cc", ["* aa", "  bb", "  cc"]),
        ("12. aa bb", ["12. aa", "    bb"]),
        ("https://example.org/long", ["https://example.org/long"]),
        ("one-two", ["one-two"]),
        ("> aa bb", ["> aa", "> bb"]),
        ("> > a bb", ["> > a", "> > bb"]),
        ("[1] aa bb", ["[1] aa", "    bb"]),
        ("\n\na\n\n\n\n\nb\n\n", ["a", "", "b"]),
        ("a   ", ["a"]),
    ],
)
def test_lines_break_between_words_under_their_bullets(text: str, lines: list[str]) -> None:
    width = 6 if text.startswith(("*", "1", ">", "[")) else 4

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


def test_a_storys_text_is_told_as_one_would_read_it() -> None:
    """Headings stand out; addresses come after the words, each once, and names of links lose nothing."""
    text = (
        "See the text (https://example.org/a) and again (https://example.org/a).\n\nA fund\n\n"
        "Write to us (desk@example.org), or look (https://example.org/b).\n\nA fund (so called) is it."
    )

    assert told(text, {"A fund"}, str.upper) == (
        "See the text [1] and again [1].\n\n\nA FUND\n\n"
        "Write to us (desk@example.org), or look [2].\n\nA fund (so called) is it.\n\n"
        "[1] https://example.org/a\n[2] https://example.org/b"
    )


def test_a_heading_without_capitals_is_underlined() -> None:
    assert told("صندوق\n\nنص", {"صندوق"}, str.upper) == "\nصندوق\n-----\n\nنص"


def test_a_text_without_links_and_headings_is_as_it_was() -> None:
    assert told("One.\n\n    code (https://example.org)", set(), str.upper).startswith("One.\n\n    code [1]")
