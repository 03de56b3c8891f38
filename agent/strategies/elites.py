"""MAP-Elites: the best kernel of each niche is kept, and parents are drawn from all niches.

The archive's axes are read from reports and compiled code (`agent/niches.py`): what bounds the kernel, how it uses
memory, how the work is cut up. A kernel that is slower than the best, but of another kind, stays a parent: what it is
made of may be what the best one lacks. Mouret and Clune, "Illuminating search spaces by mapping elites" (2015).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from agent.candidates import Line, Slot
from agent.strategies.base import (
    RunView,
    ablation,
    beginning,
    correct,
    reachable,
    repair,
    rounds_without_gain,
)
from agent.strategies.exploring import exploring
from agent.strategies.suggesting import Suggestions, built_on

PATIENCE = 3
_SHARPNESS = 3.0
"""An elite twice as slow as the best is drawn an eighth as often."""

_LEAST = 0.3
"""How often, against the best, an elite is drawn that promises nothing."""


class Elites:
    """A quality-diversity search."""

    name = "elites"

    def slots(self, view: RunView, count: int) -> Sequence[Slot]:
        """Return slots: the best kernel first, then a repair, a merge, drawn elites, and elsewhere."""
        if not view.lines and view.settle is not None:
            return beginning(view, count)
        rng = random.Random(view.seed)
        suggestions = Suggestions(view, rng)
        cells = archive(view)
        if not cells:
            return _first(view, count, suggestions)
        best = max(cells.values(), key=_speed)
        explored = exploring(view, suggestions, count, count - 1)
        room = count - len(explored)
        chosen = [_build_on((best,), "best", suggestions)]
        if room >= 3 and (broken := reachable(view)):
            chosen.append(repair(broken[0]))
        if view.settle is None and count >= 4 and (out := suggestions.leave_out(best)):
            chosen.append(ablation(best, out))
        if len(chosen) < room and count >= 3 and len(cells) >= 2:
            pair = _pair(list(cells.values()), view, rng)
            chosen.append(_build_on(pair, f"merge {pair[0].name} + {pair[1].name}", suggestions))
        elites = [view.baseline, *cells.values()]  # a fresh start may combine what the best ones lack
        drawn = rng.choices(elites, [_weight(line, view) for line in elites], k=max(room - len(chosen), 0))
        return [
            *chosen,
            *(_build_on((line,), _origin(line), suggestions) for line in drawn),
            *explored,
        ]

    def stalled(self, view: RunView) -> bool:
        """Whether the best has not got better for as long as asked."""
        return rounds_without_gain(view) >= (view.patience or PATIENCE)


def archive(view: RunView) -> dict[tuple[str, str, str], Line]:
    """Return the fastest correct kernel of each cell."""
    cells: dict[tuple[str, str, str], Line] = {}
    for line in correct(view):
        cells.setdefault(_cell(line), line)
    return cells


def _first(view: RunView, count: int, suggestions: Suggestions) -> list[Slot]:
    """Return slots where nothing is correct yet: repairs first, and fresh starts beside them."""
    broken = reachable(view)[: count - count // 4]
    fresh = [_build_on((view.baseline,), "baseline", suggestions) for _ in range(count - len(broken))]
    return [*(repair(line) for line in broken), *fresh]


def _build_on(parents: tuple[Line, ...], origin: str, suggestions: Suggestions) -> Slot:
    names = " and ".join(line.name for line in parents)
    why = f"merge what is good in {names}" if len(parents) > 1 else f"build on {names}"
    return built_on(parents, suggestions.on(parents), why, origin)


def _origin(line: Line) -> str:
    return "baseline" if line.round == 0 else f"cell {', '.join(_cell(line))}"


def _cell(line: Line) -> tuple[str, str, str]:
    return ("", "", "") if line.niche is None else line.niche.cell


def _speed(line: Line) -> float:
    return -(line.latency_us or math.inf)


def _weight(line: Line, view: RunView) -> float:
    """Return how often an elite is drawn: promise times novelty."""
    best = min(one.latency_us or math.inf for one in correct(view))
    promised = line.latency_us or math.inf
    if line.niche is not None:
        promised = math.sqrt(promised * line.niche.promise_us)
    children = sum(line.sha in one.parents for one in view.lines)
    return max((best / promised) ** _SHARPNESS, _LEAST) / math.sqrt(1 + children)


def _pair(elites: list[Line], view: RunView, rng: random.Random) -> tuple[Line, Line]:
    """Return two elites to merge: the best, and one whose features differ, drawn by its weight."""
    first = max(elites, key=_speed)
    others = [line for line in elites if line is not first]
    weights = [_weight(line, view) * (1 + len(set(line.used) - set(first.used))) for line in others]
    return first, rng.choices(others, weights)[0]
