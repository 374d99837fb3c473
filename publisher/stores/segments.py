"""Turns conditions on people into SQL, with one meaning on both databases."""

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from publisher.model.people import SubscriptionStatus
from publisher.model.segment import AllOf, AnyOf, Comparison, Condition, Exists, Held, Literal, Not, Picked
from publisher.stores.database import Database, micros
from publisher.stores.schema import licences, subscribers, subscriptions

_Clause = sa.ColumnElement[bool]
_CURRENT = (SubscriptionStatus.CONFIRMED.value, SubscriptionStatus.PAUSED.value)
_OPERATORS: dict[Comparison, Callable[[Any, Any], Any]] = {
    Comparison.EQUAL: lambda a, b: a == b,
    Comparison.BELOW: lambda a, b: a < b,
    Comparison.AT_MOST: lambda a, b: a <= b,
    Comparison.ABOVE: lambda a, b: a > b,
    Comparison.AT_LEAST: lambda a, b: a >= b,
}
_DATED = "^[0-9]{4}-[0-9]{2}-[0-9]{2}"
_DATED_GLOB = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*"


def matching(database: Database, picked: Picked) -> _Clause:
    """Returns whether a row of `subscribers` is among those picked."""
    return _Compiler(database, ZoneInfo(picked.zone), picked.now).clause(picked.condition)


class _Compiler:
    def __init__(self, database: Database, zone: ZoneInfo, now: datetime) -> None:
        self._database = database
        self._zone = zone
        self._now = now

    def clause(self, condition: Condition) -> _Clause:
        match condition:
            case AllOf(parts):
                return sa.and_(sa.true(), *(self.clause(part) for part in parts))
            case AnyOf(parts):
                return sa.or_(sa.false(), *(self.clause(part) for part in parts))
            case Not(part):
                return sa.not_(self.clause(part))
            case Exists(field, path):
                return self._exists(field, path)
            case Held():
                return self._test(condition)
        raise AssertionError(condition)

    def _exists(self, field: str, path: tuple[str, ...]) -> _Clause:
        match field:
            case "attributes":
                return self._has_attribute(path)
            case "newsletters":
                return _subscribed(subscriptions.c.newsletter == path[0])
            case "newsletter":
                return _subscribed(subscriptions.c.status.in_(_CURRENT))
            case "status":
                return _subscribed()
            case "confirmed":
                return _subscribed(subscriptions.c.status.in_(_CURRENT), subscriptions.c.confirmed_at.is_not(None))
            case "product":
                return self._licensed()
            case "valid_until":
                return _granted(licences.c.valid_until.is_not(None))
            case "created" | "email" | "domain":
                return sa.true()
        return sa.func.coalesce(subscribers.c[field], "") != ""

    def _test(self, test: Held) -> _Clause:
        match test.field:
            case "attributes":
                return self._attribute(test)
            case "newsletters":
                return _subscribed(subscriptions.c.newsletter == test.path[0], self._text(subscriptions.c.status, test))
            case "newsletter":
                return _subscribed(subscriptions.c.status.in_(_CURRENT), self._text(subscriptions.c.newsletter, test))
            case "status":
                return _subscribed(self._text(subscriptions.c.status, test))
            case "confirmed":
                return _subscribed(subscriptions.c.status.in_(_CURRENT), self._day(subscriptions.c.confirmed_at, test))
            case "product":
                return self._licensed(self._text(licences.c.product, test))
            case "valid_until":  # what ends with a day ends at the first moment of the next
                return _granted(licences.c.valid_until.is_not(None), self._day(licences.c.valid_until - 1, test))
            case "created":
                return self._day(subscribers.c.created_at, test)
            case "email":
                return self._text(subscribers.c.address_key, test, fold=True)
            case "domain":
                return self._domain(test)
        return self._text(sa.func.coalesce(subscribers.c[test.field], ""), test)

    def _text(self, column: sa.ColumnElement[Any], test: Held, *, fold: bool = False) -> _Clause:
        value = str(test.value).lower() if fold else str(test.value)
        return self._within(column, value) if test.comparison is Comparison.CONTAINS else column == value

    def _within(self, column: sa.ColumnElement[Any], part: str) -> _Clause:
        find = sa.func.instr if self._database.embedded else sa.func.strpos
        return find(column, part) > 0

    def _domain(self, test: Held) -> _Clause:
        key, value = subscribers.c.address_key, str(test.value).lower()
        if test.comparison is Comparison.CONTAINS:
            find = sa.func.instr if self._database.embedded else sa.func.strpos
            return self._within(sa.func.substr(key, find(key, "@") + 1), value)
        return key.endswith(f"@{value}", autoescape=True)

    def _day(self, column: sa.ColumnElement[Any], test: Held) -> _Clause:
        assert isinstance(test.value, date)
        begins, ends = self._begins(test.value), self._begins(test.value + timedelta(days=1))
        match test.comparison:
            case Comparison.BELOW:
                return column < begins
            case Comparison.AT_MOST:
                return column < ends
            case Comparison.ABOVE:
                return column >= ends
            case Comparison.AT_LEAST:
                return column >= begins
        return sa.and_(column >= begins, column < ends)

    def _begins(self, day: date) -> int:
        return micros(datetime.combine(day, time.min, self._zone))

    def _licensed(self, *clauses: _Clause) -> _Clause:
        """Whether a licence is in force now."""
        now, table = micros(self._now), licences.c
        return _granted(
            sa.or_(table.valid_from.is_(None), table.valid_from <= now),
            sa.or_(table.valid_until.is_(None), table.valid_until > now),
            *clauses,
        )

    # Attributes: a list has each of its values ------------------------------------------------------------------------

    def _has_attribute(self, path: Sequence[str]) -> _Clause:
        if not self._database.embedded:
            return _in_jsonb(f"{_path(path)} ? (@ != null)", {})
        each = _each(path)
        is_object = sa.func.coalesce(sa.func.json_type(subscribers.c.attributes, _path(path)), "") == "object"
        return sa.or_(is_object, sa.exists(sa.select(1).select_from(each).where(each.c.type != "null")))

    def _attribute(self, test: Held) -> _Clause:
        if not self._database.embedded:
            return _in_jsonb(*_jsonpath(test))
        each = _each(test.path)
        no_object = sa.func.coalesce(sa.func.json_type(subscribers.c.attributes, _path(test.path)), "") != "object"
        return sa.and_(no_object, sa.exists(sa.select(1).select_from(each).where(self._value(each.c, test))))

    def _value(self, each: Any, test: Held) -> Any:
        value, comparison = test.value, test.comparison
        if comparison is Comparison.CONTAINS:
            return sa.and_(each.type == "text", self._within(each.value, str(value)))
        if isinstance(value, bool):
            return each.type == ("true" if value else "false")
        if isinstance(value, int | float):
            return sa.and_(each.type.in_(("integer", "real")), _OPERATORS[comparison](each.value, value))
        if isinstance(value, date):
            limits = [_OPERATORS[sign](each.value, limit) for sign, limit in _limits(comparison, value)]
            return sa.and_(each.type == "text", each.value.op("GLOB")(_DATED_GLOB), *limits)
        return sa.and_(each.type == "text", each.value == value)


