"""Reads a condition on people; whoever mistypes it is told where."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

from publisher.errors import UsageError
from publisher.model.segment import AllOf, AnyOf, Comparison, Condition, Exists, Held, Literal, Not
from publisher.segments.attributes import plain_key
from publisher.segments.vocabulary import Kind, Vocabulary

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<sign><=|>=|!=|==|=|<|>|\(|\)|,)
      | (?P<word>[^\s"'<>=!(),]+)
    )""",
    re.VERBOSE,
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_ORDER = {"<": Comparison.BELOW, "<=": Comparison.AT_MOST, ">": Comparison.ABOVE, ">=": Comparison.AT_LEAST}
_KEYWORDS = frozenset({"and", "or", "not", "in", "contains", "exists"})
_DEEPEST = 50
_EXACT_DIGITS, _LONGEST_NUMBER = 15, 30
_FIRST_YEAR, _LAST_YEAR = 1900, 2999


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    at: int
    """Where it begins, counted from 0."""
    quoted: bool = False

    @property
    def keyword(self) -> str:
        """Returns what the grammar calls it; empty for a quoted text."""
        lower = self.text.lower()
        return "" if self.quoted else (lower if lower in _KEYWORDS else self.text)


def parse_condition(text: str, vocabulary: Vocabulary) -> Condition:
    """Returns the condition; UsageError names the column (from 1 on) where it cannot be understood."""
    return _Parser(text, vocabulary).whole()


