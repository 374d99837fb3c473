"""What the keys of front matter mean: names and aliases, types, and what an editor is told about mistakes.

A key whose value cannot be used refuses the file, with its line. A key nobody
knows is a warning, unless it looks like one that keeps a story back.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from publisher.content import times
from publisher.content.characters import one_line
from publisher.content.entries import Entry, Table, Value, normal
from publisher.content.rules import Rules
from publisher.errors import RefusedError
from publisher.model.article import Problem

ALIASES: dict[str, tuple[str, ...]] = {
    "title": ("headline",),
    "deck": ("subtitle", "standfirst", "dek"),
    "summary": ("description", "abstract", "excerpt"),
    "key_points": (),
    "section": ("category",),
    "categories": (),
    "tags": ("keywords",),
    "authors": ("author", "byline"),
    "contributors": ("contributor",),
    "sources": ("source",),
    "dateline": (),
    "date": ("published", "pubDate"),
    "updated": ("lastmod", "modified", "last_modified_at"),
    "publish_at": ("publishDate",),
    "embargo": (),
    "embargo_reason": (),
    "expires": ("expiryDate",),
    "status": (),
    "draft": (),
    "access": (),
    "deliver": (),
    "email_only": (),
    "products": (),
    "urgency": (),
    "language": ("lang",),
    "translation_of": (),
    "slug": (),
    "id": (),
    "guid": (),
    "image": ("cover", "featured_image", "feature_image", "thumbnail", "images"),
    "enclosures": ("enclosure", "audio"),
    "duration": ("itunes_duration",),
    "episode": ("itunes_episode",),
    "episode_type": (),
    "season": ("itunes_season",),
    "explicit": ("itunes_explicit",),
    "corrections": (),
    "kill_reason": (),
    "supersedes": (),
    "related": (),
    "aliases": ("redirect_from",),
    "permalink": ("url",),
    "ednote": (),
    "slugline": (),
    "genre": (),
    "subjects": (),
}
"""Canonical name → accepted aliases, the first that is given counts."""

_GROUPS = frozenset({"params", "extra", "taxonomies"})
"""Tables in which Hugo and Zola keep keys that mean the same at the top."""

_OTHERS_KEYS = frozenset(
    normal(key)
    for key in (
        "_build", "build", "cascade", "charset", "classes", "comments", "disqus", "excerpt_separator", "generator",
        "headless", "identifier", "isCJKLanguage", "katex", "layout", "linkTitle", "markup", "math", "mathjax", "menu",
        "menus", "mermaid", "outputs", "pin", "pinned", "save_as", "series_order", "showToc", "sitemap", "sticky",
        "template", "toc", "translation", "translationKey", "type", "uid", "uuid", "viewport", "weight",
    )
)  # fmt: skip
"""Keys of other generators that say how a page looks, not what it says."""

_GATES = ("access", "deliver", "email_only", "status", "draft", "embargo", "publish_at", "kill_reason")
_GATE_NAMES = frozenset(map(normal, _GATES))
_FOREIGN_GATES = frozenset(
    {"visibility", "private", "protected", "password", "paywall", "premium", "membersonly", "unlisted"}
)
_FOREIGN_HOURS = frozenset(
    {
        "embargountil", "embargoeduntil", "embargodate", "releasedate", "releaseat", "publishon", "publishafter",
        "expiry", "expireson", "expiresat", "expirationdate", "unpublishdate", "unpublishat",
    }
)  # fmt: skip
_NAMES = {normal(name): canonical for canonical, aliases in ALIASES.items() for name in (canonical, *aliases)}
_LOOKUPS = {name: tuple(map(normal, (name, *aliases))) for name, aliases in ALIASES.items()}
_MAX_KEYS = 200
_GATE_LIKENESS = 0.84
_NAME_LIKENESS = 0.8


class Fields:
    """The keys of one file, taken one by one as the types a story needs."""

    def __init__(self, entries: Iterable[Entry], source: str, rules: Rules) -> None:
        self._source = source
        self._rules = rules
        self._entries: dict[str, Entry] = {}
        self.warnings: list[Problem] = []
        flat = list(_flat(entries))
        if len(flat) > _MAX_KEYS:
            raise RefusedError(f"the front matter has more than {_MAX_KEYS} keys", flat[_MAX_KEYS].line)
        for entry in flat:
            first = self._entries.setdefault(entry.name, entry)
            if first is not entry and entry.name in _GATE_NAMES and first.value != entry.value:
                raise RefusedError(f"{entry.key} is given twice, first on line {first.line}; keep one", entry.line)
        self._look_over(flat)

    def entry(self, name: str) -> Entry | None:
        """Returns the key under its name or first alias; an empty value is no value."""
        for candidate in _LOOKUPS[name]:
            found = self._entries.get(candidate)
            if found is not None and not _empty(found.value):
                return found
        return None

    def alias(self, name: str) -> Entry | None:
        """Returns the key written under exactly this name."""
        return self._entries.get(normal(name))

    def line(self, name: str) -> int:
        """Returns the line of a key, 1 when it is not given."""
        found = self.entry(name)
        return found.line if found else 1

    def warn(self, message: str, line: int) -> None:
        """Notes something that does not keep the story back."""
        self.warnings.append(Problem(path=self._source, line=line, message=message, fatal=False))

    def text(self, name: str) -> str:
        """Returns a value as one line of text, empty when not given."""
        found = self.entry(name)
        return "" if found is None else one_line(scalar(found.value, found.key, found.line))

    def texts(self, name: str, separators: str = ",") -> tuple[str, ...]:
        """Returns a list of texts; one string is parted at any of the separators."""
        found = self.entry(name)
        return () if found is None else texts(found, separators)

    def time(self, name: str, *, warn_day_only: bool = True) -> times.Moment | None:
        """Returns a moment in UTC; a day without time counts from its midnight in the site's zone, with a warning."""
        found = self.entry(name)
        if found is None:
            return None
        moment = times.read(found.value, self._rules.timezone, found.line, found.key)
        if moment.day_only and warn_day_only:
            self.warn(f"{found.key} has no time; 00:00 {self._rules.timezone} is meant", found.line)
        return moment

    def boolean(self, name: str) -> bool:
        """Returns a yes or no; not given is no."""
        found = self.entry(name)
        return False if found is None else boolean(found)

    def word(self, name: str, allowed: Iterable[str]) -> str | None:
        """Returns one of the allowed words, None when the key is absent; an empty value is refused."""
        found = self._entries.get(normal(name))
        if found is None:
            return None
        value = found.value.strip().lower() if isinstance(found.value, str) else found.value
        if value not in (words := list(allowed)):
            shown = "nothing" if _empty(found.value) else repr(found.value)[:60]
            raise RefusedError(f"{found.key} is {shown}; write one of {', '.join(words)}", found.line)
        return str(value)

    def _look_over(self, entries: list[Entry]) -> None:
        """Warns of keys that nobody reads, and refuses those that may have been meant to keep the story back."""
        for entry in entries:
            if entry.name in _NAMES or entry.name in _OTHERS_KEYS:
                continue
            if entry.name in _FOREIGN_GATES and not _denies(entry.value) and "access" not in self._entries:
                raise RefusedError(
                    f"{entry.key} is not a key here; say who may read the story with access, or write status: draft",
                    entry.line,
                )
            if entry.name in _FOREIGN_HOURS:
                raise RefusedError(f"{entry.key} is not a key here; write publish_at, embargo or expires", entry.line)
            if gate := get_close_matches(entry.name, _GATE_NAMES, 1, _GATE_LIKENESS):
                raise RefusedError(f"unknown key {entry.key}; did you mean {_NAMES[gate[0]]}?", entry.line)
            like = get_close_matches(entry.name, list(_NAMES), 1, _NAME_LIKENESS)
            hint = f"; did you mean {_NAMES[like[0]]}?" if like else ""
            self.warn(f"unknown key {entry.key[:80]}{hint}", entry.line)


