"""The publication that the parser's tests are about."""

from pathlib import Path
from zoneinfo import ZoneInfo

from publisher.content import Rules, parse
from publisher.errors import RefusedError
from publisher.model.article import Access, Manuscript
from publisher.model.catalogue import Section
from publisher.model.text import Localized

FIXTURES = Path(__file__).parent / "fixtures"

SECTIONS = {
    "isles-north": Section(id="isles-north", title=Localized.of({"en": "Isles - North", "tr": "Adalar - Kuzey"})),
    "economy": Section(id="economy", title=Localized.of({"en": "Economy", "tr": "Ekonomi"})),
}

RULES = Rules(
    timezone=ZoneInfo("Europe/Istanbul"),
    language="en",
    languages=("en", "tr"),
    site_url="https://news.example.org",
    asset_path=lambda path: f"/media/k/{path}",
    sections=SECTIONS,
    products=frozenset({"isles"}),
    default_access=Access.SUMMARY,
)


def read(text: str, source: str = "story.md", rules: Rules = RULES) -> Manuscript:
    """Parses a text as the file `source`."""
    return parse(source, text.encode(), rules)


def refusal(text: str | bytes, source: str = "story.md", rules: Rules = RULES) -> tuple[int, str]:
    """Returns line and message with which a file is refused."""
    data = text if isinstance(text, bytes) else text.encode()
    try:
        parse(source, data, rules)
    except RefusedError as error:
        return error.line, error.message
    raise AssertionError("the file was taken")


def warnings(manuscript: Manuscript) -> list[tuple[int, str]]:
    """Returns (line, message) of every warning."""
    return [(problem.line, problem.message) for problem in manuscript.warnings]
