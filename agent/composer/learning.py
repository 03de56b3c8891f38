"""What the run has shown so far: a linear model of log latency over features, with its own uncertainty.

The usual linear bandit (LinUCB): every judged variant is one observation, a failed one counts as slow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from agent.composer.space import Features

_PRIOR = 1.0
_NOISE = 0.3
FAILED = math.log(3.0)
"""A failed variant counts as three times slower than the baseline."""

_Matrix = np.ndarray[Any, np.dtype[np.float64]]


class Model:
    """Predicts log(latency / baseline latency) of a set of features."""

    def __init__(self, names: Features, seen: Mapping[Features, float]) -> None:
        self._names = names
        self._precision: _Matrix = np.eye(len(names) + 1) / _PRIOR
        self._weighted: _Matrix = np.zeros(len(names) + 1)
        for features, value in seen.items():
            self.observe(features, value)

    def _row(self, features: Iterable[str]) -> _Matrix:
        chosen = set(features)
        return np.array([1.0, *(float(name in chosen) for name in self._names)])

    def observe(self, features: Features, value: float) -> None:
        """Take in a measured, or an assumed, value."""
        row = self._row(features)
        self._precision += np.outer(row, row) / _NOISE**2
        self._weighted += row * value / _NOISE**2

    def predict(self, features: Features) -> tuple[float, float]:
        """Return the expected value and its standard deviation."""
        row = self._row(features)
        mean = float(row @ np.linalg.solve(self._precision, self._weighted))
        variance = float(row @ np.linalg.solve(self._precision, row))
        return mean, math.sqrt(max(variance, 0.0))

    def effect(self, feature: str) -> float:
        """Return what a feature seems to add to the log latency; below 0 is a gain."""
        weights = np.linalg.solve(self._precision, self._weighted)
        return float(weights[1 + self._names.index(feature)])
