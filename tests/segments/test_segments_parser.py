"""The language in which people are picked: what it means, and where it is wrong."""

from datetime import date

import pytest

from publisher.errors import UsageError
from publisher.model.segment import AllOf, AnyOf, Comparison, Condition, Exists, Held, Not
from publisher.segments import Vocabulary, merged, parse_attribute, parse_condition, plain_key
from publisher.segments.attributes import given_attribute, judge, parse_attributes

VOCABULARY = Vocabulary(newsletters=["daily", "weekly"], products=["asia"], languages=["en", "tr"])


def held(field: str, value: str | int | float | bool | date, sign: str = "=") -> Held:
    name, *path = field.split(".")
    return Held(name, tuple(path), Comparison(sign), value)


TR, DAILY = held("language", "tr"), held("newsletter", "daily")


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("language = tr", TR),
        ("language == 'tr'", TR),
        ("  language=tr  ", TR),
        ("language != tr", Not(TR)),
        ("not language = tr", Not(TR)),
        ("language = tr and newsletter = daily", AllOf((TR, DAILY))),
        (
            "language = tr or language = en and newsletter = daily",
            AnyOf((TR, AllOf((held("language", "en"), DAILY)))),
        ),
        (
            "(language = tr or language = en) AND newsletter = daily",
            AllOf((AnyOf((TR, held("language", "en"))), DAILY)),
        ),
        ("language in (tr, en)", AnyOf((TR, held("language", "en")))),
        ("language not in (tr)", Not(AnyOf((TR,)))),
        ("created >= 2026-01-31", held("created", date(2026, 1, 31), ">=")),
        ("newsletters.daily = paused", held("newsletters.daily", "paused")),
        ("newsletters.daily exists", Exists("newsletters", ("daily",))),
        ("attributes.age >= 18", held("attributes.age", 18, ">=")),
        ("attributes.score < -0.5", held("attributes.score", -0.5, "<")),
        ("attributes.vip = true", held("attributes.vip", True)),
        ('attributes.vip = "true"', held("attributes.vip", "true")),
        ('attributes.ZIP-Code = "34"', held("attributes.zip-code", "34")),
        ("attributes.joined < 2026-02-01", held("attributes.joined", date(2026, 2, 1), "<")),
        ("attributes.stack.languages contains go", held("attributes.stack.languages", "go", "contains")),
        ("timezone = Europe/Istanbul", held("timezone", "Europe/Istanbul")),
        ("name = 2026", held("name", "2026")),
        (r'name = "O\"Hara (old)"', held("name", 'O"Hara (old)')),
        ("name contains and", held("name", "and", "contains")),
        ("product = *", held("product", "*")),
        ("not (attributes.plan exists)", Not(Exists("attributes", ("plan",)))),
    ],
)
def test_what_it_means(text: str, condition: Condition) -> None:
    assert parse_condition(text, VOCABULARY) == condition


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "a condition is needed"),
        ("langauge = tr", 1, "did you mean language?"),
        ("x = 1", 1, "there are: email, domain"),
        ("language = fr", 12, "there is no language 'fr'; there are: en, tr"),
        ("language = tr and newsletter = dayly", 32, "there is no newsletter 'dayly'; there are: daily, weekly"),
        ("newsletters.dayly exists", 1, "there is no newsletter 'dayly'"),
        ("product = asian", 11, "there is no product 'asian'; there are: asia, *"),
        ("status = confirm", 10, "there are: unconfirmed, confirmed, paused, unsubscribed"),
        ("attributes = 1", 1, "which attribute?"),
        ("attributes.- = 1", 1, "which attribute?"),
        ("language", 9, "needs a comparison"),
        ("language is tr", 10, "'is' is no comparison"),
        ("language =", 11, "is to be compared with something"),
        ("language = )", 12, "a value is needed"),
        ("language < en", 12, "only numbers and days have an order"),
        ("attributes.vip > true", 18, "only numbers and days have an order"),
        ("created = yesterday", 11, "compared with a day such as 2026-01-31"),
        ("created = 2026-02-30", 11, "there is no day 2026-02-30"),
        ("created = 0001-01-01", 11, "no day of these centuries"),
        ("created contains 2026", 1, "is a day, and contains nothing"),
        ("(language = tr", 15, "the ( of column 1 is not closed"),
        ("language in tr", 13, "a list in parentheses"),
        ("language in (tr", 16, "the ( of column 13 is not closed"),
        ("language = tr newsletter = daily", 15, "'newsletter' is not expected here"),
        ("language = 'tr", 12, "this quote is not closed"),
        ("language = tr and", 18, "a field is needed"),
        ("not " * 60 + "language = tr", 201, "nested too deeply"),
        ("language ! tr", 10, "'!' is not expected"),
        ("'language' = tr", 1, "there is no field"),
    ],
)
def test_what_is_wrong_is_said_with_its_column(text: str, column: int, words: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_condition(text, VOCABULARY)
    assert f"column {column} of the condition" in str(error.value)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        ("-1.5", -1.5),
        ("007", "007"),
        ("+49 30 1", "+49 30 1"),
        ("1e5", "1e5"),
        ("12345678901234567890", "12345678901234567890"),
        ("true", True),
        ("True", "True"),
        ('["a", 1]', ["a", 1]),
        ('"42"', "42"),
        ("[not json", "[not json"),
        ("  Izmir ", "Izmir"),
    ],
)
def test_cells_become_values_that_lose_nothing(text: str, value: object) -> None:
    assert parse_attribute(text) == value


def test_keys_become_such_as_a_condition_can_say() -> None:
    assert [plain_key(k) for k in ("ZIP Code", "Şehir", "a.b", "__", "x" * 99)] == [
        "zip_code",
        "şehir",
        "a_b",
        "",
        "x" * 80,
    ]
    assert parse_attributes('{"First Plan": {"Is On": true}, "": 1}') == {"first_plan": {"is_on": True}}
    for bad in ("[1]", "{", '{"a": ' * 3000, '{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}'):
        with pytest.raises(UsageError, match="the attributes are n"):
            parse_attributes(bad)


def test_attributes_are_added_and_forgotten() -> None:
    assert given_attribute("attributes.city=Izmir") == ("city", "Izmir")
    assert merged({"city": "Izmir", "age": 3}, dict([given_attribute("city=")])) == {"age": 3}
    for bad in ("city", "=x", "a b=c", "a.b=c"):
        with pytest.raises(UsageError, match="is not key=value"):
            given_attribute(bad)
    with pytest.raises(UsageError, match="too many"):
        judge({str(n): "x" * 1000 for n in range(20)})


def test_nothing_is_kept_that_a_database_refuses() -> None:
    text = '{"a": NaN, "b": Infinity, "c": "x\\u0000\\ud800y", "d": 99999999999999999999, "e": [1e999]}'
    assert parse_attributes(text) == {"a": None, "b": None, "c": "xy", "d": "99999999999999999999", "e": [None]}
    assert parse_attribute("[" * 5000) == ("[" * 2000)
