"""Which features to try on a kernel: drawn from the credit that features have, by Thompson sampling."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence

from agent.candidates import Line
from agent.strategies.base import RunView
from agent.strategies.credit import Draw, Effects, observed
from prompts import Feature
from sandbox.verdict import Verdict

_MOST = 3
_HINT = 0.1
"""What the critic's word counts, as a logarithm of a gain."""


class Suggestions:
    """Draws features for the slots of one round; no two slots of a round try the same on the same kernels."""

    def __init__(self, view: RunView, rng: random.Random) -> None:
        self._view = view
        self._rng = rng
        self._pages = {feature.name: feature for feature in view.features}
        own = {name for line in view.lines for name in line.features if line.verdict is Verdict.PASS}
        self._names = [*self._pages, *sorted(own - set(self._pages))]
        seen = observed(view.lines, view.baseline)
        self._effects = Effects(self._names, seen, view.beliefs)
        self._left: set[frozenset[str]] = set()
        self._tried = {(line.parents, frozenset(line.features)) for line in view.lines}

    def on(self, parents: Sequence[Line]) -> tuple[str, ...]:
        """Return up to three features worth adding to these kernels, the most promising first."""
        used = {name for line in parents for name in line.used}
        shas = tuple(line.sha for line in parents if line.sha)
        bounds = {str(line.niche.bottleneck) for line in parents if line.niche}
        for _ in range(8):
            chosen = self._drawn(used, bounds)
            if chosen and (shas, frozenset(chosen)) not in self._tried:
                break
        else:
            chosen = self._untried(shas, used)
        self._tried.add((shas, frozenset(chosen)))
        return chosen

    def leave_out(self, line: Line) -> tuple[str, ...]:
        """Return the feature of a kernel that seems to help least, and what needs it; none where that was tried."""
        drawn = self._effects.draw(self._rng)
        known = {frozenset(one.used) for one in (self._view.baseline, *self._view.lines)} | self._left
        for name in sorted(line.used, key=lambda name: -drawn.change(name, line.used)):
            out = (name, *(other for other in line.used if name in self._needs(other)))
            rest = frozenset(line.used) - set(out)
            if rest and rest not in known:
                self._left.add(rest)
                return out
        return ()

    def _drawn(self, used: set[str], bounds: set[str]) -> tuple[str, ...]:
        """Add the feature that a draw promises most of, again and again, as long as it promises anything."""
        drawn = self._effects.draw(self._rng)
        most = self._rng.randint(1, _MOST)  # few at a time show best what each is worth
        chosen: list[str] = []
        while len(chosen) < most:
            now = {*used, *chosen}
            worth = {name: self._worth(name, drawn, now, bounds) for name in self._open(now)}
            name = max(worth, key=lambda name: worth[name], default=None)
            if name is None or (chosen and worth[name] <= 0):
                break
            needs = [need for need in self._needs(name) if need not in now]
            if len(chosen) + 1 + len(needs) > _MOST:
                break
            chosen += [*needs, name]
        return tuple(chosen)

    def _worth(self, name: str, drawn: Draw, now: set[str], bounds: set[str]) -> float:
        page = self._pages.get(name)
        cures = page is not None and bool(bounds & set(page.bottlenecks))
        unfit = page is not None and bool(page.bottlenecks) and bool(bounds) and not cures
        bonus = _HINT * (name in self._view.hints) - (math.log(page.gain) if unfit and page else 0.0)
        return bonus - drawn.change(name, now)

    def _untried(self, shas: tuple[str, ...], used: set[str]) -> tuple[str, ...]:
        """Return one feature that was never tried on these kernels; none where all were."""
        left = [name for name in self._open(used) if (shas, frozenset((name,))) not in self._tried]
        return (self._rng.choice(left),) if left else ()

    def _open(self, used: set[str]) -> list[str]:
        return [name for name in self._names if name not in used and not self._conflicts(name, used)]

    def _conflicts(self, name: str, others: Iterable[str]) -> bool:
        return any(_excludes(self._pages, name, other) for other in others)

    def _needs(self, name: str) -> tuple[str, ...]:
        page = self._pages.get(name)
        return () if page is None else tuple(need for need in page.needs if need in self._pages)


def _excludes(pages: Mapping[str, Feature], one: str, other: str) -> bool:
    return (one in pages and other in pages[one].conflicts) or (
        other in pages and one in pages[other].conflicts
    )
