"""How many share a commit: everybody where the relay is quicker than the disk; who is late keeps nobody waiting."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from leaping import leap
from publisher.model.delivery import Boot, Claimed, Ended, Ending, Outcome, Phase
from publisher.model.issue import DeliveryState, IssueKind
from publisher.services import marks as marks_module
from publisher.services.marks import Marks

NOW = datetime(2026, 3, 4, 6, 0, tzinfo=UTC)
BOOT = Boot(id="one", folder="/a", host="h", pid=1, started_at=NOW)


class Disk:
    """A store that only takes its time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.commits: list[int] = []
        """How many beginnings each carried."""

    async def mark(
        self, boot: Boot, now: datetime, begun: Sequence[Claimed], ended: Sequence[Ended], *, margin: timedelta
    ) -> set[int]:
        await asyncio.sleep(self._seconds)
        self.commits.append(len(begun))
        return {row.number for row in begun}


@pytest.fixture
def at_leaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured is measured by the loop's own time, which only leaps."""
    monkeypatch.setattr(marks_module, "time", SimpleNamespace(monotonic=lambda: asyncio.get_running_loop().time()))


def row(number: int) -> Claimed:
    """Returns a delivery in hand."""
    return Claimed(
        number=number, issue=1, kind=IssueKind.DIGEST, newsletter="daily", edition=1, event=None, variant=1,
        subscriber=number, address=f"reader{number}@example.com", address_hash="", name="", token_generation=1,
        attempts=1, refusals=0, resends=0,
    )  # fmt: skip


async def connection(marks: Marks, first: int, messages: int, seconds: float) -> None:
    """Carries messages one after the other, each so long on its way."""
    for number in range(first, first + messages):
        assert await marks.begin(row(number))
        await asyncio.sleep(seconds)
        marks.end(
            Ended(
                number=number,
                was=DeliveryState.IN_FLIGHT,
                ending=Ending(phase=Phase.BODY, code=250),
                outcome=Outcome(state=DeliveryState.ACCEPTED),
                at=NOW,
                next_at=NOW,
            ),
            at_once=False,
        )


@pytest.mark.parametrize("seconds", [0.0, 0.03])
def test_all_connections_share_a_commit_whether_the_disk_is_quicker_than_the_relay_or_slower(
    at_leaps: None, seconds: float
) -> None:
    leap(_shared(seconds))


async def _shared(seconds: float) -> None:
    disk = Disk(seconds)
    marks = Marks(disk, BOOT, lambda: NOW, timedelta(minutes=15))  # type: ignore[arg-type]
    relays = [0.0, 0.0005, 0.001, 0.002] * 2
    await asyncio.gather(*(connection(marks, 1000 * n, 20, seconds) for n, seconds in enumerate(relays)))
    await marks.close()
    assert sum(disk.commits) == 160
    assert sum(disk.commits[3:-3]) / len(disk.commits[3:-3]) > 7


def test_one_connection_that_is_late_keeps_nobody_waiting(at_leaps: None) -> None:
    leap(_late())


async def _late() -> None:
    disk = Disk(0.02)
    marks = Marks(disk, BOOT, lambda: NOW, timedelta(minutes=15))  # type: ignore[arg-type]
    assert await marks.begin(row(1))  # and its mail is on its way for ever
    await asyncio.sleep(0.06)  # longer than anybody is waited for
    await asyncio.gather(*(connection(marks, 1000 * n, 5, 0.0) for n in range(1, 3)))
    assert 1 not in marks._expected
    await marks.close()
    assert sum(disk.commits) == 11
    assert len(disk.commits) <= 1 + 5 + 2  # the two stay together
