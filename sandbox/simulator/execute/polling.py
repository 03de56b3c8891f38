"""Groups of lanes that poll: which of them wait for others, and whether what they wait for can still come.

A group that comes back whole to where it polls lets the others run first. Where the whole state of a batch is the
same as it was some turns of every group before, it will be the same for ever: nothing that is left to run writes
what they poll, unless blocks of another batch do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sandbox.device import Array
from sandbox.simulator.execute.barriers import Position
from sandbox.simulator.machine.lanes import EVERYONE, Mask
from sandbox.simulator.machine.state import Activation

_PATIENCE = 3
_CHECK = 16


@dataclass(frozen=True)
class Snapshot:
    """All that decides what a batch does next, of which no array is ever changed in place.

    Attributes:
        pending: Where groups of lanes stand.
        registers: Of every activation.
        deeds: How much has been done so far that others can see.
        live: Lanes that have not exited.
    """

    pending: Mapping[Position, Mask]
    registers: Sequence[tuple[Array, ...]]
    deeds: int
    live: Mask

    def same_as(self, other: Snapshot) -> bool:
        """Whether nothing differs that a live lane could tell."""
        return (
            self.deeds == other.deeds
            and self.pending.keys() == other.pending.keys()
            and len(self.registers) == len(other.registers)
            and all(_same(_lanes(mask), _lanes(other.pending[p]), None) for p, mask in self.pending.items())
            and all(
                _same(one, before, self.live)
                for mine, theirs in zip(self.registers, other.registers, strict=True)
                for one, before in zip(mine, theirs, strict=True)
            )
        )


def snapshot(
    pending: Mapping[Position, Mask], frames: Sequence[Activation], deeds: int, live: Mask
) -> Snapshot:
    """Return the state of a batch: what only one basic block uses is left out, for it is written there first."""
    kept = [
        tuple(array for slot, array in enumerate(frame.registers) if slot not in frame.temporaries)
        for frame in frames
    ]
    return Snapshot(dict(pending), kept, deeds, live)


def _lanes(mask: Mask) -> Array:
    return EVERYONE if mask is None else mask


def _same(one: Array, other: Array, live: Mask) -> bool:
    if one is other:
        return True
    if one.dtype.itemsize != other.dtype.itemsize:
        return False
    bits = f"uint{one.dtype.itemsize * 8}"
    differ: Array = one.view(bits) != other.view(bits)
    return not bool((differ if live is None else differ & live).any())


class Polling:
    """Remembers how often each group came back to where it polls.

    Attributes:
        idle: The groups that wait for others, the longest first.
    """

    def __init__(self) -> None:
        self.idle: dict[Position, None] = {}
        self._polled: dict[Position, tuple[int, int]] = {}
        self._seen: dict[Position, Snapshot] = {}

    def came(self, position: Position, mask: Mask) -> bool:
        """Note that a group is about to poll; whether it is time to look if it can ever go on."""
        lanes = -1 if mask is None else int(np.count_nonzero(mask))
        before, times = self._polled.get(position, (lanes, 0))
        self._polled[position] = (lanes, times + 1 if before == lanes else 0)
        if before != lanes or times < _PATIENCE:
            self.idle.pop(position, None)
            return False
        self.idle[position] = None
        return times % _CHECK == 0

    def forget(self) -> None:
        """Compare with no state from before: other batches have acted, and no group has looked at that yet."""
        self._seen.clear()

    def unchanged(self, position: Position, state: Snapshot) -> bool:
        """Whether the batch is as it was when this was asked of the position before; remembers the state."""
        before = self._seen.get(position)
        self._seen[position] = state
        return before is not None and state.same_as(before)
