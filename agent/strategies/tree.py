"""Best-first search with backtracking: correct kernels are nodes, what is tried on one is an intent.

An intent (features on parents) is judged only when an attempt was correct or when its attempts are used up, so that a
slip of the pen does not speak against an idea. A node whose intents bring nothing is left, and the search goes on at
the next best one, wherever that is in the tree.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from agent.candidates import Line, Slot
from agent.strategies.base import (
    RunView,
    ablation,
    beginning,
    by_sha,
    correct,
    failed,
    reachable,
    repair,
    rounds_without_gain,
)
from agent.strategies.credit import FAR
from agent.strategies.exploring import exploring
from agent.strategies.suggesting import Suggestions, built_on

PATIENCE = 4
ATTEMPTS = 3
"""Attempts at one intent, the first included."""
STAGNATION = 3
"""Judged intents in a row without a gain over the node after which it is left."""
_CURIOSITY = 0.5
_CURE = 0.5
"""How much of what a cure promises is believed."""
_HINT = 0.05
_NEAR, _MERGEABLE = 1.5, 4
"""How much slower than the best node a kernel may be to be merged, and how many are looked at."""
_CROWDED = 0.15
"""What each further slot of a round at one node costs, as a logarithm of a gain."""

_Key = tuple[tuple[str, ...], frozenset[str], str]


@dataclass(frozen=True)
class Intent:
    """What was to be done to some kernels, and how its attempts went, in order."""

    parents: tuple[str, ...]
    features: frozenset[str]
    attempts: tuple[Line, ...]

    @property
    def correct(self) -> Line | None:
        """The attempt that passed."""
        return next((line for line in self.attempts if line.correct), None)

    @property
    def judged(self) -> bool:
        """Whether nothing more is to be learnt of it."""
        return self.correct is not None or len(self.attempts) >= ATTEMPTS


@dataclass(frozen=True)
class TreeNode:
    """A kernel that can be built on.

    Attributes:
        intents: Tried on it, in the order of their first attempts.
        value: What it promises: minus its distance from the best, and what a cure or the critic lets hope for.
    """

    line: Line
    intents: tuple[Intent, ...]
    value: float

    @property
    def left(self) -> bool:
        """Whether the last intents on it brought nothing."""
        judged = [intent for intent in self.intents if intent.judged][-STAGNATION:]
        return len(judged) == STAGNATION and not any(_gained(self.line, intent) for intent in judged)


class Tree:
    """A tree of kernels, the most promising node expanded first."""

    name = "tree"

    def slots(self, view: RunView, count: int) -> Sequence[Slot]:
        """Return slots: another attempt at open intents first, new intents at the best nodes, and elsewhere."""
        if not view.lines and view.settle is not None:
            return beginning(view, count)
        rng = random.Random(view.seed)
        suggestions = Suggestions(view, rng)
        every = intents(view)
        chosen = _again(view, every, count)
        nodes = _nodes(view, every)
        explored = exploring(view, suggestions, count, count - len(chosen) - 1)
        room = count - len(explored)
        if len(chosen) + 1 < room and (pair := _to_merge(nodes, view)):
            chosen.append(_slot(pair, f"merge {pair[0].name} + {pair[1].name}", suggestions))
        best = min(nodes, key=lambda node: node.line.latency_us or math.inf).line
        if view.settle is None and len(chosen) + 2 < count and (out := suggestions.leave_out(best)):
            chosen.append(ablation(best, out))
        return [*chosen, *_expansions(nodes, len(every), room - len(chosen), suggestions), *explored]

    def stalled(self, view: RunView) -> bool:
        """Whether backtracking has brought nothing for as long as asked."""
        return rounds_without_gain(view) >= (view.patience or PATIENCE)


def intents(view: RunView) -> list[Intent]:
    """Return every intent with its attempts; a repair of a failed attempt is another attempt at its intent."""
    found: dict[_Key, list[Line]] = {}
    owner: dict[str, _Key] = {}
    for line in view.lines:
        if line.lost:
            continue
        repaired = next((sha for sha in line.parents if sha in owner), None)
        # A kernel that a search was given builds on nothing and tries nothing: it is an intent of its own.
        given = "" if line.parents or line.features else line.name
        key = (line.parents, frozenset(line.used or line.features), given)
        if repaired is not None and owner[repaired][1] == key[1]:
            key = owner[repaired]
        found.setdefault(key, []).append(line)
        if line.sha is not None and not line.correct:
            owner.setdefault(line.sha, key)
    return [Intent(*key[:2], tuple(attempts)) for key, attempts in found.items()]


def _nodes(view: RunView, every: Sequence[Intent]) -> list[TreeNode]:
    """Return the nodes that can be expanded: those not left; all of them where every one is."""
    lines = [view.baseline, *correct(view)]
    nodes = [
        TreeNode(
            line,
            tuple(intent for intent in every if line.sha in intent.parents),
            _value(line, view),
        )
        for line in lines
    ]
    alive = [node for node in nodes if not node.left]
    return alive or nodes


def _value(line: Line, view: RunView) -> float:
    """Return what a node promises: nearness to the best, what curing its worst cause hides, the critic's word."""
    best = min((one.latency_us or math.inf for one in (view.baseline, *correct(view))), default=1.0)
    gain = -min(math.log((line.latency_us or math.inf) / best), FAR)
    if line.niche is not None and line.latency_us:
        gain += _CURE * math.log(line.latency_us / max(line.niche.promise_us, 1e-9))
    return gain + _HINT * len(set(view.hints) - set(line.used))