class _Parser:
    """Goes through the words from left to right: `or` binds weakest, then `and`, then `not`."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self._text = text
        self._vocabulary = vocabulary
        self._tokens = list(_tokens(text))
        self._next = 0
        self._depth = 0

    def whole(self) -> Condition:
        if not self._tokens:
            raise _fault(self._text, 0, "a condition is needed, such as: language = tr")
        condition = self._any_of()
        if (token := self._peek()) is not None:
            raise _fault(self._text, token.at, f"{token.text!r} is not expected here; join conditions by and, or")
        return condition

    def _any_of(self) -> Condition:
        parts = [self._all_of()]
        while self._take("or"):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all_of(self) -> Condition:
        parts = [self._one()]
        while self._take("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _one(self) -> Condition:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _fault(self._text, self._here(), "this is nested too deeply")
        try:
            if self._take("not"):
                return Not(self._one())
            if (opened := self._take("(")) is not None:
                condition = self._any_of()
                if not self._take(")"):
                    raise _fault(self._text, self._here(), f"the ( of column {opened.at + 1} is not closed")
                return condition
            return self._test()
        finally:
            self._depth -= 1

    def _test(self) -> Condition:
        token = self._pull("a field is needed")
        name, *rest = token.text.split(".")
        path = tuple(map(plain_key, rest)) if name == "attributes" else tuple(rest)
        kind = None if token.quoted else self._vocabulary.kind(name, path)
        if kind is None or not all(path):
            raise self._unknown(token)
        sign = self._pull(f"{token.text} needs a comparison: =, !=, <, <=, >, >=, in, contains or exists")
        match sign.keyword:
            case "exists":
                return Exists(name, path)
            case "=" | "==":
                return Held(name, path, Comparison.EQUAL, self._value(token, name, kind))
            case "!=":
                return Not(Held(name, path, Comparison.EQUAL, self._value(token, name, kind)))
            case "in":
                return self._in(token, name, path, kind)
            case "not":
                if not self._take("in"):
                    raise _fault(self._text, sign.at, "only in can follow not here: not in (a, b)")
                return Not(self._in(token, name, path, kind))
            case "contains":
                return Held(name, path, Comparison.CONTAINS, self._part(token, kind))
            case "<" | "<=" | ">" | ">=" as order:
                return Held(name, path, _ORDER[order], self._ordered(token, name, kind))
        raise _fault(
            self._text, sign.at, f"{sign.text!r} is no comparison; there are =, !=, <, <=, >, >=, in, contains, exists"
        )

    def _in(self, token: _Token, name: str, path: tuple[str, ...], kind: Kind) -> Condition:
        opened = self._take("(")
        if opened is None:
            raise _fault(self._text, self._here(), "a list in parentheses is needed, such as (a, b)")
        values = [self._value(token, name, kind)]
        while self._take(","):
            values.append(self._value(token, name, kind))
        if not self._take(")"):
            raise _fault(self._text, self._here(), f"the ( of column {opened.at + 1} is not closed")
        return AnyOf(tuple(Held(name, path, Comparison.EQUAL, value) for value in values))

    def _value(self, field: _Token, name: str, kind: Kind) -> Literal:
        token = self._pull(f"{field.text} is to be compared with something")
        if not token.quoted and (token.text in ("(", ")", ",") or token.text in _ORDER or token.text in ("=", "!=")):
            raise _fault(self._text, token.at, f"a value is needed here, not {token.text!r}")
        value = _literal(token, self._text)
        if kind is Kind.DATE and not isinstance(value, date):
            raise _fault(self._text, token.at, f"{field.text} is compared with {kind.value}, not with {token.text!r}")
        if kind is Kind.TEXT:
            value = token.text
        known = self._vocabulary.values(name)
        if known is not None and value not in known:
            raise _fault(
                self._text, token.at, f"there is no {name} {token.text!r}; there are: {', '.join(known) or 'none'}"
            )
        return value

    def _ordered(self, field: _Token, name: str, kind: Kind) -> Literal:
        at = self._here()
        value = self._value(field, name, kind)
        if isinstance(value, str | bool):
            raise _fault(
                self._text, at, f"only numbers and days have an order; {field.text} can be compared by = or contains"
            )
        return value

    def _part(self, field: _Token, kind: Kind) -> str:
        if kind is Kind.DATE:
            raise _fault(self._text, field.at, f"{field.text} is a day, and contains nothing; compare it by <, >= or =")
        token = self._pull("contains is to be followed by a text")
        return token.text

    def _unknown(self, token: _Token) -> UsageError:
        name, _, rest = token.text.partition(".")
        known = self._vocabulary.fields()
        if name == "newsletters" and rest:
            there_are = ", ".join(self._vocabulary.newsletters) or "none"
            return _fault(self._text, token.at, f"there is no newsletter {rest!r}; there are: {there_are}")
        if name == "attributes":
            return _fault(self._text, token.at, "which attribute? write attributes.KEY, such as attributes.city")
        close = get_close_matches(token.text.lower(), known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
        return _fault(self._text, token.at, f"there is no field {token.text!r}; {hint}")

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _here(self) -> int:
        token = self._peek()
        return len(self._text) if token is None else token.at

    def _take(self, keyword: str) -> _Token | None:
        token = self._peek()
        if token is None or token.keyword != keyword:
            return None
        self._next += 1
        return token

    def _pull(self, otherwise: str) -> _Token:
        token = self._peek()
        if token is None:
            raise _fault(self._text, len(self._text), otherwise)
        self._next += 1
        return token


def _tokens(text: str) -> Iterator[_Token]:
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            at = len(text) - len(text[at:].lstrip())
            what = "this quote is not closed" if text[at] in "\"'" else f"{text[at]!r} is not expected here"
            raise _fault(text, at, what)
        kind = match.lastgroup or ""
        token, at = match[kind], match.end()
        if kind == "quoted":
            yield _Token(re.sub(r"\\(.)", r"\1", token[1:-1]), match.start(kind), quoted=True)
        else:
            yield _Token(token, match.start(kind))


def _literal(token: _Token, text: str) -> Literal:
    word = token.text
    if token.quoted:
        return word
    if word in ("true", "false"):
        return word == "true"
    if _DAY.fullmatch(word):
        return _day(word, token, text)
    if _NUMBER.fullmatch(word) and len(word) <= _LONGEST_NUMBER:
        return float(word) if "." in word or len(word) > _EXACT_DIGITS else int(word)
    return word


def _day(word: str, token: _Token, text: str) -> date:
    try:
        day = date.fromisoformat(word)
    except ValueError as error:
        raise _fault(text, token.at, f"there is no day {word}") from error
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise _fault(text, token.at, f"{word} is no day of these centuries")
    return day


def _fault(text: str, at: int, what: str) -> UsageError:
    return UsageError(f"column {at + 1} of the condition {text!r}: {what}")
