"""Slots that have nothing to do with what is best so far: a search that only improves its best keeps to a plateau."""

from __future__ import annotations

from agent.candidates import Slot
from agent.strategies.base import RunView, rounds_without_gain
from agent.strategies.suggesting import Suggestions, built_on

ONE_IN = 4
"""One candidate of so many explores."""


def exploring(view: RunView, suggestions: Suggestions, count: int, room: int) -> list[Slot]:
    """Return the exploring slots of a round; after a round without a gain what is believed has no say in them.

    Args:
        view: Before the round.
        suggestions: Of the round.
        count: Candidates of the round.
        room: Of these, those that may explore.
    """
    wanted = view.round * count // ONE_IN - (view.round - 1) * count // ONE_IN
    found: list[Slot] = []
    for _ in range(min(wanted, room)):
        drawn = suggestions.elsewhere(blindly=rounds_without_gain(view) > 0)
        if drawn is None:
            break
        line, change = drawn
        why = f"far from the best so far, and nearest to {line.name}: is there more to be had?"
        found.append(built_on((line,), change, why, "elsewhere"))
    return found
