"""A relay that dies in the middle of an issue and comes back: everybody once but for what was in flight."""

import asyncio
from collections import Counter
from pathlib import Path

from crashes import PROVE, Yard, ended

PEOPLE = 10_000 if PROVE else 400
CONNECTIONS = 8
DEATHS = 3


async def test_a_relay_that_dies_three_times_loses_nobody(migrated_sqlite: Path, tmp_path: Path) -> None:
    """Its process is killed with answers still owed; the breaker waits, one message tries, and the issue goes on."""
    yard = Yard(tmp_path, PEOPLE, None, migrated_sqlite)
    await yard.prepare()
    async with yard.place(connections=CONNECTIONS, relay_pause=0.5, retry_after=0.5) as place:
        process = place.start(until_done=True)
        for death in range(1, DEATHS + 1):
            while place.sink.count() < PEOPLE * death // (DEATHS + 1):
                assert process.is_alive()
                await asyncio.sleep(0.005)
            place.sink.die()
            await asyncio.sleep(1)
            arrived = place.sink.count()
            await asyncio.sleep(0.5)
            assert place.sink.count() == arrived < PEOPLE
            place.sink.revive()
        assert await ended(process) == 0
        copies, rows, (state, expected) = place.sink.copies(), place.rows(), place.issue()
        suppressed = place.ask("SELECT count(*) FROM suppressions")
    assert (state, expected) == ("done", PEOPLE)
    assert Counter(rows.values()) == {"accepted": PEOPLE}
    per_person = Counter(recipient for recipient, _ in copies)
    assert len(per_person) == PEOPLE
    assert len(set(copies)) == PEOPLE  # one Message-ID each
    assert max(per_person.values()) <= 2
    assert len(copies) - PEOPLE <= CONNECTIONS * DEATHS
    assert suppressed == [(0,)]
