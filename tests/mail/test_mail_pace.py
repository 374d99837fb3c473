"""When to try again, how fast to send and when to leave a relay alone: pure decisions over the moments of others."""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta

import pytest

from publisher.mail.alarm import alarm, warning
from publisher.mail.breaker import Breaker, Word, is_closing, pause, word
from publisher.mail.retry import DELAYS, delay
from publisher.mail.throttle import ALL, Lane, Throttle
from publisher.mail.window import opens_at
from publisher.model.delivery import Ending, Fault, Phase, Rates, Tally, Window

NOW = datetime(2026, 3, 4, 6, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)

# Retries --------------------------------------------------------------------------------------------------------------


def test_the_retry_table() -> None:
    assert [step / timedelta(minutes=1) for step in DELAYS] == [5, 15, 30, 60, 120, 240, 480]
    for attempt, least in enumerate([5, 15, 30, 60, 120, 240, 480, 480, 480], start=1):
        assert timedelta(minutes=least) <= delay(attempt, 17) <= timedelta(minutes=least * 1.2)
    assert delay(2, 17, SECOND) == delay(2, 17) / 300


def test_what_was_put_off_together_comes_back_apart_and_always_at_the_same_time() -> None:
    waits = [delay(1, number) for number in range(1000)]
    assert waits == [delay(1, number) for number in range(1000)]
    assert len({wait // SECOND for wait in waits}) > 50
    assert delay(1, 5) != delay(1, 6)


# The breaker ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        (Ending(phase=Phase.BODY, code=250), Word.GOOD),
        (Ending(phase=Phase.RCPT, code=550), Word.GOOD),
        (Ending(phase=Phase.BODY, code=554), Word.GOOD),
        (Ending(phase=Phase.RCPT, code=451), Word.LATER),
        (Ending(phase=Phase.BODY, code=452), Word.LATER),
        (Ending(phase=Phase.CONNECT, fault=Fault.DISCONNECTED), Word.FAILURE),
        (Ending(phase=Phase.GREETING, code=421), Word.FAILURE),
        (Ending(phase=Phase.STARTTLS, fault=Fault.INSECURE), Word.FAILURE),
        (Ending(phase=Phase.RCPT, fault=Fault.TIMEOUT), Word.FAILURE),
        (Ending(phase=Phase.BODY, fault=Fault.DISCONNECTED), Word.FAILURE),
        (Ending(phase=Phase.AUTH, code=454), Word.FAILURE),
        (Ending(phase=Phase.AUTH, code=535), Word.LOCKED_OUT),
        (Ending(phase=Phase.PREPARE, text="KeyError"), Word.NOTHING),
        (Ending(phase=Phase.DATA, fault=Fault.WITHDRAWN), Word.NOTHING),
    ],
)
def test_what_an_ending_says_about_the_relay(ending: Ending, said: Word) -> None:
    assert word(ending) is said


def after(*words: Word) -> Breaker:
    """Returns a breaker that has heard these."""
    breaker = Breaker()
    for each in words:
        breaker = breaker.heard(each)
    return breaker


G, L, F = Word.GOOD, Word.LATER, Word.FAILURE


@pytest.mark.parametrize(
    ("words", "trips"),
    [
        ([], False),
        ([F, F], False),
        ([F, F, F], True),
        ([F, F, G, F, F], False),
        ([F, F, L, F], False),
        ([F, F, Word.NOTHING, F], True),
        ([L] * 9, False),
        ([L] * 10, True),
        ([G, G, G, L] * 50, True),
        ([G, G, G, G, G, L] * 50, False),
        ([L] * 9 + [G] * 40 + [L], True),
        ([L] * 9 + [G] * 41 + [L], False),
    ],
)
def test_it_trips_after_three_failures_or_a_fifth_of_fifty_replies(words: list[Word], *, trips: bool) -> None:
    assert (after(*words).tripped is not None) is trips


def test_the_relay_is_left_alone_ever_longer() -> None:
    seconds = [pause(trips, locked_out=False).total_seconds() for trips in (1, 2, 3, 4, 5, 6, 99)]
    assert seconds == [60, 120, 240, 480, 960, 1800, 1800]
    assert pause(1, locked_out=True) == timedelta(minutes=15)
    assert pause(2, locked_out=False, first=SECOND) == 2 * SECOND


def test_a_421_halves_the_width_and_good_replies_bring_it_back() -> None:
    assert is_closing(Ending(phase=Phase.RCPT, code=421))
    breaker = Breaker().heard(L, closing=True)
    assert breaker.width == 0.5
    assert breaker.heard(L, closing=True).width == 0.25
    for _ in range(50):
        breaker = breaker.heard(G)
    assert breaker.width == pytest.approx(1.0)
    for _ in range(20):
        breaker = breaker.heard(F, closing=True)
    assert breaker.width == 1 / 64


# Rates ----------------------------------------------------------------------------------------------------------------


