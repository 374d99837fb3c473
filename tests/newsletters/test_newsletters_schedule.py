"""Schedules: words → slots, through every change of clocks."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from publisher.newsletters.schedule import Due, looks_back_to, next_slot, parse, previous_slot, slots

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo", "UTC"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "one_spelling", "cron"),
    [
        ("daily 07:00", "daily 07:00", "0 7 * * *"),
        ("Daily 7:05", "daily 07:05", "5 7 * * *"),
        ("weekly mon 07:00", "weekly mon 07:00", "0 7 * * 1"),
        ("weekly Sunday 23:59", "weekly sun 23:59", "59 23 * * 0"),
        ("monthly 1 07:00", "monthly 1 07:00", "0 7 1 * *"),
        ("monthly 31 07:00", "monthly last 07:00", "0 7 L * *"),
        ("instant", "instant", ""),
        ("*/15  8-18 * * 1-5", "*/15 8-18 * * 1-5", "*/15 8-18 * * 1-5"),
    ],
)
def test_config_words_have_one_spelling(text: str, one_spelling: str, cron: str) -> None:
    """Equal rhythms are equal texts, so that they make one cohort."""
    schedule = parse(text)
    assert (schedule.text, schedule.cron) == (one_spelling, cron)
    assert parse(schedule.text) == schedule


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("hourly", "is no schedule: write"),
        ("daily", "is no schedule: write"),
        ("daily 25:00", "is no time of day"),
        ("daily 7", "is no time of day"),
        ("weekly 07:00", "is no schedule"),
        ("weekly foo 07:00", "is no day of the week"),
        ("monthly 30 07:00", "is no day that every month has"),
        ("monthly 0 07:00", "is no day that every month has"),
        ("61 * * * *", "is no cron line: bad minute"),
        ("0 0 * * 8", "is no cron line: bad day-of-week"),
        ("0 0 30 2 *", "is no cron line"),
        ("0 0 * *", "is no schedule"),
        ("0 0 0 * * *", "is no schedule"),
        ("", "is no schedule"),
        ("daily ٠٧:٠٠", "is no time of day"),
    ],
)
def test_other_words_are_refused_with_what_to_write(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse(text)


@pytest.mark.parametrize("sunday", ["0", "7", "sun"])
def test_cron_sunday_is_zero_and_seven(sunday: str) -> None:
    """0 and 7 both mean Sunday, as in cron."""
    (due,) = slots(parse(f"0 9 * * {sunday}"), "UTC", at("2026-10-19"), at("2026-10-26"))
    assert due == Due(due_at=at("2026-10-25 09:00"), period="cron:2026-10-25T09:00")


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("daily 07:00", "daily:2026-10-25"),
        ("weekly sun 07:00", "weekly:2026-W43"),
        ("monthly 25 07:00", "monthly:2026-10"),
        ("0 7 * * *", "cron:2026-10-25T07:00"),
    ],
)
def test_period_is_named_after_the_local_calendar(text: str, period: str) -> None:
    assert next_slot(parse(text), "Pacific/Auckland", at("2026-10-24 12:00")) == Due(at("2026-10-24 18:00"), period)


def test_iso_week_53_and_the_turn_of_the_year() -> None:
    """The first of January may belong to the old year's last week."""
    found = slots(parse("weekly fri 07:00"), "UTC", at("2026-12-20"), at("2027-01-09"))
    assert [due.period for due in found] == ["weekly:2026-W52", "weekly:2026-W53", "weekly:2027-W01"]


def test_window_is_open_at_its_start_and_closed_at_its_end() -> None:
    schedule = parse("daily 07:00")
    assert slots(schedule, "UTC", at("2026-10-19 07:00"), at("2026-10-19 23:00")) == []
    assert len(slots(schedule, "UTC", at("2026-10-19 06:59:59.999999"), at("2026-10-19 07:00"))) == 1
    assert previous_slot(schedule, "UTC", at("2026-10-19 07:00")) == Due(at("2026-10-19 07:00"), "daily:2026-10-19")
    earlier = previous_slot(schedule, "UTC", at("2026-10-19 06:59:59.999999"))
    assert earlier == Due(at("2026-10-18 07:00"), "daily:2026-10-18")


