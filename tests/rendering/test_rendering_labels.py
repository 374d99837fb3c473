"""Every label that is asked for exists in every language we speak, and none is kept that nobody asks for."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import publisher
from publisher.content.story import CORRECTION_KINDS
from publisher.languages.catalogues import languages, messages
from publisher.starter import packaged_templates

BUILT = {"urgency_1", "urgency_2", *CORRECTION_KINDS, *(f"weekday_{day}" for day in ("mon", "tue", "wed", "sun"))}
"""Keys that are put together from parts."""
SPEAKERS = {"label", "say", "_say"}
"""What asks for a label in Python; `say` is a `label` that knows its language."""
SPEAKING = {"label", "ReaderPages"}
"""Whoever imports one of them asks for labels, or hands their keys to a template."""


def asked() -> dict[str, set[str]]:
    """Returns each key that the templates ask for, with the values they give it."""
    found: dict[str, set[str]] = {}
    for text in _templates():
        for call in re.finditer(r'\bt\("(\w+)"[,)]', text):
            found.setdefault(call[1], set()).update(re.findall(r"(\w+)=", _arguments(text[call.end() - 1 :])))
    return found


def _arguments(text: str) -> str:
    """Returns what stands before the parenthesis that ends a call."""
    depth = 1
    for at, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth == 0:
            return text[:at]
    raise AssertionError(f"a call without an end: {text[:80]}")


def called() -> set[str]:
    """Returns each key that Python asks for by its name."""
    return {
        constant.value
        for tree in _modules()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and _name(call.func) in SPEAKERS and call.args
        for constant in _outcomes(call.args[0])
    }


def mentioned() -> set[str]:
    """Returns the words that stand in modules that ask for labels: keys in tables are among them."""
    nodes = (node for tree in _modules() for node in ast.walk(tree))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def beginnings() -> set[str]:
    """Returns how the keys begin that are put together where they are asked for."""
    found = {start for text in _templates() for start in re.findall(r'\bt\("(\w+_)" ~', text)}
    joined = (node for tree in _modules() for node in ast.walk(tree) if isinstance(node, ast.JoinedStr))
    starts = (node.values[0] for node in joined)
    return found | {
        start.value for start in starts if isinstance(start, ast.Constant) and re.fullmatch(r"[a-z]+_", start.value)
    }


def _templates() -> Iterator[str]:
    for path in packaged_templates().rglob("*.*"):
        yield re.sub(r"{#.*?#}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def _modules() -> Iterator[ast.Module]:
    for path in Path(publisher.__path__[0]).rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
        if any(SPEAKING & {name.name for name in node.names} for node in imports):
            yield tree


def _name(function: ast.expr) -> str:
    return getattr(function, "id", None) or getattr(function, "attr", "")


def _outcomes(key: ast.expr) -> list[ast.Constant]:
    """Returns what an expression may come to, as far as it is written out."""
    branches = [key.body, key.orelse] if isinstance(key, ast.IfExp) else [key]
    return [one for one in branches if isinstance(one, ast.Constant)]


@pytest.mark.parametrize("language", languages())
def test_every_label_exists_and_gets_the_values_it_names(language: str) -> None:
    texts = messages(language)
    missing = sorted((asked().keys() | called() | BUILT) - texts.keys())
    unfilled = {
        key: names - given
        for key, given in asked().items()
        for text in ([texts[key]] if isinstance(texts.get(key), str) else dict(texts.get(key, {})).values())
        if (names := set(re.findall(r"{(\w+)}", text))) - given
    }

    assert missing == []
    assert unfilled == {}


@pytest.mark.parametrize("language", languages())
def test_no_label_is_kept_that_nobody_asks_for(language: str) -> None:
    """A label for what is no longer there would be translated again and again."""
    used = asked().keys() | mentioned() | BUILT
    starts = tuple(beginnings())

    assert sorted(key for key in messages(language).keys() - used if not key.startswith(starts)) == []


def test_labels_are_found() -> None:
    assert len(asked()) > 60
    assert {"unsubscribed_title", "licence_ended_title", "rhythm_daily"} <= called()
    assert {"writing_by", "advisory_kill_text"} <= mentioned()
    assert {"urgency_", "weekday_", "advisory_"} <= beginnings()
