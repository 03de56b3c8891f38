"""Features that made no difference in a run: kernels that differ in nothing else are twins, and one is enough."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable

from agent.candidates import Line
from agent.strategies.base import GAIN, RunView

_NEAR = 1.5
"""How much slower than the best a pair of kernels may be that says of a feature that it is idle: what bounds those
that are slower may hide what it does."""


def idle_features(view: RunView) -> frozenset[str]:
    """Return the features without which kernels of this run, none far from the best, took the same time.

    A feature is idle as long as every pair of correct kernels that differ in it alone says so, and there is one.
    """
    times = _times((view.baseline, *view.lines))
    limit = _NEAR * min(times.values(), default=math.inf)
    told: defaultdict[str, list[bool]] = defaultdict(list)
    for features, with_it in times.items():
        for name in features:
            before = times.get(features - {name})
            if before is not None and min(with_it, before) <= limit:
                told[name].append(abs(math.log(with_it / before)) < GAIN)
    return frozenset(name for name, same in told.items() if all(same))


class Known:
    """What was tried in a run, as sets of features in use less the idle ones."""

    def __init__(self, view: RunView) -> None:
        self.idle = idle_features(view)
        lines = (view.baseline, *(line for line in view.lines if not line.lost and line.sha is not None))
        self._exact = {frozenset(line.used) for line in lines}
        self._apart = {frozenset(used - self.idle) for used in self._exact}

    def add(self, features: Collection[str]) -> None:
        """Take in what a slot of this round is to try."""
        self._exact.add(frozenset(features))
        self._apart.add(frozenset(features) - self.idle)

    def new(self, sets: Iterable[frozenset[str]]) -> list[frozenset[str]]:
        """Return those that are no twins of what was tried, else those that were not tried as they are; sorted."""
        left = {features for features in sets if features not in self._exact}
        apart = {features for features in left if features - self.idle not in self._apart}
        return sorted(apart or left, key=sorted)


def _times(lines: Iterable[Line]) -> dict[frozenset[str], float]:
    """Return the best latency of each set of features in use."""
    found: dict[frozenset[str], float] = {}
    for line in lines:
        if line.correct and line.latency_us:
            used = frozenset(line.used)
            found[used] = min(line.latency_us, found.get(used, math.inf))
    return found
