"""Runs one batch of blocks: which lanes execute which basic block next, and what they wait for.

Lanes that took different branches form groups, one a basic block. The lowest block runs first, so that lanes
meet again at the end of a branch; now and then the oldest group runs, so that lanes which wait for others in
a loop cannot starve them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sandbox.device import Array, Fault
from sandbox.simulator.decode.code import Barrier, BasicBlock, Jump
from sandbox.simulator.execute.barriers import Barriers, Position
from sandbox.simulator.execute.calls import CallStack
from sandbox.simulator.execute.effort import Effort
from sandbox.simulator.execute.launching import LaunchSetup
from sandbox.simulator.execute.polling import Polling, snapshot
from sandbox.simulator.execute.schedule import BatchSchedule
from sandbox.simulator.hazards.members import check_members
from sandbox.simulator.instructions.warps import ballot
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.lanes import (
    EVERYONE,
    WARP,
    Mask,
    by_warp,
    covers,
    from_warps,
    missing,
    some,
    union,
)
from sandbox.simulator.machine.mbarriers import deadlock
from sandbox.simulator.machine.state import Machine
from sandbox.simulator.ptx.kinds import BLOCK_BARRIERS, is_poll
from sandbox.simulator.ptx.types import PRED, U32
from sandbox.verdict import Verdict

BlockListener = Callable[[Machine, BasicBlock], None]

_FAIRNESS = 512


class Scheduler:
    """Executes a kernel for the lanes of one machine.

    Args:
        setup: The launch.
        machine: Fresh, for one batch of blocks.
        listener: Called before each basic block, with the machine's active lanes set.
        effort: What the run has cost so far, and may; None to count this batch alone, without a limit.
        schedule: Which warps, and which lanes of divided ones, are held back until the others wait or have
            ended; None to run all in lock step.
    """

    def __init__(
        self,
        setup: LaunchSetup,
        machine: Machine,
        listener: BlockListener | None = None,
        effort: Effort | None = None,
        *,
        schedule: BatchSchedule | None = None,
    ) -> None:
        self._calls = CallStack(setup, machine)
        self._machine = machine
        self._lanes = machine.batch.geometry.threads * machine.blocks
        self._listener = listener
        self._effort = effort or Effort()
        self._schedule = schedule
        self._sides = schedule.sides() if schedule is not None else ()
        self._pending: dict[Position, Mask] = {}
        self._waiting: dict[Position, Mask] = {}
        self._barriers = Barriers(machine, self._resume)
        self._polling = Polling()
        self._stalled: Fault | None = None
        self._deeds = 0
        self._executed = 0
        self._start(Position(0, 0, 0), None)

    def run(self, *, until_polls: bool = False) -> bool:
        """Run until every lane has exited, or until all that are left poll what none of them will write.

        Args:
            until_polls: Stop as soon as all that is left to do is to look at what other threads may change.

        Returns:
            Whether every lane has exited; if not, `stalled` says where they wait, and this may be called again
            when another batch has done something.

        Raises:
            FaultError: A lane faulted, a barrier cannot open, or the run may cost no more.
        """
        if self._stalled is not None:
            self._stalled = None
            self._polling.forget()
        while self._pending or self._waiting or self._barriers:
            if not self._pending and not self._barriers.settle():
                self._release()
            if self._schedule is not None and self._schedule.changes(self._executed):
                self._hold_others(self._schedule.sides())
            position = self._next_that_acts() if until_polls else self._next()
            if position is None:
                return False
            self._enter(position, self._pending.pop(position))
            if self._stalled is not None:
                return False
        self.close()
        return True

    def close(self) -> None:
        """Let go of the barriers: they call back, and a batch's registers would wait for the cycle collector."""
        self._barriers = Barriers(self._machine, _nobody)

    @property
    def stalled(self) -> Fault | None:
        """Where the lanes of a run that has stalled wait."""
        return self._stalled

    @property
    def lanes(self) -> int:
        """Threads of the batch."""
        return self._lanes

    @property
    def deeds(self) -> int:
        """Grows whenever lanes do what other lanes can see."""
        return self._deeds + self._machine.changes

    def _next_that_acts(self) -> Position | None:
        """The first group that does more than look at what other threads may change; None where all do only that."""
        acting = [at for at in self._pending if not self._calls.block(at.frame, at.block).polls]
        return min(acting, key=lambda at: at.order, default=None)

    def _next(self) -> Position:
        self._executed += 1
        if len(self._pending) == 1:
            return next(iter(self._pending))
        idle = self._polling.idle.keys()
        if self._executed % _FAIRNESS and idle < self._pending.keys():
            return min(self._pending.keys() - idle, key=lambda position: position.order)
        if self._executed % _FAIRNESS and not idle & self._pending.keys():
            return min(self._pending, key=lambda position: position.order)
        return next(iter(self._pending))

    def _enter(self, position: Position, mask: Mask) -> None:
        self._machine.enter(self._calls.frames[position.frame])
        block = self._calls.block(position.frame, position.block)
        if block.barrier is not None:
            self._wait(position, block, block.barrier, mask)
            return
        if block.warp_sync is not None:
            position = position.together
            mask = union(mask, self._waiting.pop(position)) if position in self._waiting else mask
            mask = self._synchronise(position, block, mask)
            if mask is not None and not some(mask):
                return
        if block.polls and self._polling.came(position, mask):
            self._look_for_deadlock(position, mask)
        self._execute(position, block, mask)

    def _look_for_deadlock(self, position: Position, mask: Mask) -> None:
        """Every group that comes here has waited for long: find out whether anything can change that."""
        pending = {position: mask, **self._pending}
        runnable = mask
        for other in self._pending.values():
            runnable = union(runnable, other)
        runnable = np.broadcast_to(EVERYONE if runnable is None else runnable, self._machine.shape)
        polls = next(filter(is_poll, self._calls.block(position.frame, position.block).instructions))
        fault = deadlock(self._machine, runnable, polls)
        if fault is not None:
            raise FaultError(fault)
        state = snapshot(pending, self._calls.frames, self.deeds, self._machine.live)
        if self._polling.unchanged(position, state):
            what = (
                "livelock: every thread that is left waits for a value that none of them will write, and so does "
                "every other block that can run"
            )
            livelock = self._machine.batch.fault(Verdict.TIMEOUT, what, polls, runnable)
            self._stalled = deadlock(self._machine, runnable, polls, patience=1) or livelock

    def _wait(self, position: Position, block: BasicBlock, barrier: Barrier, mask: Mask) -> None:
        if barrier.guard is not None:
            chosen = self._machine.registers[barrier.guard].view(PRED) ^ barrier.guard_negated
            everyone = EVERYONE if mask is None else mask
            if not chosen.all():
                self._go(position, block.jump.targets[0], everyone & ~chosen)
                mask = everyone & chosen
            if mask is not None and not mask.any():
                return
        self._set_lanes(mask)
        if self._listener is not None:
            self._listener(self._machine, block)
        self._deeds += 1
        self._barriers.wait(position._replace(side=0), barrier, mask)

    def _set_lanes(self, mask: Mask) -> None:
        machine = self._machine
        everyone = covers(machine.live, mask)
        machine.mask = None if everyone and machine.live is None else mask
        machine.merge = None if everyone else mask
        machine.force = False

    def _resume(self, position: Position, mask: Mask) -> None:
        """A barrier opened: go on behind it."""
        block = self._calls.block(position.frame, position.block)
        self._start(position._replace(block=block.jump.targets[0]), mask)

    def _start(self, position: Position, mask: Mask) -> None:
        """Let lanes go on together, or each side on its own."""
        if not self._sides:
            self._add(position, mask)
        for side, lanes in enumerate(self._sides):
            chosen = lanes if mask is None else mask & lanes
            if chosen.any():
                self._add(position._replace(side=side), chosen)

    def _hold_others(self, sides: tuple[Array, ...]) -> None:
        """Let other warps run first from here on."""
        self._sides = sides
        self._polling = Polling()
        for groups in (self._pending, self._waiting):
            before = list(groups.items())
            groups.clear()
            for position, mask in before:
                for side, lanes in enumerate(sides):
                    chosen = lanes if mask is None else mask & lanes
                    if chosen.any():
                        at = position.on(side)
                        groups[at] = union(groups[at], chosen) if at in groups else chosen

    def _execute(self, position: Position, block: BasicBlock, mask: Mask) -> None:
        machine = self._machine
        self._set_lanes(mask)
        self._spend(block, mask)
        self._deeds += block.acts
        if self._listener is not None:
            self._listener(machine, block)
        for step in block.steps:
            step(machine)
        self._leave(position, block.jump, mask)

    def _spend(self, block: BasicBlock, mask: Mask) -> None:
        machine = self._machine
        threads = self._lanes
        if mask is not None:
            threads = int(np.count_nonzero(mask)) * (threads // mask.size)
        exhausted = self._effort.spend(len(block.instructions), threads)
        if exhausted is not None:
            instruction = next((i for i in block.instructions if i.line is not None), None)
            raise FaultError(
                machine.batch.fault(exhausted.verdict, exhausted.what, instruction, machine.active)
            )

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
        if not some(taken):
            self._go(at, jump.targets[-1], mask)
            return
        rest = ~chosen if mask is None else np.greater(mask, chosen)
        if not some(rest):
            self._take(at, jump, mask)
        else:
            held = self._schedule.stray() if self._schedule is not None else None
            self._take(at.late if held == 0 else at, jump, taken)
            self._go(at.late if held == 1 else at, jump.targets[-1], rest)

    def _take(self, at: Position, jump: Jump, mask: Mask) -> None:
        """Lanes leave the block the way the jump says."""
        if jump.kind == "branch":
            self._go(at, jump.targets[0], mask)
        elif jump.kind == "call":
            self._call(at, jump, mask)
        elif jump.kind == "return" and at.depth:
            frame, block = self._calls.leave(at.frame, mask)
            self._add(Position(at.depth - 1, frame, block, at.side), mask)
        elif jump.kind == "trap":
            what = "the kernel stopped itself (trap, or a failed assert)"
            lanes = EVERYONE if mask is None else mask
            raise FaultError(self._machine.batch.fault(Verdict.MEMORY_FAULT, what, jump.instruction, lanes))
        else:
            machine = self._machine
            left = EVERYONE if mask is None else mask
            machine.live = ~left if machine.live is None else machine.live & ~left

    def _call(self, at: Position, jump: Jump, mask: Mask) -> None:
        for frame, lanes in self._calls.enter(at.frame, jump, mask):
            if frame is None:
                self._go(at, jump.targets[-1], lanes)
            else:
                self._add(Position(at.depth + 1, frame, 0, at.side), lanes)

    def _leave_by_table(self, at: Position, jump: Jump, mask: Mask) -> None:
        assert jump.guard is not None
        index = self._machine.registers[jump.guard].view(U32)
        for number, target in enumerate(jump.targets):
            chosen = index == number
            chosen = chosen if mask is None else chosen & mask
            if chosen.any():
                self._go(at, target, None if chosen.all() else chosen)

    def _go(self, at: Position, block: int, mask: Mask) -> None:
        self._add(Position(at.depth, at.frame, block, at.side), mask)

    def _add(self, position: Position, mask: Mask) -> None:
        if position in self._pending:
            mask = union(self._pending[position], mask)
        self._pending[position] = mask

    def _synchronise(self, position: Position, block: BasicBlock, mask: Mask) -> Mask:
        """Let those lanes on whose warp is complete; the others are parked at the block."""
        if mask is not None and not covers(self._machine.live, mask):
            held = self._held(block, mask)
            parked = mask & held
            if parked.any():
                self._waiting[position] = parked
                mask = mask & ~held
        if mask is None or some(mask):
            self._set_lanes(mask)
            self._pass(block)
        return mask

    def _pass(self, block: BasicBlock) -> None:
        assert block.warp_sync is not None
        instruction, members = block.warp_sync
        if self._machine.observers and instruction.guard is None:
            check_members(self._machine, instruction, self._machine.registers[members].view(U32))
        if instruction.opcode in BLOCK_BARRIERS:
            named = self._machine.registers[members].view(U32)
            for observer in self._machine.observers:
                observer.warp_barrier(self._machine, named)

    def _held(self, block: BasicBlock, mask: Array) -> Array:
        """Lanes of warps that named a live lane in their member mask which is elsewhere."""
        assert block.warp_sync is not None
        geometry = self._machine.batch.geometry
        members = by_warp(self._machine.registers[block.warp_sync[1]].view(U32), geometry)
        active = by_warp(mask, geometry, fill=False)
        named = np.bitwise_or.reduce(np.where(active, members, U32.type(0)), axis=1, keepdims=True)
        absent = ballot(by_warp(missing(self._machine.live, mask), geometry, fill=False))
        held: Array = (named & absent) != 0
        return from_warps(np.broadcast_to(held, (geometry.warps, WARP, held.shape[2])), geometry)

    def _release(self) -> None:
        """Every group waits: let those on whose warp has lost the lanes that it waited for.

        Raises:
            FaultError: Nobody can go on.
        """
        for position, mask in self._waiting.items():
            self._machine.enter(self._calls.frames[position.frame])
            block = self._calls.block(position.frame, position.block)
            assert mask is not None
            if (mask & ~self._held(block, mask)).any():
                self._pending[position] = self._waiting.pop(position)
                return
        raise FaultError(self._barriers.stuck() if self._barriers else self._stuck())

    def _stuck(self) -> Fault:
        position, mask = next(iter(self._waiting.items()))
        block = self._calls.block(position.frame, position.block)
        assert mask is not None
        assert block.warp_sync is not None
        others = "others wait at another one" if len(self._waiting) > 1 else "the others can never arrive"
        what = f"warp-wide instruction not reached by every lane that its mask names; {others}"
        return self._machine.batch.fault(Verdict.BARRIER_DIVERGENCE, what, block.warp_sync[0], mask)


def _nobody(position: Position, mask: Mask) -> None:
    """Nobody waits any more."""
