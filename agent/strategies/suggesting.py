"""Which features to try on a kernel: drawn from the credit that features have, by Thompson sampling.

Where features are switches (`RunView.settle`), what is drawn is a kernel's whole set: some features more, some fewer.
A model's kernel is no set of switches: there features are only added.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from agent.candidates import Line, Slot
from agent.strategies.base import RunView, correct
from agent.strategies.credit import Draw, Effects, observed
from agent.strategies.relations import Relations
from agent.strategies.twins import Known
from sandbox.verdict import Verdict

_MOST = 3
"""Features that are added at most."""
_LEAVES = 2
"""Features that are taken out at most, and what needs those with them."""
_SETS = 96
"""Sets that one draw chooses from."""
_HINT = 0.1
"""What the critic's word counts, as a logarithm of a gain."""


@dataclass(frozen=True)
class Change:
    """What is to be done to kernels: features to add, the most promising first, and features to take out."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def built_on(parents: Sequence[Line], change: Change, why: str, origin: str) -> Slot:
    """Return a slot that does this to these kernels."""
    shas = tuple(line.sha for line in parents if line.sha)
    return Slot(shas, change.added, why, origin, without=change.removed)


class Suggestions:
    """Draws changes for the slots of one round; no two slots of a round try the same."""

    def __init__(self, view: RunView, rng: random.Random) -> None:
        self._view = view
        self._rng = rng
        self._relations = Relations({feature.name: feature for feature in view.features})
        pages = self._relations.pages
        own = {name for line in view.lines for name in line.features if line.verdict is Verdict.PASS}
        self._names = [*pages, *sorted(own - set(pages))]
        self._effects = Effects(self._names, observed(view.lines, view.baseline), view.beliefs)
        self._left: set[frozenset[str]] = set()
        self._tried = {(line.parents, frozenset(line.features)) for line in view.lines}
        self._known = Known(view)
        self._settles: dict[frozenset[str], frozenset[str]] = {}

    def on(self, parents: Sequence[Line]) -> Change:
        """Return what is worth doing to these kernels; no change where everything was tried."""
        used = {name for line in parents for name in line.used}
        bounds = {str(line.niche.bottleneck) for line in parents if line.niche}
        if self._view.settle is None:
            return Change(self._added(tuple(line.sha for line in parents if line.sha), used, bounds))
        chosen = self._chosen(self._around(used), used, bounds)
        return Change() if chosen is None else self._change(used, chosen)

    def elsewhere(self, *, blindly: bool) -> tuple[Line, Change] | None:
        """Return a change that has nothing to do with what is best so far, and the kernel it is nearest to.

        Args:
            blindly: Any untried set is as likely, whatever is believed.
        """
        switches = self._view.settle is not None
        most = max((len(line.used) + 1 for line in self._view.lines if switches), default=0)
        drawn = (self._drawn_set(max(most, _MOST)) for _ in range(_SETS))
        sets = (features for features in drawn if switches or len(features) <= _MOST)
        chosen = self._chosen(sets, set(), set(), blindly=blindly or not switches)
        if chosen is None:
            return None
        near = self._nearest(chosen) if switches else self._view.baseline
        return near, self._change(set(near.used), chosen)

    def leave_out(self, line: Line) -> tuple[str, ...]:
        """Return the feature of a kernel that seems to help least, and what needs it; none where that was tried."""
        drawn = self._effects.draw(self._rng)
        known = {frozenset(one.used) for one in (self._view.baseline, *self._view.lines)} | self._left
        for name in sorted(line.used, key=lambda name: -drawn.change(name, line.used)):
            out = (name, *(other for other in line.used if name in self._relations.needs(other)))
            rest = frozenset(line.used) - set(out)
            if rest and rest not in known:
                self._left.add(rest)
                return out
        return ()

    def _added(self, shas: tuple[str, ...], used: set[str], bounds: set[str]) -> tuple[str, ...]:
        """Return up to three features worth adding to these kernels, the most promising first."""
        for _ in range(8):
            chosen = self._drawn(used, bounds)
            if chosen and (shas, frozenset(chosen)) not in self._tried:
                break
        else:
            chosen = self._untried(shas, used)
        self._tried.add((shas, frozenset(chosen)))
        return chosen

    def _drawn(self, used: set[str], bounds: set[str]) -> tuple[str, ...]:
        """Add the feature that a draw promises most of, again and again, as long as it promises anything."""
        drawn = self._effects.draw(self._rng)
        most = self._rng.randint(1, _MOST)  # few at a time show best what each is worth
        chosen: list[str] = []
        while len(chosen) < most:
            now = {*used, *chosen}
            worth = {
                name: self._bonus(name, bounds) - drawn.change(name, now)
                for name in self._open(now)
                if name not in self._known.idle
            }
            name = max(worth, key=lambda name: worth[name], default=None)
            if name is None or (chosen and worth[name] <= 0):
                break
            needs = [need for need in self._relations.needs(name) if need not in now]
            if len(chosen) + 1 + len(needs) > _MOST:
                break
            chosen += [*needs, name]
        return tuple(chosen)

    def _untried(self, shas: tuple[str, ...], used: set[str]) -> tuple[str, ...]:
        """Return one feature that was never tried on these kernels; none where all were."""
        left = [name for name in self._open(used) if (shas, frozenset((name,))) not in self._tried]
        return (self._rng.choice(left),) if left else ()

    def _open(self, used: set[str]) -> list[str]:
        return [
            name for name in self._names if name not in used and not self._relations.conflicts(name, used)
        ]

    def _around(self, used: set[str]) -> Iterator[frozenset[str]]:
        """Yield sets that differ from one by some features more and some fewer."""
        free, mine = [name for name in self._names if name not in used], sorted(used)
        for _ in range(_SETS):
            added = self._rng.sample(free, min(len(free), self._rng.randint(0, _MOST)))
            removed = self._rng.sample(mine, min(len(mine), self._rng.randint(0, _LEAVES)))
            rest = self._relations.without_all(used, removed)
            yield self._settled(self._relations.with_all(rest, added))

    def _drawn_set(self, most: int) -> frozenset[str]:
        """Draw a set of features, each as likely."""
        count = min(len(self._names), self._rng.randint(1, most))
        drawn = self._relations.with_all((), self._rng.sample(self._names, count))
        return self._settled(drawn)

    def _settled(self, features: frozenset[str]) -> frozenset[str]:
        settle = self._view.settle
        if settle is None:
            return features
        if features not in self._settles:
            self._settles[features] = frozenset(settle(features))
        return self._settles[features]

    def _chosen(
        self, sets: Iterable[frozenset[str]], used: set[str], bounds: set[str], *, blindly: bool = False
    ) -> frozenset[str] | None:
        """Return the set that a draw puts nearest to the best one; None where none is new."""
        fresh = self._known.new(sets)
        if not fresh:
            return None
        drawn = self._effects.draw(self._rng)

        def far(features: frozenset[str]) -> float:
            return _distance(drawn, features) - sum(self._bonus(name, bounds) for name in features - used)

        chosen = self._rng.choice(fresh) if blindly else min(fresh, key=far)
        self._known.add(chosen)
        return chosen

    def _bonus(self, name: str, bounds: set[str]) -> float:
        """Return what speaks for adding a feature beside what a draw says of it, as a logarithm of a gain."""
        page = self._relations.pages.get(name)
        unfit = page is not None and page.bottlenecks and bounds and not bounds & set(page.bottlenecks)
        return _HINT * (name in self._view.hints) - (math.log(page.gain) if unfit and page else 0.0)

    def _nearest(self, features: frozenset[str]) -> Line:
        lines = (self._view.baseline, *correct(self._view))
        return min(lines, key=lambda line: (len(features ^ set(line.used)), line.latency_us or math.inf))

    def _change(self, used: set[str], chosen: frozenset[str]) -> Change:
        added = [name for name in self._names if name in chosen - used]
        added.sort(key=self._effects.effect)
        return Change(tuple(added), tuple(sorted(used - chosen)))


def _distance(drawn: Draw, features: frozenset[str]) -> float:
    return sum(value for term, value in drawn.terms.items() if term <= features)
