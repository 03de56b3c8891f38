"""Chooses what to try next, from nothing but what was measured in this run."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from agent.candidates import CandidatePlan, Parent, Trial
from agent.composer.learning import FAILED, Model
from agent.composer.space import Features, Space
from agent.proposer import PlanContext
from sandbox.verdict import Verdict

_MOST_ADDED = 3
_CURIOSITY = 0.5
_HINT = 0.1
_JITTER = 0.02
_EFFORT = 0.02
"""What each further setting to judge must promise to gain, in log latency."""
_SHORTER = 0.01


@dataclass(frozen=True)
class Move:
    """A step from a parent (None: a fresh start) by some features to the features that result."""

    parent: Parent | None
    added: Features
    result: Features


def plans(context: PlanContext, space: Space) -> list[CandidatePlan]:
    """Choose the candidates of a round; fewer than wanted only where nothing untried is in reach."""
    rng = random.Random(context.seed)
    seen = measured(context.history, space, _baseline_us(context))
    model = Model(space.features, seen)
    hints = set(context.critique.features) if context.critique else set[str]()
    moves = _moves(context.parents, space, seen)
    bias = {
        move.result: rng.uniform(0, _JITTER) - _EFFORT * (space.settings(move.result) - 1) for move in moves
    }
    chosen: list[CandidatePlan] = []
    while moves and len(chosen) < context.candidates:
        best = max(moves, key=lambda move: _worth(move, model, hints) + bias[move.result])
        chosen.append(
            CandidatePlan(best.parent.sha if best.parent else None, best.added, _why(best, model, seen))
        )
        expected, _ = model.predict(best.result)
        model.observe(best.result, expected)
        moves.remove(best)
    return chosen


def measured(history: Sequence[Trial], space: Space, baseline_us: float | None) -> dict[Features, float]:
    """Say how every variant tried so far did: log of its latency over the baseline's, or FAILED."""
    found: dict[Features, float] = {}
    for trial in history:
        features = space.by_sha.get(trial.sha or "")
        if features is None:
            continue
        if trial.verdict is Verdict.PASS and trial.latency_us:
            found[features] = math.log(trial.latency_us / (baseline_us or 1.0))
        elif trial.verdict is Verdict.UNDECIDED:
            found.setdefault(features, 0.0)  # tried, and nothing learnt: as good as the baseline
        elif trial.verdict is not Verdict.PASS:
            found.setdefault(features, FAILED)
    return found


def _baseline_us(context: PlanContext) -> float | None:
    profile = context.baseline.profile
    return None if profile is None else profile.latency_us


def _moves(parents: Sequence[Parent], space: Space, seen: dict[Features, float]) -> list[Move]:
    """List the untried variants in reach, each by its shortest way from the best parent."""
    found: dict[Features, Move] = {}
    for move in _all_moves(parents, space):
        known = found.get(move.result)
        if move.result not in seen and (known is None or len(move.added) < len(known.added)):
            found[move.result] = move
    return list(found.values())


def _all_moves(parents: Sequence[Parent], space: Space) -> Iterator[Move]:
    correct = [parent for parent in parents if _is_correct(parent, space)]
    for parent in [*correct, None]:
        before = (space.features_in(parent) or ()) if parent else ()
        fresh = [name for name in space.features if name not in before]
        for count in range(1, _MOST_ADDED + 1):
            for added in combinations(fresh, count):
                yield Move(parent, added, space.settle((*before, *added)))


def _is_correct(parent: Parent, space: Space) -> bool:
    trial = parent.trial
    return trial is not None and trial.verdict is Verdict.PASS and space.features_in(parent) is not None


def _worth(move: Move, model: Model, hints: set[str]) -> float:
    expected, uncertain = model.predict(move.result)
    hinted = _HINT * len(hints & set(move.added))
    return -expected + _CURIOSITY * uncertain + hinted - _SHORTER * len(move.added)


def _why(move: Move, model: Model, seen: dict[Features, float]) -> str:
    start = "Starts fresh with" if move.parent is None else "Adds to a correct kernel:"
    names = ", ".join(move.added)
    if not seen:
        return f"{start} {names}; nothing is measured yet, so this is to learn what they do."
    change = math.expm1(sum(model.effect(name) for name in move.added)) * 100
    return f"{start} {names}; by this run's results that changes the latency by about {change:+.0f} %."
