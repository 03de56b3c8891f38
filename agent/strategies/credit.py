"""Credit: what features have gained, in this run and in earlier ones, and draws from what is believed of them.

A belief is a normal distribution over the gain of a feature, as the logarithm of the latency before over the latency
after. Its prior is the feature's page; gains over the parent in earlier runs move it, those of the same kind of task
on the same architecture most. Within a run a linear model of the log latency over the features in use goes on from
there (Bayesian linear regression; Thompson sampling draws from its posterior).
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from agent.candidates import Belief, Line
from agent.store.credits import Earned
from prompts import Feature

FAR = math.log(2.0)
"""As far from the best as counts, as a logarithm of a ratio of latencies."""
FAILED = 3 * FAR
"""How far a failed kernel is."""
_OFFSET_VARIANCE = 0.25
_NOISE = 0.1
_PAGE_SD = 0.5
_UNKNOWN_SD = 0.5
_SPREAD = 0.4
"""Standard deviation of one gain around what its feature gains on average."""
_KIND_AND_ARCHITECTURE, _KIND, _ANY = 1.0, 0.5, 0.2
"""What a gain counts where it was earned on the like, on another architecture, on another kind of task."""
_MOST = 4.0
"""Gains of earlier runs that are believed at most: what this run shows must be able to say otherwise."""
FAILURE = -0.2
"""What a failed attempt counts as, as a logarithm of a gain."""

_PAIRED = 10
"""Features of a run whose pairs count, the most used ones."""
_PAIR = Belief(0.0, 0.15)
"""What is believed of two features together, beyond what each does."""

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
    found = {feature.name: Belief(_promised(feature, kind), _PAGE_SD) for feature in features}
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


def _promised(feature: Feature, kind: str) -> float:
    """What a page says of a kind of task, as a logarithm of a gain; nothing of kinds that it does not name."""
    return math.log(feature.gain) if kind in feature.applies_to else 0.0


def _moved(prior: Belief, seen: Sequence[tuple[float, float]]) -> Belief:
    """Return a belief after weighted means of gains (conjugate normal, known variance)."""
    total = sum(weight for weight, _ in seen)
    count = min(total, _MOST)
    mean = sum(weight * value for weight, value in seen) / total
    precision = 1 / prior.sd**2 + count / _SPREAD**2
    return Belief((prior.mean / prior.sd**2 + mean * count / _SPREAD**2) / precision, precision**-0.5)


class Effects:
    """Predicts how far a kernel with a set of features is from the best one: less is better.

    Beside each feature, pairs of those that this run has used count: what two do together is seldom what each does.
    """

    def __init__(
        self, names: Sequence[str], seen: Mapping[frozenset[str], float], prior: Mapping[str, Belief]
    ) -> None:
        """Take in what was seen.

        Args:
            names: Features that can be in use.
            seen: What `observed` says, by the features in use.
            prior: What is believed of the features; of those without a belief nothing.
        """
        used = Counter(name for features in seen for name in features)
        met = sorted(name for name, _ in used.most_common(_PAIRED) if name in set(names))
        terms = [*((name,) for name in names), *combinations(met, 2)]
        self._at = {frozenset(term): position for position, term in enumerate(terms, start=1)}
        known = [prior.get(term[0], Belief(0.0, 1.0)) if len(term) == 1 else _PAIR for term in terms]
        variances = np.array([_OFFSET_VARIANCE, *(one.sd**2 for one in known)])
        self._precision: _Matrix = np.diag(1 / variances)
        self._weighted: _Matrix = np.array([FAR, *(-one.mean for one in known)]) / variances
        for features, value in seen.items():
            self.observe(features, value)

    def observe(self, features: Iterable[str], value: float) -> None:
        """Take in a measured, an estimated or an assumed value."""
        row = self._row(features)
        self._precision += np.outer(row, row) / _NOISE**2
        self._weighted += row * value / _NOISE**2
        self.__dict__.pop("_covariance", None)

    def predict(self, features: Iterable[str]) -> tuple[float, float]:
        """Return the expected value and its standard deviation."""
        row = self._row(features)
        return float(row @ self._mean), math.sqrt(max(float(row @ self._covariance @ row), 0.0))

    def effect(self, feature: str) -> float:
        """Return what a feature alone seems to add to the distance; below 0 is a gain."""
        return float(self._mean[self._at[frozenset((feature,))]])

    def draw(self, rng: random.Random) -> Draw:
        """Draw what features and pairs add to the distance from the posterior (Thompson sampling)."""
        noise = np.array([rng.gauss(0.0, 1.0) for _ in range(len(self._weighted))])
        drawn = self._mean + np.linalg.cholesky(self._covariance) @ noise
        return Draw({term: float(drawn[position]) for term, position in self._at.items()})

    @cached_property
    def _covariance(self) -> _Matrix:
        """Of the posterior, until something more is observed."""
        return np.asarray(np.linalg.inv(self._precision), np.float64)

    @property
    def _mean(self) -> _Matrix:
        return self._covariance @ self._weighted

    def _row(self, features: Iterable[str]) -> _Matrix:
        row = np.zeros(len(self._at) + 1)
        row[0] = 1.0
        chosen = set(features)
        for size in (1, 2):
            for term in combinations(chosen, size):
                if (position := self._at.get(frozenset(term))) is not None:
                    row[position] = 1.0
        return row


@dataclass(frozen=True)
class Draw:
    """One draw of what features, and pairs of them, add to the distance from the best."""

    terms: Mapping[frozenset[str], float]

    def change(self, feature: str, others: Iterable[str]) -> float:
        """Return what a feature adds where these others are in use."""
        alone = self.terms.get(frozenset((feature,)), 0.0)
        return alone + sum(
            self.terms.get(frozenset((feature, other)), 0.0) for other in others if other != feature
        )


def observed(lines: Iterable[Line], baseline: Line) -> dict[frozenset[str], float]:
    """Return how far each set of features in use is from the best: the log of the ratio of latencies, at most FAR.

    What is far from the best is far, be it twice or a thousand times: differences near the best must not drown in
    those that no search will go back to. A failed kernel is farther still.
    """
    judged = [baseline, *(line for line in lines if not line.lost)]
    best = min((line.latency_us for line in judged if line.correct and line.latency_us), default=1.0)
    found: dict[frozenset[str], float] = {}
    for line in judged:
        used = frozenset(line.used)
        if line.correct and line.latency_us:
            found[used] = min(math.log(line.latency_us / best), FAR, found.get(used, FAR))
        elif line.sha is not None:
            found.setdefault(used, FAILED)
    return found
