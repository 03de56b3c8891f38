"""What replays say: curves, and who is best on which task."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.strategies.replay import Replay

CLOSE = 1.02
"""Within this ratio of the best a strategy counts as best too."""


@dataclass(frozen=True)
class Curve:
    """How far from the optimum a strategy was after each candidate: ratios, geometric means over tasks and seeds."""

    strategy: str
    after: tuple[float, ...]

    @property
    def area(self) -> float:
        """The geometric mean over the whole search: small where good kernels are found early."""
        return geometric(self.after)


def geometric(values: Iterable[float]) -> float:
    """Return the geometric mean."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))


def curve(strategy: str, replays: Sequence[Replay]) -> Curve:
    """Return the curve of one strategy."""
    mine = [one.regret for one in replays if one.strategy == strategy]
    return Curve(strategy, tuple(geometric(column) for column in zip(*mine, strict=True)))


def by_task(strategy: str, replays: Sequence[Replay]) -> dict[str, float]:
    """Return the geometric mean over seeds of the last best against the optimum, by task."""
    tasks = dict.fromkeys(one.task for one in replays)
    return {
        task: geometric(one.regret[-1] for one in replays if (one.task, one.strategy) == (task, strategy))
        for task in tasks
    }


def best_or_close(strategy: str, others: Sequence[str], replays: Sequence[Replay]) -> int:
    """Return on how many tasks a strategy is the best of these, or within CLOSE of it."""
    mine = by_task(strategy, replays)
    rivals = [by_task(other, replays) for other in others]
    return sum(mine[task] <= CLOSE * min(rival[task] for rival in rivals) for task in mine)