def _subscribed(*clauses: _Clause) -> _Clause:
    return sa.exists().where(subscriptions.c.subscriber_id == subscribers.c.id, *clauses).correlate(subscribers)


def _granted(*clauses: _Clause) -> _Clause:
    return (
        sa.exists()
        .where(licences.c.subscriber_id == subscribers.c.id, licences.c.active, *clauses)
        .correlate(subscribers)
    )


def _limits(comparison: Comparison, day: date) -> list[tuple[Comparison, str]]:
    """Returns between which texts the days are; times of a day begin with the day (ISO 8601)."""
    begins, ends = day.isoformat(), (day + timedelta(days=1)).isoformat()
    match comparison:
        case Comparison.BELOW:
            return [(Comparison.BELOW, begins)]
        case Comparison.AT_MOST:
            return [(Comparison.BELOW, ends)]
        case Comparison.ABOVE:
            return [(Comparison.AT_LEAST, ends)]
        case Comparison.AT_LEAST:
            return [(Comparison.AT_LEAST, begins)]
    return [(Comparison.AT_LEAST, begins), (Comparison.BELOW, ends)]


def _path(path: Sequence[str]) -> str:
    return "$" + "".join(f'."{key}"' for key in path)


def _each(path: Sequence[str]) -> Any:
    return sa.func.json_each(subscribers.c.attributes, _path(path)).table_valued("value", "type").alias()


def _in_jsonb(path: str, values: dict[str, Literal]) -> _Clause:
    return sa.func.jsonb_path_exists(
        sa.cast(subscribers.c.attributes, postgresql.JSONB),
        sa.cast(sa.literal(path, sa.Text), postgresql.JSONPATH),
        sa.cast(sa.literal(json.dumps(values), sa.Text), postgresql.JSONB),
    )


def _jsonpath(test: Held) -> tuple[str, dict[str, Literal]]:
    """Returns the test as a path of PostgreSQL and its values; what is of another type does not compare."""
    path, value = _path(test.path), test.value
    if test.comparison is Comparison.CONTAINS:
        return f'{path} ? (@ like_regex {json.dumps(str(value))} flag "q")', {}
    if isinstance(value, date):
        limits = _limits(test.comparison, value)
        signs = " && ".join(f"@ {sign.value} $v{n}" for n, (sign, _) in enumerate(limits))
        return f'{path} ? (@ like_regex "{_DATED}" && {signs})', {f"v{n}": limit for n, (_, limit) in enumerate(limits)}
    sign = "==" if test.comparison is Comparison.EQUAL else test.comparison.value
    return f"{path} ? (@ {sign} $v)", {"v": value}
