"""The look of a publication: colours for light and dark, a logo, fonts; the same in mails and on pages."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """The colours of one scheme, each `#rrggbb`."""

    canvas: str
    """What a mail's sheet lies on."""
    paper: str
    tint: str
    """Behind boxes and the foot."""
    wash: str
    """Behind the subscription notice."""
    ink: str
    soft: str
    """Of dates, credits and captions."""
    hair: str
    """Of thin rules."""
    accent: str
    """Of links, section names and buttons."""
    on_accent: str
    alert: str


LIGHT = Palette(
    canvas="#eceae5",
    paper="#ffffff",
    tint="#f4f2ed",
    wash="#e7f0f1",
    ink="#17191c",
    soft="#565d66",
    hair="#d9d6cf",
    accent="#0b5060",
    on_accent="#ffffff",
    alert="#b3261e",
)
DARK = Palette(
    canvas="#0b0d0e",
    paper="#131618",
    tint="#1d2124",
    wash="#17323a",
    ink="#eae8e3",
    soft="#a5acb4",
    hair="#353b41",
    accent="#7fc6d4",
    on_accent="#0e1113",
    alert="#ff9288",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logo:
    """The picture that stands for the title; addresses are absolute, or paths below the site's root."""

    src: str
    dark: str = ""
    """What takes its place on a dark ground; empty: the same."""
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """Everything that `[theme]` says."""

    light: Palette = LIGHT
    dark: Palette = DARK
    logo: Logo | None = None
    headline_font: str = ""
    """A CSS font stack; empty, as those below: the packaged one."""
    text_font: str = ""
    label_font: str = ""

    @property
    def is_own(self) -> bool:
        """Returns whether anything but the logo differs from the packaged look."""
        return (self.light, self.dark) != (LIGHT, DARK) or any((self.headline_font, self.text_font, self.label_font))


_PAIRS = (
    ("ink", "paper"),
    ("ink", "tint"),
    ("ink", "wash"),
    ("soft", "paper"),
    ("soft", "tint"),
    ("accent", "paper"),
    ("accent", "tint"),
    ("accent", "wash"),
    ("on_accent", "accent"),
    ("alert", "paper"),
    ("alert", "tint"),
)
"""Which colour stands on which, in mails and on pages."""
ENOUGH = 4.5
"""The least contrast of text (WCAG 2.2, 1.4.3)."""


def contrast(one: str, other: str) -> float:
    """Returns the contrast ratio of two colours `#rrggbb`, from 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def faint(theme: Theme) -> list[str]:
    """Returns what cannot be read well, one sentence for each pair of colours, with its key and its ratio."""
    return [
        f"theme.{scheme}.{text} {getattr(palette, text)} on {ground} {getattr(palette, ground)}: "
        f"the contrast is {contrast(getattr(palette, text), getattr(palette, ground)):.2f}, and {ENOUGH} is needed"
        for scheme, palette in _schemes(theme).items()
        for text, ground in _PAIRS
        if contrast(getattr(palette, text), getattr(palette, ground)) < ENOUGH
    ]


def _schemes(theme: Theme) -> Mapping[str, Palette]:
    return {"light": theme.light, "dark": theme.dark}


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(share: float) -> float:
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
