"""The rate over all nodes, by the sink's clock: a matter of minutes, so it is `make prove-nodes` that runs it."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from crashes import Yard, judge
from test_nodes import CONNECTIONS, NODES, Nodes

MINUTE = 60.0


@pytest.mark.parametrize("rate", [120, 1200])
async def test_the_rate_holds_over_all_nodes_while_who_holds_it_is_stopped(
    postgresql_server: str, migrated_postgresql: str, tmp_path: Path, rate: int
) -> None:
    """Every minute, wherever it begins, by the sink's clock; the node with most in hand is stopped, again and again."""
    people = rate * 3
    yard = Yard(tmp_path, people, postgresql_server, migrated_postgresql)
    await yard.prepare()
    async with yard.place(connections=CONNECTIONS, rate=rate, engine=True) as place:
        nodes = Nodes(place)
        for _ in range(NODES):
            nodes.join()
        pids = "SELECT b.pid FROM deliveries d JOIN boots b ON b.id = d.boot_id GROUP BY 1 ORDER BY count(*) DESC"
        stops = 0
        while place.sink.count() < people * 3 // 4:
            await asyncio.sleep(5)
            holders = place.ask(f"{pids} LIMIT 1")
            if holders:
                stops += 1
                (pid,) = holders[0]
                os.kill(pid, signal.SIGSTOP)
                await asyncio.sleep(12)
                os.kill(pid, signal.SIGCONT)
        await nodes.end()
        assert judge(place, people, crashes=stops) <= CONNECTIONS * stops
        moments = sorted(at for at, _, _ in place.sink.arrivals())
        most = max(sum(1 for at in moments[n:] if at < begin + MINUTE) for n, begin in enumerate(moments))
        mean = len(moments) / (moments[-1] - moments[0]) * MINUTE
        print(f"rate {rate}: at most {most} in any minute, {mean:.0f} in the mean, {stops} stops")
        assert most <= rate
