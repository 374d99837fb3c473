"""Every label that a template asks for exists in every language we speak."""

import re

import pytest

from publisher.content.story import CORRECTION_KINDS
from publisher.languages.catalogues import languages, messages
from publisher.starter import packaged_templates

PROBLEMS = {"problem_address", "problem_choice", "problem_form"}
RHYTHMS = {f"rhythm_{name}" for name in ("instant", "daily", "weekly", "monthly", "regular")}
WEEKDAYS = {f"weekday_{day}" for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
BUILT = {"urgency_1", "urgency_2", *CORRECTION_KINDS, *PROBLEMS, *RHYTHMS, *WEEKDAYS}
"""Keys that no template spells out."""


def asked() -> dict[str, set[str]]:
    """Returns each key that the templates ask for, with the values they give it."""
    found: dict[str, set[str]] = {}
    for path in packaged_templates().rglob("*.*"):
        text = re.sub(r"{#.*?#}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for key, values in re.findall(r'\bt\("(\w+)"((?:,(?:[^()]|\([^()]*\))*)?)\)', text):
            found.setdefault(key, set()).update(re.findall(r"(\w+)=", values))
    return found


@pytest.mark.parametrize("language", languages())
def test_every_label_exists_and_gets_the_values_it_names(language: str) -> None:
    texts = messages(language)
    missing = sorted((asked().keys() | BUILT) - texts.keys())
    unfilled = {
        key: names - given
        for key, given in asked().items()
        for text in ([texts[key]] if isinstance(texts.get(key), str) else dict(texts.get(key, {})).values())
        if (names := set(re.findall(r"{(\w+)}", text))) - given
    }

    assert missing == []
    assert unfilled == {}


def test_templates_are_found() -> None:
    assert len(asked()) > 60