def scalar(value: Value, key: str, line: int) -> str:
    """Returns a plain value as text."""
    if isinstance(value, bool) or value is None or isinstance(value, list | dict):
        raise RefusedError(f"{key} must be a text", line)
    return str(value)


def texts(entry: Entry, separators: str) -> tuple[str, ...]:
    """Returns the texts of a list, or of a string parted at `separators`; each once, in order."""
    value = entry.value
    if isinstance(value, list):
        parts = [scalar(_named(item), entry.key, entry.line) for item in value if not _empty(item)]
    elif isinstance(value, Table):
        parts = [scalar(_named(value), entry.key, entry.line)]
    else:
        whole = scalar(value, entry.key, entry.line)
        parts = re.split(f"[{re.escape(separators)}]", whole) if separators else [whole]
    return tuple(dict.fromkeys(filter(None, map(one_line, parts))))


def boolean(entry: Entry) -> bool:
    """Returns a yes or no however YAML, TOML or a header writes it."""
    word = str(entry.value).strip().lower()
    if word in {"true", "yes", "on"}:
        return True
    if word in {"false", "no", "off"}:
        return False
    raise RefusedError(f"{entry.key} is {word[:60]!r}; write true or false", entry.line)


def is_boolean(value: Value) -> bool:
    """Returns whether a value is a yes or no rather than a text."""
    return isinstance(value, bool) or (isinstance(value, str) and value.strip().lower() in {"true", "false"})


def tables(entry: Entry, text_key: str) -> list[Table]:
    """Returns a list of tables; a plain text in it stands for a table with that text under `text_key`."""
    items = entry.value if isinstance(entry.value, list) else [entry.value]
    found: list[Table] = []
    for item in items:
        if isinstance(item, Table):
            found.append(item)
        elif isinstance(item, str) and item.strip():
            table = Table(entry.line)
            table[text_key] = item
            found.append(table)
        else:
            raise RefusedError(f"{entry.key} must be a list of tables, or of texts", entry.line)
    return found


def part(table: Table, *names: str) -> str:
    """Returns a table's text under the first of several names that it has, else an empty one."""
    for name in names:
        if not _empty(value := table.get(name)):
            return one_line(scalar(value, name, table.line))
    return ""


def _flat(entries: Iterable[Entry]) -> Iterable[Entry]:
    groups: list[Entry] = []
    for entry in entries:
        if entry.name in _GROUPS and isinstance(entry.value, Table):
            groups += [Entry(key, value, entry.value.line) for key, value in entry.value.items()]
        else:
            yield entry
    yield from groups


def _named(value: Value) -> Value:
    """Returns the name of somebody written as a table, such as Hugo's `author = { name = … }`."""
    return value.get("name") if isinstance(value, Table) else value


def _empty(value: Value) -> bool:
    return value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip())


def _denies(value: Value) -> bool:
    return _empty(value) or str(value).strip().lower() in {"false", "no", "off", "public"}