def granted(rates: Rates, requests: Iterable[tuple[float, str]]) -> list[tuple[float, str]]:
    """Asks at these seconds for a place to these domains, from several processes; returns what was granted."""
    lanes: dict[str, Lane] = {}
    found = []
    for second, domain in requests:
        throttle = Throttle(dict(lanes), rates, NOW + second * SECOND)
        if throttle.room(1) and (place := throttle.place(domain)).granted:
            found.append(((place.at - NOW) / SECOND, domain))
        lanes = throttle.lanes
    return found


def most_within_a_minute(times: list[float]) -> int:
    """Returns how many there are in the fullest minute."""
    return max(sum(start <= at < start + 60 for at in times) for start in times)


@pytest.mark.parametrize("rate", [1, 7, 60, 600])
def test_no_minute_holds_more_than_the_rate_even_when_some_are_late(rate: int) -> None:
    places = [at for at, _ in granted(Rates(rate=rate), ((n / 20, "a") for n in range(20 * 150)))]
    assert most_within_a_minute(places) <= rate
    late = [at + (2.9 if n % 3 == 0 else 0.0) for n, at in enumerate(places)]
    assert most_within_a_minute(late) <= rate
    assert len(places) >= rate * 150 / 66


def test_a_domain_has_its_own_pace_and_blocks_no_other() -> None:
    asked = [(n / 10, domain) for n in range(1500) for domain in ("slow.example", "b.example")]
    found = granted(Rates(rate=60, per_domain=6), asked)
    assert most_within_a_minute([at for at, _ in found]) <= 60
    for domain in ("slow.example", "b.example"):
        own = [at for at, to in found if to == domain]
        assert most_within_a_minute(own) <= 6
        assert len(own) >= 12


def test_places_are_given_out_a_few_seconds_ahead_only() -> None:
    throttle = Throttle({}, Rates(rate=60), NOW)
    assert throttle.room(100) == 10
    assert Throttle({ALL: Lane(free_at=NOW + 30 * SECOND, tail_at=NOW)}, Rates(rate=60), NOW).room(100) == 0
    assert Throttle({}, Rates(), NOW).room(100) == 100


def test_what_is_put_off_queues_up_and_no_further_than_half_an_hour() -> None:
    throttle = Throttle({}, Rates(per_domain=20), NOW)
    places = [throttle.place("a.example") for _ in range(3000)]
    assert [place.granted for place in places[:3]] == [True, False, False]
    waits = [place.at - NOW for place in places[1:]]
    assert waits[:2] == [timedelta(seconds=3.15), timedelta(seconds=6.3)]
    assert waits == sorted(waits)
    assert waits[-1] <= timedelta(minutes=30, seconds=4)


# Hours ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "now", "opens"),
    [
        ("07:00-22:00", "06:59", "07:00"),
        ("07:00-22:00", "07:00", None),
        ("07:00-22:00", "21:59", None),
        ("07:00-22:00", "22:00", "+07:00"),
        ("22:00-06:00", "23:30", None),
        ("22:00-06:00", "05:59", None),
        ("22:00-06:00", "06:00", "22:00"),
    ],
)
def test_the_hours_in_which_issues_go_out(window: str, now: str, opens: str | None) -> None:
    begins, ends = map(time.fromisoformat, window.split("-"))
    hours = Window(begins=begins, ends=ends, timezone="Europe/Istanbul")

    def local(text: str) -> datetime:
        days = 1 if text.startswith("+") else 0
        at = time.fromisoformat(text.removeprefix("+"))
        return datetime(2026, 3, 4 + days, at.hour, at.minute, tzinfo=UTC) - timedelta(hours=3)

    assert opens_at(hours, local(now)) == (local(opens) if opens else None)
    assert str(hours) == window


# Alarms ---------------------------------------------------------------------------------------------------------------


def tally(**counts: int) -> Tally:
    """Returns figures of which most are nought."""
    return Tally(**{"tried": 0, "accepted": 0, "refused": 0, "dead": 0, "complaints": 0} | counts)


@pytest.mark.parametrize(
    ("figures", "code"),
    [
        (tally(), None),
        (tally(tried=4, refused=4), None),
        (tally(tried=5, refused=5), "content"),
        (tally(tried=1000, accepted=981, refused=19), None),
        (tally(tried=1000, accepted=980, refused=20), "content"),
        (tally(tried=20, dead=9), None),
        (tally(tried=20, dead=10), "bounces"),
        (tally(tried=200, dead=10), "bounces"),
        (tally(tried=201, dead=10), None),
        (tally(tried=400, dead=20), "bounces"),  # seen late
        (tally(tried=9, accepted=9, complaints=1), None),
        (tally(tried=9, accepted=9, complaints=2), "complaints"),
        (tally(tried=1000, accepted=1000, complaints=2), None),
        (tally(tried=1000, accepted=1000, complaints=3), "complaints"),
    ],
)
def test_what_stops_an_issue(figures: Tally, code: str | None) -> None:
    reason = alarm(figures)
    assert (reason and reason.partition(":")[0]) == code


@pytest.mark.parametrize(("complaints", "warns"), [(0, False), (1, False), (2, True)])
def test_complaints_warn_before_they_stop(complaints: int, *, warns: bool) -> None:
    assert (warning(tally(accepted=1500, complaints=complaints)) is not None) is warns
