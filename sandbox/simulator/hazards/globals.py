"""Races in global memory within a launch, and reads of outputs or scratch that nothing wrote.

Every unit of a buffer or device variable that a kernel may write remembers its last writer and its readers.
Inputs have a watch of their own: nothing may write them.
"""

from __future__ import annotations

import numpy as np

from sandbox.device import Array, Fault
from sandbox.simulator.hazards import readers
from sandbox.simulator.hazards.buffers import (
    BufferAccess,
    buffer_accesses,
    manner_of,
    meets,
    never_written,
    same_value,
    who_is,
)
from sandbox.simulator.hazards.findings import Findings, Instructions, Side, told
from sandbox.simulator.hazards.order import (
    NOBODY,
    OBSERVED,
    TICKET,
    LaunchOrder,
    block_of,
    block_thread,
    farthest,
)
from sandbox.simulator.hazards.readers import Found, Reads
from sandbox.simulator.hazards.shadow import (
    ADDS,
    CHANGE,
    LOOK,
    NONE,
    SETS,
    SEVERAL,
    STRONG,
    WAITS,
    Watched,
)
from sandbox.simulator.hazards.strength import CLUSTER, GRID, Strength, Strengths, fence_of
from sandbox.simulator.machine.access import MemoryAccess
from sandbox.simulator.machine.arrivals import CLUSTER as CLUSTER_BARRIER
from sandbox.simulator.machine.lanes import EVERYONE
from sandbox.simulator.machine.state import Machine, Observer
from sandbox.simulator.ptx.syntax import Instruction

_AWAITED = frozenset({WAITS + CLUSTER, WAITS + GRID})
_CHECKED = frozenset({LOOK, STRONG + CLUSTER, STRONG + GRID}) | _AWAITED


