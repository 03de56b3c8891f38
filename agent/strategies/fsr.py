"""FSR as the paper has it (arXiv 2506.09092): N candidates a round, D rounds, feedback by the stage that was reached.

Every candidate of a round builds on the fastest correct kernel of the round before it. Where none of that round is
correct, its failed kernels are repaired, each with what its stage said. The paper knows neither patience nor the best
of all rounds as a parent; the best is kept for the user all the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from agent.candidates import Line, Slot
from agent.strategies.base import RunView, beginning, failed, repair, rounds_without_gain


class Fsr:
    """Feature Search and Reinforcement, the baseline that other strategies are held against."""

    name = "fsr"

    def slots(self, view: RunView, count: int) -> Sequence[Slot]:
        """Return slots that all build on one kernel, or that repair the last round's."""
        last = _last_round(view)
        right = [line for line in last if line.correct and line.sha]
        if right:
            parent = min(right, key=lambda line: (line.latency_us or math.inf, line.place))
            why = f"{parent.name} is the fastest of the last round"
            return [Slot((parent.sha,) if parent.sha else (), (), why, "fastest")] * count
        broken = failed(last)
        if broken:
            return [repair(broken[number % len(broken)]) for number in range(count)]
        return beginning(view, count)

    def stalled(self, view: RunView) -> bool:
        """Whether someone asked for patience, and it is at its end; the paper stops at its depth alone."""
        return view.patience is not None and rounds_without_gain(view) >= view.patience


def _last_round(view: RunView) -> list[Line]:
    """Return the candidates of the last round in which anything answered."""
    told = [line for line in view.lines if not line.lost]
    number = max((line.round for line in told), default=0)
    return [line for line in told if line.round == number]
