"""Threads that wait at barriers, and when barriers open.

`__syncthreads()` opens for a block when every live thread of it stands at that very instruction: the CUDA C++
Programming Guide leaves anything else undefined ("Synchronization Functions"). Barriers with a number or a thread
count open when as many threads have come, wherever they stand (PTX ISA 9.0, section 9.7.13.1). A cluster barrier
opens when every live thread of the cluster has arrived as often as the waiting one (section 9.7.13.3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sandbox.device import Array, Fault
from sandbox.simulator.decode.code import Barrier
from sandbox.simulator.machine.arrivals import CLUSTER, NUMBERS
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.lanes import EVERYONE, Mask, count_threads, covers, missing
from sandbox.simulator.machine.state import Activation, Machine
from sandbox.simulator.ptx.types import PRED, U32
from sandbox.verdict import Verdict

SIDES = 4
"""How many ranks warps may have, of which the lower ones run first."""


class Position(NamedTuple):
    """Where a group of lanes stands; groups sort by side, then innermost call first, then by block.

    A tuple, for one is made and looked up at every basic block.

    Attributes:
        side: Warps of a higher one are held back until those of lower ones wait or have ended. Lanes that are held
            back from their own warps are `SIDES` further.
    """

    depth: int
    frame: int
    block: int
    side: int = 0

    @property
    def order(self) -> tuple[int, int, int, int]:
        """Lower runs first."""
        return (self.side, -self.depth, self.block, self.frame)

    @property
    def late(self) -> Position:
        """Where lanes stand that are held back from their warps."""
        return self._replace(side=self.side % SIDES + SIDES)

    @property
    def together(self) -> Position:
        """Where lanes stand that wait for the rest of their warps."""
        return self if self.side < SIDES else self._replace(side=self.side - SIDES)

    def on(self, side: int) -> Position:
        """Where lanes stand whose warps are of another side now."""
        return self._replace(side=side + self.side // SIDES * SIDES)


@dataclass
class _Group:
    """Lanes that wait at one instruction."""

    position: Position
    barrier: Barrier
    activation: Activation
    mask: Array

    def value(self, slot: int) -> Array:
        return self.activation.registers[slot]


_SEVERAL = {
    False: "; others wait at another barrier",
    True: (
        "; others wait at another __syncthreads(). PTX lets whole warps meet at one barrier from several places "
        "(section 9.7.13.1), but the CUDA C++ Programming Guide leaves __syncthreads() in a branch that some threads "
        'do not take undefined: take it out of the branch, or use named barriers (asm "bar.sync 1, n;") for the roles'
    ),
}
"""By whether the barrier is `__syncthreads()`: what is said where lanes wait at several."""


class Barriers:
    """The barriers of one batch of blocks.

    Args:
        machine: Of the batch.
        release: Called with a position and the lanes of it that may go on.
    """

    def __init__(self, machine: Machine, release: Callable[[Position, Mask], None]) -> None:
        self._machine = machine
        self._release = release
        self._groups: dict[Position, _Group] = {}
        self._came: Array = np.zeros((1, 1, 1), dtype=np.bool_)

    def __bool__(self) -> bool:
        """Whether any lane waits."""
        return bool(self._groups)

    def wait(self, position: Position, barrier: Barrier, mask: Mask) -> None:
        """Lanes come to a barrier: let those on that need not wait, keep the others."""
        machine = self._machine
        if (
            not self._groups
            and barrier.scope == "block"
            and covers(machine.live, mask)
            and self._plain(barrier)
        ):
            group = _Group(position, barrier, machine.activation, EVERYONE if mask is None else mask)
            self._open([group], None)
            return
        lanes = np.broadcast_to(EVERYONE if mask is None else mask, machine.shape)
        if position in self._groups:
            lanes = lanes | self._groups[position].mask
        self._groups[position] = _Group(position, barrier, machine.activation, lanes)
        self.settle()

    def _plain(self, barrier: Barrier) -> bool:
        """A barrier that all live threads together open, whatever its number."""
        registers = self._machine.registers
        number = registers[barrier.number]
        if self._machine.arrivals.numbered is not None or (number.size > 1 and np.ptp(number.view(U32))):
            return False
        if barrier.threads is None:
            return True
        return bool((registers[barrier.threads].view(U32) == self._machine.batch.geometry.threads).all())

    def settle(self) -> bool:
        """Open every barrier that can open; whether one did."""
        opened = False
        for group in list(self._groups.values()):
            if group.barrier.scope == "cluster":
                free = self._cluster_complete(group)
            elif group.barrier.together:
                absent = missing(self._machine.live, group.mask)
                free = ~np.logical_or.reduce(absent, axis=(0, 1), keepdims=True)
            else:
                continue
            opened |= self._open_for([group], free, CLUSTER if group.barrier.scope == "cluster" else None)
        counted = [g for g in self._groups.values() if g.barrier.scope == "block" and not g.barrier.together]
        return self._settle_counted(counted) or opened

    def _settle_counted(self, groups: list[_Group]) -> bool:
        opened = False
        for number in range(NUMBERS) if groups else ():
            members = [(group, _lanes_with(group, number)) for group in groups]
            members = [(group, lanes) for group, lanes in members if lanes.any()]
            if not members:
                continue
            come = np.logical_or.reduce([lanes for _, lanes in members])
            needed = np.maximum.reduce([self._needed(group, lanes) for group, lanes in members])
            arrivals = self._arrivals(number)
            free = (self._counted(come) + arrivals >= needed) & come.any(axis=(0, 1), keepdims=True)
            if free.any():
                arrivals[free] = 0
                chosen = [_Group(g.position, g.barrier, g.activation, lanes) for g, lanes in members]
                opened |= self._open_for(chosen, free, number)
        return opened

    def _arrivals(self, number: int) -> Array:
        """Threads that have arrived without waiting (bar.arrive), shape (1, 1, blocks), a view."""
        found = self._machine.arrivals.numbered
        return np.zeros((1, 1, self._machine.blocks), np.int64) if found is None else found[number]

    def _needed(self, group: _Group, lanes: Array) -> Array:
        machine = self._machine
        if group.barrier.threads is not None:
            threads = np.where(lanes, group.value(group.barrier.threads).view(U32), U32.type(0))
            return threads.max(axis=(0, 1), keepdims=True).astype(np.int64)
        live = EVERYONE if machine.live is None else machine.live
        return self._counted(np.broadcast_to(live, machine.shape)) * lanes.any(axis=(0, 1), keepdims=True)

    def _counted(self, lanes: Array) -> Array:
        """Threads of each block, a warp that is there with all its live lanes counting as a whole one."""
        return count_threads(self._machine.batch.geometry, self._machine.live, lanes)

    def _cluster_complete(self, group: _Group) -> Array:
        machine = self._machine
        arrivals = machine.arrivals.cluster
        live = np.broadcast_to(EVERYONE if machine.live is None else machine.live, machine.shape)
        least = np.where(live, arrivals, np.iinfo(np.int64).max).min(axis=(0, 1))
        size = machine.batch.geometry.cluster_size
        least = np.repeat(least.reshape(-1, size).min(axis=1), size)
        return group.mask & (arrivals <= least)

    def _open_for(self, groups: list[_Group], free: Array, number: int | None = None) -> bool:
        """Open barrier `number` (None: the block's) for the lanes of `free`; the rest of each group waits on."""
        chosen: list[_Group] = []
        for group in groups:
            lanes = group.mask & free
            if not lanes.any():
                continue
            chosen.append(_Group(group.position, group.barrier, group.activation, lanes))
            waiting = self._groups[group.position]
            waiting.mask = waiting.mask & ~lanes
            if not waiting.mask.any():
                del self._groups[group.position]
        if chosen:
            self._open(chosen, np.logical_or.reduce([group.mask for group in chosen]), number)
        return bool(chosen)

    def _open(self, groups: list[_Group], released: Mask, number: int | None = None) -> None:
        machine = self._machine
        if machine.observers and groups[0].barrier.together:
            self._check_departed(groups[0])
        for observer in machine.observers:
            observer.barrier(machine, released, number)
        for n in range(NUMBERS) if groups[0].barrier.reduction else ():
            self._reduce([(group, _lanes_with(group, n) & group.mask) for group in groups])
        for group in groups:
            self._release(group.position, None if released is None and group.mask is EVERYONE else group.mask)

    def _check_departed(self, group: _Group) -> None:
        """Threads may leave before the first barrier, but who came to one must come to the next.

        A `__syncthreads()` that some threads skip is undefined even where they leave the kernel before the others
        come to it; leaving before any is so common that it is let pass, as devices do.
        """
        live, lanes = self._machine.live, group.mask
        if live is not None:
            lanes = lanes & live
            gone = self._came & ~live & lanes.any(axis=(0, 1), keepdims=True)
            if gone.any():
                what = "barrier that threads skipped which had come to an earlier one; they left the kernel instead"
                place = self._machine.batch
                raise FaultError(
                    place.fault(Verdict.BARRIER_DIVERGENCE, what, group.barrier.instruction, gone)
                )
        self._came = self._came | lanes

    def _reduce(self, members: list[tuple[_Group, Array]]) -> None:
        """`bar.red`: combine the predicates of all who came, and give every one of them the result."""
        machine = self._machine
        count = np.zeros((1, 1, machine.blocks), np.int64)
        total = np.zeros((1, 1, machine.blocks), np.int64)
        for group, lanes in members:
            predicate = group.value(group.barrier.predicate).view(PRED) ^ group.barrier.inverted
            full = np.broadcast_to(lanes, machine.shape)
            total = total + full.sum(axis=(0, 1), keepdims=True)
            count = count + (full & predicate).sum(axis=(0, 1), keepdims=True)
        results = {"popc": count.astype(U32), "and": count == total, "or": count > 0}
        for group, lanes in members:
            if lanes.any():
                machine.enter(group.activation)
                machine.merge, machine.force = lanes, True
                machine.write(group.barrier.target, results[group.barrier.reduction])
                machine.force = False

    def stuck(self) -> Fault:
        """Nothing can open any more: the fault that says where lanes wait."""
        group = next(iter(self._groups.values()))
        what = f"barrier not reached by all threads of the {group.barrier.scope}"
        others = (
            _SEVERAL[group.barrier.together] if len(self._groups) > 1 else "; the others can never arrive"
        )
        if group.barrier.threads is not None:
            what, others = "barrier not reached by as many threads as it counts", others
        return self._machine.batch.fault(
            Verdict.BARRIER_DIVERGENCE, what + others, group.barrier.instruction, group.mask
        )


def _lanes_with(group: _Group, number: int) -> Array:
    """The lanes of a group whose barrier has that number."""
    lanes: Array = group.mask & (group.value(group.barrier.number).view(U32) == number)
    return lanes