def _score(node: TreeNode, total: int, crowd: int) -> float:
    tried = len(node.intents)
    return node.value + _CURIOSITY * math.sqrt(math.log(total + 2) / (tried + 1)) - _CROWDED * crowd


def _gained(line: Line, intent: Intent) -> bool:
    child = intent.correct
    return child is not None and (child.latency_us or math.inf) < (line.latency_us or math.inf)


def _again(view: RunView, every: Sequence[Intent], count: int) -> list[Slot]:
    """Return further attempts at open intents; where nothing is correct yet also at those given up."""
    last = [line for intent in every if not intent.judged for line in failed(intent.attempts[-1:])]
    if correct(view):
        return [repair(line) for line in failed(last)[: max(1, count // 2)]]
    return [repair(line) for line in (failed(last) or reachable(view))[: count - count // 4]]


def _to_merge(nodes: Sequence[TreeNode], view: RunView) -> tuple[Line, Line] | None:
    """Return the two best kernels of different branches that each have what the other lacks, not merged yet."""
    known = [set(line.used) for line in view.lines]
    merged = {frozenset(line.parents) for line in view.lines if len(line.parents) == 2}
    lines = by_sha(view)
    right = [node.line for node in nodes if node.line.round > 0]
    limit = _NEAR * min((line.latency_us or 0.0 for line in right), default=0.0)
    best = [line for line in right if (line.latency_us or math.inf) <= limit][:_MERGEABLE]
    for position, one in enumerate(best):
        for other in best[position + 1 :]:
            apart = set(one.used) - set(other.used) and set(other.used) - set(one.used)
            apart = apart and {*one.used, *other.used} not in known
            related = _descends(one, other, lines) or _descends(other, one, lines)
            if apart and not related and frozenset((one.sha, other.sha)) not in merged:
                return one, other
    return None


def _descends(line: Line, ancestor: Line, lines: dict[str, Line]) -> bool:
    """Whether a kernel comes from another one."""
    left, seen = [*line.parents], set[str]()
    while left:
        sha = left.pop()
        if sha == ancestor.sha:
            return True
        if sha in lines and sha not in seen:
            seen.add(sha)
            left += lines[sha].parents
    return False


def _expansions(nodes: Sequence[TreeNode], total: int, count: int, suggestions: Suggestions) -> list[Slot]:
    """Return slots at the best nodes; one on which everything was tried is passed over while there are others."""
    visits = dict.fromkeys((node.line.sha for node in nodes), 0)
    open_, chosen = list(nodes), list[Slot]()
    while len(chosen) < count:
        node = max(open_, key=lambda node: _score(node, total, visits[node.line.sha]))
        visits[node.line.sha] += 1
        slot = _slot((node.line,), f"node {node.line.name}", suggestions)
        if not (slot.features or slot.without) and len(open_) > 1:
            open_.remove(node)
        else:
            chosen.append(slot)
    return chosen


def _slot(parents: tuple[Line, ...], origin: str, suggestions: Suggestions) -> Slot:
    names = " and ".join(line.name for line in parents)
    why = f"merge what is good in {names}" if len(parents) > 1 else f"expand {names}, the best open node"
    return built_on(parents, suggestions.on(parents), why, origin)
