"""How many read: counted without keeping who."""

import pickle
from typing import Any

import pytest

from publisher.web.readership import Readership, Sketch


class Seconds:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def scope(peer: str, agent: str = "Reader/1.0", method: str = "GET") -> dict[str, Any]:
    return {"method": method, "client": (peer, 1), "headers": [(b"user-agent", agent.encode())]}


@pytest.mark.parametrize(
    ("agent", "name", "number"),
    [
        ("Feedly/1.0 (+http://www.feedly.com/fetcher.html; 16 subscribers; like FeedFetcher-Google)", "Feedly", 16),
        ("Inoreader/1.0 (+http://www.inoreader.com/feed-fetcher; 1 subscribers; )", "Inoreader", 1),
        ("NewsBlur Feed Fetcher - 12 subscribers - https://www.newsblur.com/site/1/x", "NewsBlur", 12),
        ("Feedbin feed-id:1337 - 4 subscribers", "Feedbin", 4),
        ("The Old Reader/1.0 (+http://theoldreader.com; 3 subscribers; feed-id=1)", "The Old Reader", 3),
        ("Someone/2 (1 reader)", "other", 1),
    ],
)
def test_an_aggregator_says_for_how_many_it_asks(agent: str, name: str, number: int):
    """The latest word counts, also of one that asks from many machines; it is no program of its own."""
    readership = Readership(Seconds())
    readership.note(scope("192.0.2.1", agent.replace(f"{number} ", "99 ", 1)), "/feeds/all.rss", 200)
    readership.note(scope("192.0.2.2", agent), "/feeds/all.rss", 304)
    assert list(readership.subscribers()) == [("/feeds/all.rss", name, number)]
    assert list(readership.programs()) == []


@pytest.mark.parametrize("agent", ["", "Reader/1.0 subscribers", "x" * 10_000, "999999999999 subscribers"])
def test_what_is_no_claim_is_a_program(agent: str):
    readership = Readership(Seconds())
    readership.note(scope("192.0.2.1", agent), "/feeds/all.rss", 200)
    assert list(readership.subscribers()) == []
    assert list(readership.programs()) == [("/feeds/all.rss", 1)]


def test_a_program_counts_once_a_day_however_often_it_asks():
    """The last whole day stays to be told; the day before is forgotten, and a claim after a week."""
    seconds = Seconds()
    readership = Readership(seconds)
    for number in range(600):
        readership.note(scope(f"192.0.2.{number % 200}"), "/feeds/all.rss", 304 if number >= 200 else 200)
    readership.note(scope("192.0.2.1", "Feedly/1.0 (5 subscribers)"), "/feeds/all.rss", 200)
    [(_, found)] = readership.programs()
    assert found == pytest.approx(200, rel=0.1)
    assert readership.answers == {200: 201, 304: 400}
    seconds.now += 86400 + 5
    readership.note(scope("192.0.2.1"), "/feeds/all.rss", 200)
    assert list(readership.programs()) == [("/feeds/all.rss", found)]
    seconds.now += 86400
    assert list(readership.programs()) == [("/feeds/all.rss", 1)]
    seconds.now += 6 * 86400
    assert list(readership.programs()) == []
    assert list(readership.subscribers()) == []


def test_nobody_is_remembered_and_memory_has_an_end():
    """No address is in what is kept; feeds and claims without end push out the oldest."""
    readership = Readership(Seconds())
    for number in range(3000):
        readership.note(scope("198.51.100.77", f"Other/{number}"), f"/feeds/tags/{number}.rss", 200)
        readership.note(scope("198.51.100.77", f"Other/1 ({number} subscribers)"), f"/feeds/tags/{number}.rss", 200)
    assert len(list(readership.programs())) == 200
    assert len(list(readership.subscribers())) == 1000
    readership._seconds = abs  # type: ignore[assignment]  # what can be written down
    kept = pickle.dumps(vars(readership))
    assert b"198.51.100.77" not in kept
    assert b"Other/" not in kept
    assert len(kept) < 500_000


def test_neither_a_look_nor_a_refusal_is_a_reader():
    readership = Readership(Seconds())
    readership.note(scope("192.0.2.1", method="HEAD"), "/feeds/all.rss", 200)
    readership.note(scope("192.0.2.1"), "/feeds/all.rss", 429)
    assert list(readership.programs()) == []


@pytest.mark.parametrize("number", [0, 1, 10, 1000, 50_000])
def test_a_sketch_is_about_right(number: int):
    """Within three standard errors (3 × 1.04 / √1024)."""
    import hashlib

    sketch = Sketch()
    for one in range(number):
        sketch.add(int.from_bytes(hashlib.blake2b(str(one).encode(), digest_size=8).digest(), "big"))
    assert sketch.count() == pytest.approx(number, rel=0.0975)
