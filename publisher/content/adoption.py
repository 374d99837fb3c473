"""Moving in: which of our stories an older feed's entries are, and how a file says so."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from publisher.content import frontmatter, permalink
from publisher.content.entries import normal
from publisher.content.fields import ALIASES
from publisher.content.story import is_uri
from publisher.errors import RefusedError
from publisher.model.article import Article
from publisher.model.foreign import Adoption, ForeignEntry

_OPENING = re.compile(r"\A(?P<before>﻿?\s*?)(?P<fence>---|\+\+\+)[ \t]*\r?\n")


@dataclass(slots=True)
class Matches:
    """What was found."""

    adopted: list[Adoption] = field(default_factory=list)
    unknown: list[ForeignEntry] = field(default_factory=list)
    """Entries that are no story of ours."""
    doubtful: list[tuple[ForeignEntry, list[str]]] = field(default_factory=list)
    """Entries that could be one of several files."""


def match(entries: Iterable[ForeignEntry], articles: Sequence[Article]) -> Matches:
    """Returns which story each entry is: by its id, its address, the last part of that, or its title, in this order."""
    found = Matches()
    known: dict[str, list[ForeignEntry]] = defaultdict(list)
    by_source = {article.source: article for article in articles}
    index = [_by(articles, key) for key in _KEYS]
    for entry in entries:
        sources = _sources(entry, index)
        if len(sources) == 1:
            known[sources[0]].append(entry)
        elif sources:
            found.doubtful.append((entry, sources))
        else:
            found.unknown.append(entry)
    found.adopted = [_adoption(by_source[source], same) for source, same in sorted(known.items())]
    return found


def _names(article: Article) -> list[str]:
    return [article.id, *([article.guid] if article.guid else [])]


def _addresses(article: Article) -> list[str]:
    return [_plain(article.path), *map(_plain, article.aliases)]


_KEYS: tuple[Callable[[Article], list[str]], ...] = (
    _names,
    _addresses,
    lambda article: [article.slug.casefold()],
    lambda article: [_letters(article.title)],
)


def _by(articles: Iterable[Article], keys: Callable[[Article], list[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for article in articles:
        for key in filter(None, keys(article)):
            found[key].append(article.source)
    return found


def _sources(entry: ForeignEntry, index: Sequence[dict[str, list[str]]]) -> list[str]:
    path = urlsplit(entry.link).path
    last = unquote(path.rstrip("/").rsplit("/", 1)[-1]).rsplit(".", 1)[0].casefold()
    wanted = (entry.name, _plain(path) if path.strip("/") else "", last, _letters(entry.title))
    return next((sources for key, by in zip(wanted, index, strict=True) if key and (sources := by.get(key))), [])


def _adoption(article: Article, entries: Sequence[ForeignEntry]) -> Adoption:
    """Atom wants a URI and says it first; RSS and JSON feeds may have called the story anything."""
    atom = next((e.name for e in entries if e.is_atom and is_uri(e.name)), "")
    other = next((e.name for e in entries if not e.is_atom and e.name), "")
    identity = atom or (other if is_uri(other) else "")
    paths = (urlsplit(entry.link).path for entry in entries if not urlsplit(entry.link).query)
    old = next((address for path in paths if path.strip("/") and (address := permalink.address(path))), "")
    return Adoption(
        source=article.source,
        title=article.title,
        id="" if identity == article.id else identity,
        guid="" if other in (identity, article.guid) else other,
        alias="" if _plain(old) in _addresses(article) else old,
    )


def insert(text: str, adoption: Adoption) -> str:
    """Returns a file's text with what an adoption says in its front matter, everything else as it was.

    Raises RefusedError where that cannot be done without a guess: there is no front matter, or it says
    something else already.
    """
    opening = _OPENING.match(text)
    matter = frontmatter.split(text.removeprefix("﻿").replace("\r\n", "\n"))
    if opening is None or matter.entries is None:
        raise RefusedError(f"there is no front matter to write this into; put it there yourself: {told(adoption)}")
    said = {normal(entry.name) for entry in matter.entries}
    lines = []
    equals = " = " if opening["fence"] == "+++" else ": "
    for name, value in (("id", adoption.id), ("guid", adoption.guid)):
        if value and name in said:
            raise RefusedError(
                f"it says another {name} already; write this one yourself: {name}{equals}{_quoted(value)}"
            )
        lines += [f"{name}{equals}{_quoted(value)}"] if value else []
    if adoption.alias and {normal(name) for name in ("aliases", *ALIASES["aliases"])} & said:
        raise RefusedError(f"it has aliases already; add this one yourself: {adoption.alias}")
    lines += [f"aliases{equals}[{_quoted(adoption.alias)}]"] if adoption.alias else []
    end = "\r\n" if "\r\n" in opening[0] else "\n"
    at = opening.end()
    return text[:at] + "".join(line + end for line in lines) + text[at:]


def told(adoption: Adoption) -> str:
    """Returns what a file has to say, on one line."""
    pairs = (("id", adoption.id), ("guid", adoption.guid), ("aliases", adoption.alias))
    return ", ".join(f"{name}: {value}" for name, value in pairs if value)


def _quoted(text: str) -> str:
    """Returns a text quoted as both YAML and TOML read it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _plain(path: str) -> str:
    plain = unquote(path)
    return plain.removesuffix("index.html").removesuffix(".html").rstrip("/").casefold() or "/"


def _letters(title: str) -> str:
    folded = unicodedata.normalize("NFKD", title).casefold()
    return "".join(character for character in folded if character.isalnum())
