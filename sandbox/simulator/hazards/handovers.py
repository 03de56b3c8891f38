"""What threads of one block tell each other through memory: releases and acquires in shared and global memory.

The counterpart, inside blocks, of `Releases`: here every release keeps the whole vector of what its thread knew.
"""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.hazards.clocks import Clocks
from sandbox.simulator.hazards.strength import Fence, Strength

Lanes = tuple[Array, Array]
Location = tuple[str, int, int]
"""Space, position of the block in the batch, and word."""


class Handovers:
    """Of one batch.

    Args:
        clocks: Of its blocks' threads.
    """

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks
        self._fenced: dict[tuple[int, int], Array] = {}
        self._held: dict[Location, Array] = {}
        self._pending: dict[tuple[int, int], Array] = {}

    def fence(self, lanes: Lanes, fence: Fence) -> None:
        """Lanes, positions and threads, execute a fence."""
        places = list(zip(lanes[0].tolist(), lanes[1].tolist(), strict=True))
        if fence.acquires and self._pending:
            for place in places:
                found = self._pending.pop(place, None)
                if found is not None:
                    self._clocks.learn_one(*place, found)
        if fence.releases:
            self._fenced.update(zip(places, self._clocks.publish_each(*lanes), strict=True))

    def written(self, space: str, lanes: Lanes, word: Array, how: Strength) -> None:
        """Lanes have stored to words."""
        if not how.strong:
            if self._held:
                for place, number in zip(lanes[0].tolist(), word.tolist(), strict=True):
                    self._held.pop((space, place, number), None)
            return
        for place, number, row in self._each(lanes, word, how):
            key = (space, place[0], number)
            self._held.pop(key, None)
            if row is not None:
                self._held[key] = row

    def changed(self, space: str, lanes: Lanes, word: Array, how: Strength, wrote: Array) -> None:
        """Lanes, in the order in which they took effect, have made atomic operations on words."""
        if not (self._held or self._fenced or how.releases):
            return
        done = wrote.tolist()
        for lane, (place, number, row) in enumerate(self._each(lanes, word, how)):
            key = (space, place[0], number)
            found = self._held.get(key)
            if row is not None and done[lane]:
                self._held[key] = row if found is None else np.maximum(found, row)
            if found is not None and how.observes:
                self._observe(place, found, how)

    def seen(self, space: str, lanes: Lanes, word: Array, how: Strength) -> None:
        """Lanes have read words by strong loads."""
        if not self._held:
            return
        for position, thread, number in zip(lanes[0].tolist(), lanes[1].tolist(), word.tolist(), strict=True):
            found = self._held.get((space, position, number))
            if found is not None:
                self._observe((position, thread), found, how)

    def _observe(self, place: tuple[int, int], found: Array, how: Strength) -> None:
        if how.acquires:
            self._clocks.learn_one(*place, found)
            return
        before = self._pending.get(place)
        self._pending[place] = found if before is None else np.maximum(before, found)

    def _each(
        self, lanes: Lanes, word: Array, how: Strength
    ) -> list[tuple[tuple[int, int], int, Array | None]]:
        """Every lane, its word, and what it releases."""
        places = list(zip(lanes[0].tolist(), lanes[1].tolist(), strict=True))
        rows: list[Array | None]
        if how.releases:
            rows = list(self._clocks.publish_each(*lanes))
        else:
            rows = [self._fenced.get(place) for place in places]
        return list(zip(places, word.tolist(), rows, strict=True))
