"""Whether blocks that wait for others do so in turn, each for the one before it, or all at once.

A batch of blocks that is run to its end before the next one begins never shows it: whatever the next one waits for
is there. So of three batches the first is held where it would have to look at what others write, the second runs
until it has to wait for the first, and the third until it waits as well. Then the first goes on to its end. Where the
third can do so too while the second one stands still, it waits only for what blocks publish before they wait
themselves (a decoupled look-back); where it cannot, the blocks take turns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from sandbox.simulator.execute.interleaving import T

_TOGETHER = 3
_OFTEN = 8
"""Threes of batches that are looked at in all, by expectation."""


@dataclass
class Turns:
    """Looks at some of the batches of a launch.

    Args:
        draw: Says at which.
        batches: How many there are, about.
        stand_in: How often the ways of the first of three count: for the two others too, which go farther than they
            would on a device; 0 where other batches stand for all.

    Attributes:
        looked: How often it was told whether blocks take turns.
        waited: How often they did.
        counts: How often the ways of a batch count, by `id`, where not once.
    """

    draw: np.random.Generator
    batches: int
    stand_in: int = _TOGETHER
    looked: int = 0
    waited: int = 0
    counts: dict[int, int] = field(default_factory=dict[int, int])

    @property
    def share(self) -> float:
        """The part of the launch in which blocks take turns."""
        return self.waited / self.looked if self.looked else 0.0

    def watch(self, batches: Iterable[T]) -> Iterator[T]:
        """Pass batches on to be run, in their order; those that are looked at have been begun."""
        left = iter(batches)
        while some := list(islice(left, self._next())):
            if len(some) == _TOGETHER:
                self._look(*some)
            yield from some

    def _next(self) -> int:
        chosen = not self.looked or self.draw.random() * self.batches < _OFTEN * _TOGETHER
        return _TOGETHER if chosen else 1

    def _look(self, first: T, second: T, third: T) -> None:
        if first.scheduler.run(until_polls=True):
            return
        waiting = [one for one in (second, third) if not one.scheduler.run()]
        self.counts |= {id(first): self.stand_in, id(second): 0, id(third): 0}
        if first.scheduler.run():
            self.looked += 1
            self.waited += len(waiting) == len((second, third)) and not third.scheduler.run()