@pytest.mark.parametrize(
    ("text", "zone", "after", "until", "due"),
    [
        # Clocks back, 03:00 → 02:00: 02:30 comes twice and counts at the first.
        ("daily 02:30", "Europe/Berlin", "2026-10-24 12:00", "2026-10-26 12:00", ["25 00:30", "26 01:30"]),
        # Clocks forward, 02:00 → 03:00: 02:30 does not exist; due at the first instant after.
        ("daily 02:30", "Europe/Berlin", "2026-03-28 12:00", "2026-03-30 12:00", ["29 01:00", "30 00:30"]),
        ("daily 01:30", "America/New_York", "2026-10-31 12:00", "2026-11-02 12:00", ["01 05:30", "02 06:30"]),
        ("daily 02:30", "America/New_York", "2026-03-07 12:00", "2026-03-09 12:00", ["08 07:00", "09 06:30"]),
        # Half an hour, both ways.
        ("daily 01:45", "Australia/Lord_Howe", "2026-04-04 00:00", "2026-04-06 00:00", ["04 14:45", "05 15:15"]),
        ("daily 02:15", "Australia/Lord_Howe", "2026-10-03 00:00", "2026-10-05 00:00", ["03 15:30", "04 15:15"]),
        # A day that Samoa did not have.
        ("daily 07:00", "Pacific/Apia", "2011-12-29 00:00", "2012-01-01 00:00", ["29 17:00", "30 17:00", "31 17:00"]),
        ("weekly fri 07:00", "Pacific/Apia", "2011-12-24 00:00", "2012-01-01 00:00", ["30 10:00"]),
        # Midnight itself was skipped.
        ("daily 00:00", "America/Sao_Paulo", "2018-11-03 12:00", "2018-11-05 12:00", ["04 03:00", "05 02:00"]),
        # Every half hour: nothing in the second pass of the repeated hour.
        ("*/30 2 * * *", "Europe/Berlin", "2026-10-24 12:00", "2026-10-25 12:00", ["25 00:00", "25 00:30"]),
        ("0,30 2-3 * * *", "Europe/Berlin", "2026-03-28 12:00", "2026-03-29 12:00", ["29 01:00", "29 01:30"]),
        ("monthly last 08:00", "UTC", "2028-02-01 00:00", "2028-03-31 09:00", ["29 08:00", "31 08:00"]),
    ],
)
def test_clock_changes(text: str, zone: str, after: str, until: str, due: list[str]) -> None:
    found = slots(parse(text), zone, at(after), at(until))
    assert [f"{slot.due_at:%d %H:%M}" for slot in found] == due
    assert len({slot.period for slot in found}) == len(found)


def expected_due(day: date, clock: time, zone: ZoneInfo) -> datetime | None:
    """Returns when a local time is due, minute by minute: independent of how the program counts."""
    local = datetime.combine(day, clock, tzinfo=zone)
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return moment
    step = datetime.combine(day, time(0)).replace(tzinfo=UTC) - timedelta(hours=30)
    while step.astimezone(zone).replace(tzinfo=None) < local.replace(tzinfo=None):
        step += timedelta(minutes=15)
    return step if step.astimezone(zone).date() == day else None


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("clock", ["02:30", "00:15", "07:00"])
def test_ten_years_of_days(zone: str, clock: str) -> None:
    """In ten years every date that a zone has gets its slot, once, when a plain count says; none is double."""
    tz, hour = ZoneInfo(zone), time.fromisoformat(clock)
    start, end = at("2010-01-01 00:00"), at("2020-01-01 00:00")
    found = slots(parse(f"daily {clock}"), zone, start, end)
    days = [date(2009, 12, 31) + timedelta(days=i) for i in range(3655)]
    expected = [
        Due(moment, f"daily:{day}") for day in days if (moment := expected_due(day, hour, tz)) and start < moment <= end
    ]
    assert found == expected
    assert len({due.period for due in found}) == len(found)


@settings(max_examples=60, deadline=None)
@given(
    text=st.sampled_from(["daily 02:30", "0,30 1-3 * * *", "*/20 * * * *", "weekly sun 02:15", "monthly 1 00:30"]),
    zone=st.sampled_from(ZONES),
    hours=st.integers(0, 64_000),
    seconds=st.integers(0, 3599),
    cut=st.floats(0, 1),
)
def test_slots_do_not_depend_on_where_one_starts_to_look(
    text: str, zone: str, hours: int, seconds: int, cut: float
) -> None:
    """Two adjacent windows hold what one holds, and looking back finds what looking ahead found."""
    schedule, start = parse(text), at("2011-11-01") + timedelta(hours=hours, seconds=seconds)
    end = start + timedelta(days=9)
    middle = start + (end - start) * cut
    whole = slots(schedule, zone, start, end)
    assert slots(schedule, zone, start, middle) + slots(schedule, zone, middle, end) == whole
    last = previous_slot(schedule, zone, end)
    assert last is not None
    assert last == (whole[-1] if whole else last)
    assert last.due_at <= end


def test_every_slot_looked_back_at_near_a_clock_change() -> None:
    """At each quarter hour around a change, the previous slot is the last of those there were."""
    schedule, zone = parse("daily 02:30"), "Europe/Berlin"
    known = slots(schedule, zone, at("2026-10-20"), at("2026-10-27"))
    for quarter in range(200):
        now = at("2026-10-24 00:00") + timedelta(minutes=15 * quarter)
        assert previous_slot(schedule, zone, now) == [due for due in known if due.due_at <= now][-1]


def test_instant_has_no_slots_of_its_own() -> None:
    schedule = parse("instant")
    assert slots(schedule, "UTC", at("2026-01-01"), at("2026-02-01")) == []
    assert next_slot(schedule, "UTC", at("2026-01-01")) is None
    assert previous_slot(schedule, "UTC", at("2026-01-01")) is None


@pytest.mark.parametrize(
    ("text", "begin"),
    [
        ("daily 07:00", "2026-10-01 07:00"),
        ("weekly sun 07:00", "2026-10-01 07:00"),
        ("monthly 1 07:00", "2026-08-01 07:00"),
        ("instant", "2026-10-01 07:00"),
    ],
)
def test_news_is_pending_for_a_month_or_three_slots(text: str, begin: str) -> None:
    assert looks_back_to(parse(text), "UTC", at("2026-11-01 07:00")) == at(begin)
