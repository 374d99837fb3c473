"""Colours that can be read, and those that cannot."""

from dataclasses import replace

import pytest

from publisher.model.theme import DARK, LIGHT, Logo, Theme, contrast, faint


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#777777", "#ffffff", 4.48),
        ("#767676", "#ffffff", 4.54),
        ("#0b5060", "#0b5060", 1.0),
    ],
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert contrast(other, one) == contrast(one, other)


def test_the_packaged_colours_can_be_read_in_both_schemes() -> None:
    assert faint(Theme()) == []


def test_every_faint_pair_is_named_with_its_key_and_its_ratio() -> None:
    said = faint(Theme(dark=replace(DARK, ink="#444444"), light=replace(LIGHT, alert="#ff9999")))

    assert [text.split(" on ")[0] for text in said] == ["theme.light.alert #ff9999"] * 2 + [
        "theme.dark.ink #444444"
    ] * 3
    assert said[0] == "theme.light.alert #ff9999 on paper #ffffff: the contrast is 2.05, and 4.5 is needed"


def test_a_logo_alone_changes_no_colour() -> None:
    assert not Theme(logo=Logo(src="/logo.png", width=200, height=40)).is_own
    assert Theme(text_font="Georgia").is_own
