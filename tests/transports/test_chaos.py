"""T-CHAOS as far as it needs no waiting, and two of the cases that do; `make prove-wire` runs the rest."""

import asyncio

import pytest

from chaos import AFTER_A_WHILE, AT_ONCE, OUT_OF_STEP, PEOPLE, STAGES, Cell, came_of, cells, hold, patience

WAITED_FOR = {("DOT", "silence"), ("RCPT", "silence"), ("MAIL", "drip")}


@pytest.mark.parametrize("cell", cells(AT_ONCE), ids=str)
@pytest.mark.parametrize("pipelined", [False, True], ids=["plain", "pipelined"])
async def test_what_a_relay_does_wrong(cell: Cell, pipelined: bool) -> None:
    await hold(cell, pipelined=pipelined, seconds=60.0)


async def test_a_relay_that_lets_us_wait() -> None:
    waited_for = [cell for cell in cells(AFTER_A_WHILE) if (cell.stage, cell.fault) in WAITED_FOR]
    assert len(waited_for) == len(WAITED_FOR)
    async with asyncio.TaskGroup() as group:
        for cell in waited_for:
            for pipelined in (False, True):
                group.create_task(hold(cell, pipelined=pipelined, seconds=2.0))


def test_every_stage_is_struck() -> None:
    struck = cells(AT_ONCE)
    assert {cell.stage for cell in struck} == set(STAGES)
    assert all(len(cell.plain) == len(cell.pipelined) == PEOPLE + len("/2") for cell in struck)


@pytest.mark.parametrize("fault", sorted(OUT_OF_STEP))
async def test_replies_out_of_step_end_pipelining_with_that_relay(fault: str) -> None:
    result = await came_of(Cell("RCPT", fault, "", ""), pipelined=True, patience=patience(60.0))
    assert result.pipelining is False
    orderly = await came_of(Cell("RCPT", "421", "", ""), pipelined=True, patience=patience(60.0))
    assert orderly.pipelining is True