class GlobalHazards(Observer):
    """Watches the writable buffers of one launch; lives as long as the launch.

    Two accesses race where neither happens before the other, one of them writes, and they are not morally strong
    (PTX ISA 9.0, section 8.7). Morally strong ones that nobody waits for are reported all the same where one is a
    store: which of them comes first then decides the result. Loads that a loop waits for, and atomic operations,
    may meet what they find.

    Args:
        buffers: Shadows by buffer name.
        order: Of the launch.
        findings: Of the run.
        strengths: Of the kernel's instructions.
    """

    def __init__(
        self,
        buffers: dict[str, Watched],
        order: LaunchOrder,
        findings: Findings,
        strengths: Strengths,
    ) -> None:
        self.buffers = buffers
        self._order = order
        self._findings = findings
        self._strengths = strengths
        self._instructions = Instructions()
        self._alone = order.geometry.threads == order.geometry.grid_blocks == 1

    def global_access(self, machine: Machine, access: MemoryAccess) -> None:
        """Judge one access against what came before it in this launch."""
        how = self._strengths.of(access.instruction)
        self._order.enter(machine)
        if access.kind == "store" and how.strong:
            self._order.ticks.step()  # so that no other access of the thread has the tick of this one
        for case, unit, agents, width in buffer_accesses(machine, access, how, self._order, self.buffers):
            self._judge(case, unit, agents, width)
        if access.kind == "store":
            self._stored(machine, access, how)
        elif access.kind == "load" and how.observes:
            lanes, word = self._words(machine, access)
            self._order.seen(lanes, word, how)

    def global_atomic(self, machine: Machine, access: MemoryAccess, wrote: Array | None) -> None:
        """Atomic operations have taken effect: what they release and observe."""
        lanes, word = self._words(machine, access)
        position, thread = lanes
        if wrote is None:
            done = np.ones(len(word), np.bool_)
        else:
            done = np.broadcast_to(wrote, machine.shape).reshape(-1, machine.blocks)[thread, position]
        self._order.changed(lanes, word, self._strengths.of(access.instruction), done)

    def barrier(self, machine: Machine, released: Array | None, number: int | None = None) -> None:
        """Accesses of a block before its barrier are ordered before those after it."""
        self._order.enter(machine)
        if number == CLUSTER_BARRIER:
            self._order.cluster_barrier(machine, released)
        elif number is None or self._whole(machine, released):
            self._order.barrier(machine, released)

    def warp_barrier(self, machine: Machine, members: Array) -> None:
        """`bar.warp.sync` orders the accesses of a warp."""
        self._order.enter(machine)
        self._order.warp_barrier(machine)

    def fence(self, machine: Machine, instruction: Instruction) -> None:
        """A fence releases what its thread knows of, and acquires what it has observed."""
        self._order.enter(machine)
        self._order.fence(machine, fence_of(instruction.opcode, instruction.modifiers))

    @staticmethod
    def _whole(machine: Machine, released: Array | None) -> bool:
        """Whether a barrier with a number was one of every live thread of its blocks."""
        if released is None:
            return True
        live = EVERYONE if machine.live is None else machine.live
        absent = live & ~released & released.any(axis=(0, 1), keepdims=True)
        return not bool(absent.any())

    def _stored(self, machine: Machine, access: MemoryAccess, how: Strength) -> None:
        if how.strong:
            lanes, word = self._words(machine, access)
            self._order.stored(lanes, word, how)
        elif not self._order.releases.empty:
            mask = EVERYONE if access.mask is None else access.mask
            shape = np.broadcast_shapes(access.offsets.shape, mask.shape)
            word = np.broadcast_to(access.offsets, shape)[np.broadcast_to(mask, shape)] >> 2
            for k in range(max(1, access.size // 4)):
                self._order.releases.forget(word + k)

    def _words(self, machine: Machine, access: MemoryAccess) -> tuple[tuple[Array, Array], Array]:
        """Positions and threads of the active lanes, in the order in which atomics take them, and their words."""
        lanes = self._order.lanes(machine, EVERYONE if access.mask is None else access.mask)
        position, thread = lanes
        word = (
            np.broadcast_to(access.offsets, machine.shape).reshape(-1, machine.blocks)[thread, position] >> 2
        )
        return lanes, word

    def _judge(self, case: BufferAccess, unit: Array, agent: Array, width: Array) -> None:
        watched, how = case.watched, case.how
        kind = "load" if how.only_reads else case.access.kind
        if case.access.reads and not watched.written.take(unit).all():
            self._findings.unwritten(never_written(case, unit, agent), case.access.instruction)
        if self._alone:
            self._follow(case, unit, agent)
            return
        before = watched.writer.take(unit)
        if before.max(initial=NOBODY) >= 0:
            self._judge_writer(case, unit, agent, before)
        if kind == "load":
            self._read(case, unit, agent, width)
            return
        if watched.read:
            self._judge_readers(case, unit, agent)
        number = self._instructions.number(case.access.instruction)
        if how.strong or watched.strong:
            self._written_strongly(case, unit, agent, before)
        watched.write(unit, agent, number)
        if kind == "store":
            collided = watched.writer.take(unit) != agent
            if collided.any() and not self._same(case, unit[collided], None):
                self._collided(case, unit, agent, collided)
        elif kind == "atomic":
            lost = watched.writer.take(unit) != agent
            watched.second[unit[lost]] = agent[lost]
            if how.scope < GRID:
                self._narrow(case, unit, agent)

    def _follow(self, case: BufferAccess, unit: Array, agent: Array) -> None:
        """Remember what the only thread of a launch does: all its accesses are in order."""
        watched, access = case.watched, case.access
        if access.kind != "load":
            watched.write(unit, agent, self._instructions.number(access.instruction))
        elif "nc" in access.instruction.modifiers:
            self._not_coherent(case, unit, agent)

    @staticmethod
    def _written_strongly(case: BufferAccess, unit: Array, agent: Array, before: Array) -> None:
        """Remember how units are written where some of the buffer are by strong accesses."""
        watched, how = case.watched, case.how
        if how.changes:
            other = (watched.manner.take(unit) >= CHANGE) & (block_thread(before) != block_thread(agent))
            watched.second[unit[other]] = before[other]
        else:
            watched.second[unit] = NOBODY
        watched.manner[unit] = manner_of(how)
        watched.strong = True

    def _read(self, case: BufferAccess, unit: Array, agent: Array, width: Array) -> None:
        instruction = case.access.instruction
        if "nc" in instruction.modifiers:
            self._not_coherent(case, unit, agent)
        reading = LOOK if self._strengths.looks(instruction) else manner_of(case.how) & (CHANGE - 1)
        if self._strengths.waits(instruction):
            reading += WAITS - STRONG
        if self._strengths.tickets and not case.how.strong:
            self._cache(case, unit, agent)
        number = self._instructions.number(instruction)
        readers.remember(case.watched, self._order, Reads(unit, agent, width, reading, number))

    @staticmethod
    def _cache(case: BufferAccess, unit: Array, agent: Array) -> None:
        """Weak loads may leave what they read in the cache of their multiprocessor."""
        cached, block = case.watched.cached.take(unit), block_of(agent)
        case.watched.cached[unit] = np.where((cached == NONE) | (cached == block), block, SEVERAL)
        collided = case.watched.cached.take(unit)
        other = (collided >= 0) & (collided != block)
        case.watched.cached[unit[other]] = SEVERAL

    def _judge_writer(self, case: BufferAccess, unit: Array, agent: Array, before: Array) -> None:
        watched, access, how = case.watched, case.access, case.how
        manner = watched.manner.take(unit) if watched.strong else np.zeros(1, np.uint8)
        strongly = meets(self._order, manner, how, before, agent) if how.strong else None
        exempt = self._exempt(access, how, manner, strongly) if watched.strong else None
        racing = self._order.unordered(before, agent, exempt=exempt)
        if watched.strong and strongly is None and not racing.any():
            # The last of several atomic operations stands for the others only if it looked at what they left.
            before = np.where(manner & ADDS != 0, watched.second.take(unit), NOBODY)
            racing = self._order.unordered(before, agent, exempt=exempt)
        if not racing.any():
            return
        if strongly is not None:
            asked = np.where(racing & strongly, before, NOBODY)
            racing = (racing & ~strongly) | self._order.unordered(asked, agent, level=OBSERVED)
        else:
            racing &= ~self._after_ticket(case, unit, agent, np.where(racing, before, NOBODY))
        if not racing.any() or (access.kind == "store" and self._same(case, unit[racing], watched)):
            return
        first = farthest(racing, before, agent)
        writer = Side(self._instructions[watched.written_by(int(unit[first]))], *who_is(int(before[first])))
        self._race(case, int(unit[first]), writer, int(agent[first]))

    def _after_ticket(self, case: BufferAccess, unit: Array, agent: Array, before: Array) -> Array:
        """Which accesses follow a ticket that tells them of the write, though no fence stands between.

        PTX guarantees nothing there: the read needs an acquire. NVIDIA's own way of finding the last block ("Memory
        Fence Functions" of the CUDA C++ Programming Guide, the sample threadFenceReduction) has none, and no device
        can tell: what no other block has read in this launch cannot lie stale in a cache. It is noted.
        """
        if self._order.releases.empty:
            return np.zeros(len(unit), np.bool_)
        known = (before >= 0) & ~self._order.unordered(before, agent, level=TICKET)
        if case.access.kind == "load":
            cached = case.watched.cached.take(unit)
            known &= (cached == NONE) | (cached == block_of(agent))
        if known.any():
            self._findings.note(
                f"line {case.access.instruction.line} follows an atomic operation without a fence between: devices "
                f"do what is meant, but PTX guarantees it only with __threadfence() after the atomic operation"
            )
        return known

    def _exempt(
        self, access: MemoryAccess, how: Strength, manner: Array, strongly: Array | None
    ) -> Array | None:
        """Which of the last writes an access may meet though nothing orders them; None for none."""
        changed, sets = manner >= CHANGE, manner >= SETS
        if strongly is None:
            return changed if self._strengths.looks(access.instruction) else None
        if self._strengths.waits(access.instruction):
            return strongly
        if access.kind == "load" or how.only_reads:
            return strongly & changed & ~sets
        adds = changed & (manner & ADDS != 0)
        if how.adds:
            return strongly & changed & ~sets
        if how.sets or access.kind == "store":
            return strongly & changed & ~adds
        return strongly

    def _judge_readers(self, case: BufferAccess, unit: Array, agent: Array) -> None:
        how = case.how
        if case.access.kind == "atomic" and not how.sets:
            manners, observed = (_CHECKED if how.scope == GRID else frozenset({LOOK})), False
        else:
            manners, observed = (
                (_AWAITED if how.strong and how.scope == GRID else frozenset[int]()),
                how.strong,
            )
        found = readers.judge(case.watched, self._order, unit, agent, (manners, observed))
        if found is not None and not (
            case.access.kind == "store" and self._same(case, unit[found.position], case.watched)
        ):
            self._report_reader(case, unit, agent, found)
        readers.forget(case.watched, unit)

    def _report_reader(self, case: BufferAccess, unit: Array, agent: Array, found: Found) -> None:
        one = farthest(np.ones(len(found.position), np.bool_), found.reader, agent[found.position])
        lane = int(found.position[one])
        reader = Side(self._instructions[int(found.by[one])], *who_is(int(found.reader[one])), kind="load")
        self._race(case, int(unit[lane]), reader, int(agent[lane]))

    def _not_coherent(self, case: BufferAccess, unit: Array, agent: Array) -> None:
        """`ld.global.nc` is for what nobody writes while the kernel runs (PTX ISA 9.0, section 9.7.9.9)."""
        written = case.watched.writer.take(unit) != NOBODY
        if written.any():
            first = int(np.argmax(written))
            place = int(unit[first])
            writer = self._instructions[case.watched.written_by(place)]
            what = (
                f"{case.element(place)} is read through the non-coherent cache (ld.global.nc: __ldg, or a const "
                f"__restrict__ pointer) though this launch writes it at line {writer.line}: what comes back is "
                "undefined; read it through a plain pointer"
            )
            who = who_is(int(agent[first]))
            before = Side(writer, *who_is(int(case.watched.writer[place])))
            now = Side(case.access.instruction, *who)
            self._findings.race(before, now, lambda: case.fault(what, place, who))

    def _narrow(self, case: BufferAccess, unit: Array, agent: Array) -> None:
        """Lanes of several blocks change a unit at once, in block scope."""
        last = case.watched.writer.take(unit)
        apart = block_of(last) != block_of(agent)
        if case.how.scope == CLUSTER:
            cluster = self._order.geometry.cluster_of
            apart = cluster(block_of(last)) != cluster(block_of(agent))
        if apart.any():
            first = int(np.argmax(apart))
            side = Side(case.access.instruction, *who_is(int(last[first])))
            self._race(case, int(unit[first]), side, int(agent[first]))

    def _collided(self, case: BufferAccess, unit: Array, agent: Array, collided: Array) -> None:
        first = int(np.argmax(collided))
        other = int(case.watched.writer[unit[first]])
        self._race(case, int(unit[first]), Side(case.access.instruction, *who_is(other)), int(agent[first]))

    def _same(self, case: BufferAccess, unit: Array, held: Watched | None) -> bool:
        """Whether stores write the value of their rivals, and that `held` already: noted, it harms nobody."""
        if not same_value(case.machine, case.access, unit, held):
            return False
        line = case.access.instruction.line
        self._findings.note(f"several threads write the same value to {case.label} at line {line}: benign")
        return True

    def _race(self, case: BufferAccess, unit: int, before: Side, agent: int) -> None:
        now = Side(case.access.instruction, *who_is(agent))

        def tell() -> Fault:
            what = f"race on {case.element(unit)}: {told(case.machine.batch, before, now)}"
            return case.fault(what, unit, who_is(agent))

        self._findings.race(before, now, tell)
