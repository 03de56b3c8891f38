"""Makes plans of slots: what a slot asks for, or else what this run and credit let expect most of."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from agent.candidates import CandidatePlan, Line, Parent, Slot, Trial
from agent.composer.space import Features, Space
from agent.proposer import PlanContext
from agent.strategies.credit import FAR, Effects, observed
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
    """A step from its parents (none: a fresh start; two: merged) by some features to the features that result."""

    parents: tuple[Parent, ...]
    added: Features
    result: Features
    without: Features = ()


def plans(context: PlanContext, space: Space) -> list[CandidatePlan]:
    """Choose what each slot becomes; fewer than wanted only where nothing untried is in reach."""
    rng = random.Random(context.seed)
    seen = measured(context.history, space, _baseline_us(context))
    model = Effects(
        space.features, {frozenset(tried): value for tried, value in seen.items()}, context.beliefs
    )
    hints = set(context.critique.features) if context.critique else set[str]()
    parents = {parent.sha: parent for parent in context.parents}
    taken = set(seen)
    chosen: list[CandidatePlan] = []
    for slot in context.slots:
        bases = [parents[sha] for sha in slot.parents if sha in parents]
        moves = _moves(slot, bases, context.parents, space, taken)
        if not moves:
            break
        jitter = {move.result: rng.uniform(0, _JITTER) for move in moves}
        best = max(moves, key=lambda move: _worth(move, model, hints, space) + jitter[move.result])
        chosen.append(_plan(slot, best, model, seen))
        model.observe(best.result, model.predict(best.result)[0])
        taken.add(best.result)
    return chosen


def _plan(slot: Slot, move: Move, model: Effects, seen: dict[Features, float]) -> CandidatePlan:
    parent = move.parents[0].sha if move.parents else None
    other = move.parents[1].sha if len(move.parents) > 1 else None
    origin = slot.origin if move.without == slot.without else ""
    return CandidatePlan(parent, move.added, _why(move, model, seen), other, origin, move.without)


def measured(history: Sequence[Trial], space: Space, baseline_us: float | None) -> dict[Features, float]:
    """Say how far every variant tried so far is from the best one: what `agent.strategies.credit` goes by."""
    lines = [
        Line(trial.round, trial.candidate, trial.sha, (), (), features, trial.verdict, trial.latency_us)
        for trial in history
        if (features := space.features_of(trial.sha, trial.used)) is not None
    ]
    baseline = Line(0, 0, None, (), (), (), Verdict.PASS, baseline_us)
    seen = observed((line for line in lines if line.verdict is not Verdict.UNDECIDED), baseline)
    return {line.used: seen.get(frozenset(line.used), FAR) for line in lines}


def _baseline_us(context: PlanContext) -> float | None:
    profile = context.baseline.profile
    return None if profile is None else profile.latency_us


def _moves(
    slot: Slot, bases: Sequence[Parent], offered: Sequence[Parent], space: Space, taken: Collection[Features]
) -> list[Move]:
    """List untried variants for a slot: what it asks for, else those in reach of its parents, else of others."""
    asked = tuple(name for name in slot.features if name in space.features)
    exact = _move(bases, asked, space, slot.without)
    if (asked or len(bases) > 1 or slot.without) and not slot.keep and exact.result not in taken:
        return [exact]
    near = _untried(_steps(bases, space), taken)
    if near:
        return near
    every = [step for parent in offered for step in _steps([parent], space)]
    return _untried([*every, *_steps([], space)], taken)


def _untried(moves: Iterable[Move], taken: Collection[Features]) -> list[Move]:
    """Return the moves to variants that were not tried, each by its shortest way."""
    found: dict[Features, Move] = {}
    for move in moves:
        known = found.get(move.result)
        if move.result not in taken and (known is None or len(move.added) < len(known.added)):
            found[move.result] = move
    return list(found.values())


def _steps(bases: Sequence[Parent], space: Space) -> Iterator[Move]:
    before = {name for base in bases for name in space.features_in(base) or ()}
    fresh = [name for name in space.features if name not in before]
    for count in range(1, _MOST_ADDED + 1):
        for added in combinations(fresh, count):
            yield _move(bases, added, space)


def _move(bases: Sequence[Parent], added: Features, space: Space, without: Collection[str] = ()) -> Move:
    used = (name for base in bases for name in space.features_in(base) or ())
    before = [name for name in used if name not in without]
    return Move(tuple(bases), added, space.settle((*before, *added)), tuple(without))


def _worth(move: Move, model: Effects, hints: set[str], space: Space) -> float:
    expected, uncertain = model.predict(move.result)
    hinted = _HINT * len(hints & set(move.added))
    effort = _EFFORT * (space.settings(move.result) - 1)
    return -expected + _CURIOSITY * uncertain + hinted - _SHORTER * len(move.added) - effort


def _why(move: Move, model: Effects, seen: dict[Features, float]) -> str:
    ways = ("Starts fresh with", "Adds to a kernel:", "Merges two kernels and adds:")
    start = ways[len(move.parents)]
    out = ", ".join(move.without)
    if out and not move.added and len(move.parents) < 2:
        return f"Takes out of a kernel: {out}, to learn what that is worth."
    does = f"{start} {', '.join(move.added) or 'nothing more'}{f', and takes out {out}' if out else ''}"
    if not seen:
        return f"{does}; nothing is known yet, so this is to learn what that does."
    gains = [*(model.effect(name) for name in move.added), *(-model.effect(name) for name in move.without)]
    return f"{does}; by what is known so far that should {'help' if sum(gains) < 0 else 'do no harm to learn of'}."
