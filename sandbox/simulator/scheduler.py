"""Runs one batch of blocks: which lanes execute which basic block next, and what they wait for.

Lanes that took different branches form groups, one a basic block. The lowest block runs first, so that lanes
meet again at the end of a branch; now and then the oldest group runs, so that lanes which wait for others in
a loop cannot starve them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sandbox.device import Array, Fault
from sandbox.simulator.calls import CallStack
from sandbox.simulator.code import BLOCK_BARRIERS, BasicBlock, Jump
from sandbox.simulator.faults import FaultError
from sandbox.simulator.instructions.warps import ballot
from sandbox.simulator.lanes import WARP, by_warp, from_warps
from sandbox.simulator.launching import LaunchSetup
from sandbox.simulator.machine import Machine
from sandbox.simulator.ptx.syntax import Instruction
from sandbox.simulator.ptx.types import U32
from sandbox.verdict import Verdict

Mask = Array | None
BlockListener = Callable[[Machine, BasicBlock], None]

_FAIRNESS = 512
_CLOCK_CHECK = 64
_EVERYONE = np.ones((1, 1, 1), dtype=np.bool_)


def _union(a: Mask, b: Mask) -> Mask:
    return None if a is None or b is None else a | b


@dataclass(frozen=True)
class Position:
    """Where a group of lanes stands; groups sort innermost call first, then by block."""

    depth: int
    frame: int
    block: int

    @property
    def order(self) -> tuple[int, int, int]:
        """Lower runs first."""
        return (-self.depth, self.block, self.frame)


class Scheduler:
    """Executes a kernel for the lanes of one machine.

    Args:
        setup: The launch.
        machine: Fresh, for one batch of blocks.
        listener: Called before each basic block, with the machine's active lanes set.
        deadline: `time.monotonic()` value past which the run ends as a timeout.
    """

    def __init__(
        self,
        setup: LaunchSetup,
        machine: Machine,
        listener: BlockListener | None = None,
        deadline: float | None = None,
    ) -> None:
        self._calls = CallStack(setup, machine)
        self._machine = machine
        self._listener = listener
        self._deadline = deadline
        self._pending: dict[Position, Mask] = {Position(0, 0, 0): None}
        self._waiting: dict[Position, Mask] = {}
        self._executed = 0

    def run(self) -> None:
        """Run until every lane has exited.

        Raises:
            FaultError: A lane faulted, a barrier cannot open, or the deadline has passed.
        """
        while self._pending or self._waiting:
            if not self._pending:
                self._release()
            position = self._next()
            self._enter(position, self._pending.pop(position))

    def _next(self) -> Position:
        self._executed += 1
        if len(self._pending) == 1 or self._executed % _FAIRNESS == 0:
            return next(iter(self._pending))
        return min(self._pending, key=lambda position: position.order)

    def _enter(self, position: Position, mask: Mask) -> None:
        self._machine.enter(self._calls.frames[position.frame])
        block = self._calls.block(position.frame, position.block)
        if block.barrier is not None or block.warp_sync is not None:
            mask = _union(mask, self._waiting.pop(position)) if position in self._waiting else mask
            mask = self._synchronise(position, block, mask)
            if mask is not None and not mask.any():
                return
        self._execute(position, block, mask)

    def _covers(self, mask: Mask) -> bool:
        """Whether a group holds every lane that is alive."""
        if mask is None:
            return True
        live = self._machine.live
        return bool(mask.all()) if live is None else bool((mask | ~live).all())

    def _execute(self, position: Position, block: BasicBlock, mask: Mask) -> None:
        machine = self._machine
        covers = self._covers(mask)
        machine.mask = None if covers and machine.live is None else mask
        machine.merge = None if covers else mask
        machine.force = False
        if (
            self._deadline is not None
            and self._executed % _CLOCK_CHECK == 0
            and time.monotonic() > self._deadline
        ):
            raise FaultError(self._timeout(block))
        if self._listener is not None:
            self._listener(machine, block)
        for step in block.steps:
            step(machine)
        self._leave(position, block.jump, mask)

    def _timeout(self, block: BasicBlock) -> Fault:
        instruction = next((i for i in block.instructions if i.line is not None), None)
        lanes = _EVERYONE if self._machine.mask is None else self._machine.mask
        what = "the kernel did not end before the deadline; it was still running here"
        return self._machine.place.fault(Verdict.TIMEOUT, what, instruction, lanes)

    def _leave(self, at: Position, jump: Jump, mask: Mask) -> None:
        if jump.kind == "fall":
            self._go(at, jump.targets[0], mask)
        elif jump.kind == "table":
            self._leave_by_table(at, jump, mask)
        elif jump.guard is None:
            self._take(at, jump, mask)
        else:
            self._split(at, jump, mask)

    def _split(self, at: Position, jump: Jump, mask: Mask) -> None:
        assert jump.guard is not None
        predicate = self._machine.registers[jump.guard]
        if predicate.size == 1:
            if bool(predicate.flat[0]) != jump.negated:
                self._take(at, jump, mask)
            else:
                self._go(at, jump.targets[-1], mask)
            return
        chosen = ~predicate if jump.negated else predicate
        taken = chosen if mask is None else chosen & mask
        rest = ~chosen if mask is None else mask & ~chosen
        if not taken.any():
            self._go(at, jump.targets[-1], mask)
        elif not rest.any():
            self._take(at, jump, mask)
        else:
            self._take(at, jump, taken)
            self._go(at, jump.targets[-1], rest)

    def _take(self, at: Position, jump: Jump, mask: Mask) -> None:
        """Lanes leave the block the way the jump says."""
        if jump.kind == "branch":
            self._go(at, jump.targets[0], mask)
        elif jump.kind == "call":
            self._call(at, jump, mask)
        elif jump.kind == "return" and at.depth:
            frame, block = self._calls.leave(at.frame, mask)
            self._add(Position(at.depth - 1, frame, block), mask)
        elif jump.kind == "trap":
            what = "the kernel stopped itself (trap, or a failed assert)"
            lanes = _EVERYONE if mask is None else mask
            raise FaultError(self._machine.place.fault(Verdict.MEMORY_FAULT, what, jump.instruction, lanes))
        else:
            machine = self._machine
            left = _EVERYONE if mask is None else mask
            machine.live = ~left if machine.live is None else machine.live & ~left

    def _call(self, at: Position, jump: Jump, mask: Mask) -> None:
        for frame, lanes in self._calls.enter(at.frame, jump, mask):
            if frame is None:
                self._go(at, jump.targets[-1], lanes)
            else:
                self._add(Position(at.depth + 1, frame, 0), lanes)

    def _leave_by_table(self, at: Position, jump: Jump, mask: Mask) -> None:
        assert jump.guard is not None
        index = self._machine.registers[jump.guard].view(U32)
        for number, target in enumerate(jump.targets):
            chosen = index == number
            chosen = chosen if mask is None else chosen & mask
            if chosen.any():
                self._go(at, target, None if chosen.all() else chosen)

    def _go(self, at: Position, block: int, mask: Mask) -> None:
        self._add(Position(at.depth, at.frame, block), mask)

    def _add(self, position: Position, mask: Mask) -> None:
        if position in self._pending:
            mask = _union(self._pending[position], mask)
        self._pending[position] = mask

    def _synchronise(self, position: Position, block: BasicBlock, mask: Mask) -> Mask:
        """Let those lanes on that need not wait; the others are parked at the block."""
        if self._covers(mask):
            self._open(block, None)
            return mask
        assert mask is not None
        held = self._held_by_barrier(mask) if block.barrier is not None else self._held_by_warp(block, mask)
        parked = mask & held
        if not parked.any():
            self._open(block, mask)
            return mask
        self._waiting[position] = parked
        free = mask & ~held
        if free.any():
            self._open(block, free)
        return free

    def _open(self, block: BasicBlock, released: Mask) -> None:
        machine = self._machine
        if block.barrier is not None:
            for observer in machine.observers:
                observer.barrier(machine, released)
        elif block.warp_sync is not None and block.warp_sync[0].opcode in BLOCK_BARRIERS:
            for observer in machine.observers:
                observer.warp_barrier(machine)

    def _missing(self, mask: Array) -> Array:
        live = self._machine.live
        return ~mask if live is None else live & ~mask

    def _held_by_barrier(self, mask: Array) -> Array:
        """Lanes of blocks some of whose live threads are elsewhere, shape (1, 1, blocks or 1)."""
        return np.logical_or.reduce(self._missing(mask), axis=(0, 1), keepdims=True)

    def _held_by_warp(self, block: BasicBlock, mask: Array) -> Array:
        """Lanes of warps that named a live lane in their member mask which is elsewhere."""
        assert block.warp_sync is not None
        geometry = self._machine.place.geometry
        members = by_warp(self._machine.registers[block.warp_sync[1]].view(U32), geometry)
        active = by_warp(mask, geometry, fill=False)
        named = np.bitwise_or.reduce(np.where(active, members, U32.type(0)), axis=1, keepdims=True)
        missing = ballot(by_warp(self._missing(mask), geometry, fill=False))
        held = (named & missing) != 0
        return from_warps(np.broadcast_to(held, (geometry.warps, WARP, held.shape[2])), geometry)

    def _release(self) -> None:
        """Every group waits: open the barriers of blocks whose live threads all wait at the same one.

        Raises:
            FaultError: No barrier can open.
        """
        for position, mask in self._waiting.items():
            self._machine.enter(self._calls.frames[position.frame])
            block = self._calls.block(position.frame, position.block)
            assert mask is not None
            held = (
                self._held_by_barrier(mask) if block.barrier is not None else self._held_by_warp(block, mask)
            )
            if (mask & ~held).any():
                self._pending[position] = self._waiting.pop(position)
                return
        raise FaultError(self._stuck())

    def _stuck(self) -> Fault:
        position, mask = next(iter(self._waiting.items()))
        block = self._calls.block(position.frame, position.block)
        instruction: Instruction | None = block.barrier or (block.warp_sync[0] if block.warp_sync else None)
        assert mask is not None
        what = (
            "barrier not reached by all threads of the block"
            if block.barrier is not None
            else ("warp-wide instruction not reached by every lane that its mask names")
        )
        others = (
            "; others wait at another barrier" if len(self._waiting) > 1 else "; the others can never arrive"
        )
        return self._machine.place.fault(Verdict.BARRIER_DIVERGENCE, what + others, instruction, mask)
