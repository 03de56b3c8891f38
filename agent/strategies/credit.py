"""Credit: what features have gained, in this run and in earlier ones, and draws from what is believed of them.

A belief is a normal distribution over the gain of a feature, as the logarithm of the latency before over the latency
after. Its prior is the feature's page; gains over the parent in earlier runs move it, those of the same kind of task
on the same architecture most. Within a run a linear model of the log latency over the features in use goes on from
there (Bayesian linear regression; Thompson sampling draws from its posterior).
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from agent.candidates import Belief, Line
from agent.store.credits import Earned
from prompts import Feature

FAILED = math.log(3.0)
"""A failed kernel counts as three times slower than the baseline."""
_OFFSET_VARIANCE = 0.25
_NOISE = 0.2
_PAGE_SD = 0.35
_UNKNOWN_SD = 0.5
_SPREAD = 0.4
"""Standard deviation of one gain around what its feature gains on average."""
_KIND_AND_ARCHITECTURE, _KIND, _ANY = 1.0, 0.5, 0.2
"""What a gain counts where it was earned on the like, on another architecture, on another kind of task."""
_MOST = 4.0
"""Gains of earlier runs that are believed at most: what this run shows must be able to say otherwise."""
FAILURE = -0.2
"""What a failed attempt counts as, as a logarithm of a gain."""

_Matrix = np.ndarray[Any, np.dtype[np.float64]]


def beliefs(
    features: Sequence[Feature], earned: Iterable[Earned], kind: str, architecture: str
) -> dict[str, Belief]:
    """Return what is believed of each feature before a run.

    Args:
        features: Their pages are the prior.
        earned: In earlier runs, of one provenance or of several.
        kind: Of the task.
        architecture: Of the device, as in `sm_90`.
    """
    found = {feature.name: Belief(math.log(feature.gain), _PAGE_SD) for feature in features}
    evidence: dict[str, list[tuple[float, float]]] = {}
    for one in earned:
        alike = one.kind == kind
        exact = alike and one.architecture == architecture
        weight = _KIND_AND_ARCHITECTURE if exact else _KIND if alike else _ANY
        value = (one.log_gain + FAILURE * (one.tries - one.correct)) / one.tries
        evidence.setdefault(one.feature, []).append((weight * one.tries, value))
    for name, seen in evidence.items():
        found[name] = _moved(found.get(name, Belief(0.0, _UNKNOWN_SD)), seen)
    return found


def _moved(prior: Belief, seen: Sequence[tuple[float, float]]) -> Belief:
    """Return a belief after weighted means of gains (conjugate normal, known variance)."""
    total = sum(weight for weight, _ in seen)
    count = min(total, _MOST)
    mean = sum(weight * value for weight, value in seen) / total
    precision = 1 / prior.sd**2 + count / _SPREAD**2
    return Belief((prior.mean / prior.sd**2 + mean * count / _SPREAD**2) / precision, precision**-0.5)


class Effects:
    """Predicts log(latency / baseline latency) of a set of features; below 0 is faster than the baseline."""

    def __init__(
        self, names: Sequence[str], seen: Mapping[frozenset[str], float], prior: Mapping[str, Belief]
    ) -> None:
        """Take in what was seen.

        Args:
            names: Features that can be in use.
            seen: Log latency ratio by the features in use.
            prior: What is believed of the features; of those without a belief nothing.
        """
        self._at = {name: position for position, name in enumerate(names, start=1)}
        known = [prior.get(name, Belief(0.0, 1.0)) for name in names]
        variances = np.array([_OFFSET_VARIANCE, *(one.sd**2 for one in known)])
        self._precision: _Matrix = np.diag(1 / variances)
        self._weighted: _Matrix = np.array([0.0, *(-one.mean for one in known)]) / variances
        for features, value in seen.items():
            self.observe(features, value)

    def observe(self, features: Iterable[str], value: float) -> None:
        """Take in a measured, an estimated or an assumed value."""
        row = self._row(features)
        self._precision += np.outer(row, row) / _NOISE**2
        self._weighted += row * value / _NOISE**2

    def predict(self, features: Iterable[str]) -> tuple[float, float]:
        """Return the expected value and its standard deviation."""
        row = self._row(features)
        mean = float(row @ np.linalg.solve(self._precision, self._weighted))
        return mean, math.sqrt(max(float(row @ np.linalg.solve(self._precision, row)), 0.0))

    def effect(self, feature: str) -> float:
        """Return what a feature seems to add to the log latency; below 0 is a gain."""
        return float(np.linalg.solve(self._precision, self._weighted)[self._at[feature]])

    def draw(self, rng: random.Random) -> dict[str, float]:
        """Draw what each feature adds to the log latency from the posterior (Thompson sampling)."""
        mean = np.linalg.solve(self._precision, self._weighted)
        factor = np.linalg.cholesky(self._precision)
        noise = np.array([rng.gauss(0.0, 1.0) for _ in range(len(mean))])
        drawn = mean + np.linalg.solve(factor.T, noise)
        return {name: float(drawn[position]) for name, position in self._at.items()}

    def _row(self, features: Iterable[str]) -> _Matrix:
        row = np.zeros(len(self._at) + 1)
        row[0] = 1.0
        for name in features:
            if name in self._at:
                row[self._at[name]] = 1.0
        return row


def observed(lines: Iterable[Line], baseline_us: float | None) -> dict[frozenset[str], float]:
    """Return the log latency over the baseline's by the features in use: the best of each set, or FAILED."""
    found: dict[frozenset[str], float] = {}
    for line in lines:
        used = frozenset(line.used)
        if line.correct and line.latency_us:
            value = math.log(line.latency_us / (baseline_us or 1.0))
            found[used] = min(value, found.get(used, math.inf))
        elif not line.lost and line.sha is not None:
            found.setdefault(used, FAILED)
    return found
