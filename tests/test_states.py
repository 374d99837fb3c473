"""docs/states.md is drawn from the tables in the code; what leaves a terminal state is said by somebody."""

from pathlib import Path

import pytest

from publisher.model.issue import TERMINAL, DeliveryState, IssueState
from publisher.model.moves import DELIVERY_MOVES, ISSUE_MOVES, Move

PAGE = (Path(__file__).parents[1] / "docs" / "states.md").read_text(encoding="utf-8")


def drawn(moves: tuple[Move[DeliveryState], ...] | tuple[Move[IssueState], ...]) -> str:
    """Returns the drawing of a machine."""
    lines = [f"    {move.before or '[*]'} --> {move.after}: {move.when}" for move in moves]
    ends = {move.after for move in moves} - {move.before for move in moves}
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, *(f"    {end} --> [*]" for end in sorted(ends)), "```"])


@pytest.mark.parametrize("moves", [DELIVERY_MOVES, ISSUE_MOVES], ids=["delivery", "issue"])
def test_the_page_draws_what_the_code_says(moves: tuple[Move[DeliveryState], ...]) -> None:
    assert drawn(moves) in PAGE, f"docs/states.md should contain:\n{drawn(moves)}"


def test_every_state_is_reached_and_no_move_is_said_twice() -> None:
    for moves, states in ((DELIVERY_MOVES, set(DeliveryState)), (ISSUE_MOVES, set(IssueState))):
        assert {move.after for move in moves} == states
        assert len({(move.before, move.after) for move in moves}) == len(moves)


def test_only_an_operators_word_leaves_a_terminal_state() -> None:
    leaving = {(move.before, move.when) for move in DELIVERY_MOVES if move.before in TERMINAL}
    assert leaving == {(DeliveryState.REJECTED, "issues retry"), (DeliveryState.EXPIRED, "issues retry")}
