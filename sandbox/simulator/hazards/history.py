"""The accesses to shared memory that later ones may race with.

Every unit keeps its last writer and its readers since. An access races with those of them that its thread does
not know of: it is judged as it comes where it meets a writer, and at the next synchronisation where it is a write
that meets readers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from sandbox.device import Array
from sandbox.simulator.hazards.clocks import Clocks
from sandbox.simulator.hazards.findings import Findings
from sandbox.simulator.hazards.strength import Strengths, is_strong
from sandbox.simulator.hazards.touches import (
    NOBODY,
    BlockLayout,
    Deed,
    Layout,
    RaceSite,
    SharedRace,
    Table,
    Touch,
    farthest,
    held,
    meetings,
    merged,
    stored,
)
from sandbox.simulator.machine.access import MemoryAccess
from sandbox.simulator.machine.state import Machine
from sandbox.simulator.ptx.syntax import Instruction
from sandbox.verdict import Verdict

_BARRIER_OBJECTS = frozenset({"mbarrier", "cp"})
"""Opcodes whose atomics touch mbarriers: only whether these are initialised in time is judged."""
_LIMIT = 1 << 21
"""Reads and atomics that are kept before those of one instruction are merged."""
_DIRTY = 256
"""Writes that are kept before it is looked which of them everyone knows of."""

_ENDED = "and the block whose memory it is may have ended: no cluster.sync() after it"


@dataclass
class History:
    """Of one batch.

    Attributes:
        layout: Who the agents are.
        clocks: What agents know.
        granularity: Bytes of a unit.
        findings: Of the run.
        strengths: Of the kernel's instructions.
    """

    layout: Layout
    clocks: Clocks
    granularity: int
    units: int
    findings: Findings
    strengths: Strengths
    _written: Table = field(init=False)
    _writer: Table = field(init=False)
    _time: Table = field(init=False)
    _by: Table = field(init=False)
    _mark: Table = field(init=False)
    _instructions: list[Instruction] = field(default_factory=list[Instruction])
    _numbers: dict[int, int] = field(default_factory=dict[int, int])
    _dirty: list[Touch] = field(default_factory=list[Touch])
    _reads: list[Touch] = field(default_factory=list[Touch])
    _atomics: list[Touch] = field(default_factory=list[Touch])
    _fresh: list[Touch] = field(default_factory=list[Touch])

    def __post_init__(self) -> None:
        self._written, self._mark = Table(self.units, 0, np.bool_), Table(self.units, NOBODY, np.int32)
        self._writer, self._by = Table(self.units, NOBODY, np.int32), Table(self.units, 0, np.int32)
        self._time = Table(self.units, 0, np.int64)

    def take(self, machine: Machine, access: MemoryAccess, copies: Array | None = None) -> None:
        """Judge an access against writers; keep it to be judged against readers.

        Raises:
            FaultError: A race, where the run does not go on to find others.
        """
        found = self.layout.touches(machine, access, self.granularity, self.clocks, copies)
        differs = found[0].block is not None or found[0].time.shape[1] > 1
        if differs:
            self._spread(machine)
        for touch in found:
            if access.reads and not self._written.get(touch).all():
                self._never_written(machine, touch)
            self._meet_writers(machine, touch)
            if access.kind == "load":
                self._reads.append(touch)
            elif access.kind != "atomic":
                self._write(machine, touch)
            elif access.instruction.opcode not in _BARRIER_OBJECTS:
                self._atomics.append(touch)
            self._fresh.append(touch)

    def _spread(self, machine: Machine) -> None:
        """From here on every group has memory of its own."""
        groups = self.layout.groups(machine)
        if self._writer.columns == 1 < groups:
            self.flush(machine)
            for table in (self._written, self._mark, self._writer, self._time, self._by):
                table.spread(groups)

    def _rows(self, touch: Touch) -> Array:
        """Where in the clocks the lanes' blocks stand, shape (n, 1) or (1, 1 or blocks)."""
        if touch.block is None:
            return np.arange(len(self.clocks.now))[None, :]
        return self.clocks.row(touch.block)[:, None]

    def _meet_writers(self, machine: Machine, touch: Touch) -> None:
        """A race where the last writer is unknown to the thread."""
        writer = self._writer.get(touch)
        if writer.max(initial=NOBODY) < 0:
            return
        known = self.clocks.knows(self._rows(touch), touch.thread[:, None], writer)
        racing = (writer >= 0) & (known < self._time.get(touch))
        if racing.any() and (touch.kind == "atomic" or self._waits(touch)):
            racing &= ~self._strong(self._by.get(touch))
        if racing.any() and not self._benign(machine, touch, np.logical_or.reduce(racing, axis=1)):
            lane, block = touch.first(farthest(racing, writer, touch.thread[:, None], self.clocks.threads))
            column = min(block, writer.shape[1] - 1) if touch.block is None else 0
            instruction = self._instructions[int(self._by.get(touch)[lane, column])]
            agent, time = int(writer[lane, column]), int(self._time.get(touch)[lane, column])
            kind = "store" if agent < self.clocks.threads else "copy"
            self._report(machine, Deed(instruction, kind, agent, time), touch, (lane, block))

    def _strong(self, numbers: Array) -> Array:
        """Which instructions are strong stores: atomic operations, and loads that wait for them, may meet them."""
        found = [is_strong(instruction) for instruction in self._instructions]
        return np.array(found or [False])[numbers]

    def _waits(self, touch: Touch) -> bool:
        """Whether a loop waits for what a strong load reads."""
        return self.strengths.waits(touch.instruction)

    def _benign(self, machine: Machine, touch: Touch, racing: Array) -> bool:
        """Whether the racing lanes store what memory holds already."""
        chosen = touch.only(racing)
        if (
            not isinstance(self.layout, BlockLayout)
            or (self._writer.get(chosen) >= self.clocks.threads).any()
        ):
            return False
        every = chosen.expanded(machine.blocks)
        new = stored(machine, every)
        if new is None or (new != held(machine, every)).any():
            return False
        numbers: list[int] = np.unique(self._by.get(chosen)).tolist()
        lines = {self._instructions[number].line for number in numbers}
        self._note(lines | {touch.instruction.line})
        return True

    def _note(self, lines: set[int | None]) -> None:
        """Several threads store one value, which harms nobody."""
        numbers = sorted(line or 0 for line in lines)
        where = ("line " if len(numbers) == 1 else "lines ") + ", ".join(map(str, numbers))
        self.findings.note(f"several threads write the same value to shared memory at {where}: benign")

    def _write(self, machine: Machine, touch: Touch) -> None:
        """Become the last writer of the units."""
        self._dirty.append(touch)
        number = self._numbers.setdefault(id(touch.instruction), len(self._instructions))
        if number == len(self._instructions):
            self._instructions.append(touch.instruction)
        agents = touch.agent[:, None]
        self._written.put(touch, 1)
        self._writer.put(touch, agents)
        self._time.put(touch, touch.time)
        self._by.put(touch, number)
        collided = self._writer.get(touch) != agents
        if not collided.any():
            return
        alone = isinstance(self.layout, BlockLayout)
        if alone and self._one_value(machine, touch.expanded(machine.blocks)):
            self._note({touch.instruction.line})
            return
        lane, block = touch.first(collided)
        other = int(self._writer.get(touch)[lane, 0])
        self._report(machine, Deed(touch.instruction, touch.kind, other, 0), touch, (lane, block))

    @staticmethod
    def _one_value(machine: Machine, touch: Touch) -> bool:
        """Whether lanes that store to one unit at once store the same."""
        values = stored(machine, touch)
        if values is None or touch.block is None:
            return False
        place = touch.unit * machine.blocks + touch.block
        order = np.argsort(place, kind="stable")
        place, values = place[order], values[order]
        return bool(((place[1:] != place[:-1]) | (values[1:] == values[:-1])).all())

    def elsewhere(self, machine: Machine, access: MemoryAccess) -> None:
        """Lanes touch the memory of other blocks: only who wrote anything there at all is kept."""
        assert access.owner is not None
        away = access.owner != machine.shared.block_index
        away = np.broadcast_to(away if access.mask is None else away & access.mask, machine.shape)
        self._spread(machine)
        base = np.broadcast_to(access.offsets, machine.shape)[away] // self.granularity
        owner = np.broadcast_to(access.owner, machine.shape)[away]
        lane = np.nonzero(away.reshape(-1, machine.blocks))[0]
        for k in range(max(1, access.size // self.granularity)):
            touch = Touch(access, 0, base + k, lane, lane, owner, lane, np.zeros((lane.size, 1)))
            if access.reads and not self._written.get(touch).all():
                self._never_written(machine, touch)
            if access.kind != "load":
                self._written.put(touch, 1)

    def unseen(self, machine: Machine, owner: Callable[[Array], Array]) -> None:
        """Report accesses that the owner of the memory does not know of although it has ended.

        Args:
            machine: At its end.
            owner: From units to agents.

        Raises:
            FaultError: There are some, and the run does not go on.
        """
        for touch in (*self._reads, *self._atomics, *self._dirty):
            whose = owner(touch.unit)
            known = self.clocks.knows(self._rows(touch), whose[:, None], touch.agent[:, None])
            late = (known < touch.time) & (touch.agent != whose)[:, None]
            if late.any():
                lane, group = touch.first(late)
                place = RaceSite(lane, group, _ENDED)
                self.flush(machine)
                before = Deed(touch.instruction, touch.kind, int(touch.agent[lane]), 0)
                self._tell(self.layout.race(machine, self.granularity, before, touch, place))

    def flush(self, machine: Machine) -> None:
        """Judge what came since the last synchronisation against readers and atomics."""
        fresh, self._fresh = self._fresh, []
        if self._atomics:
            self._meet_atomics(machine, fresh)
        stores = [touch for touch in fresh if touch.kind in {"store", "copy"}]
        for strong in (False, True):
            some = [store for store in stores if is_strong(store.instruction) is strong]
            if some:
                self._meet_stores(machine, some, strong)
        if len(self._dirty) > _DIRTY or sum(t.unit.size for t in (*self._reads, *self._atomics)) > _LIMIT:
            self.prune(machine)
            self._reads, self._atomics = merged(self._reads), merged(self._atomics)

    def _meet_stores(self, machine: Machine, stores: list[Touch], strong: bool) -> None:
        """Judge stores against earlier reads and atomics; strong ones may meet atomics and loads that wait."""
        for store in stores:
            self._mark.put(store, store.thread[:, None])
        spared = [touch for touch in self._reads if strong and self._waits(touch)]
        judged = [touch for touch in self._reads if not (strong and self._waits(touch))]
        self._reads = spared + self._unmet(machine, judged, stores)
        if not strong:
            self._atomics = self._unmet(machine, self._atomics, stores)
        for store in stores:
            self._mark.put(store, NOBODY)

    def _unmet(self, machine: Machine, kept: list[Touch], stores: list[Touch]) -> list[Touch]:
        """Judge marked stores against earlier accesses, and return those that no store met.

        The others are done with: whoever does not know of them does not know of the store either.
        """
        left: list[Touch] = []
        for touch in kept:
            storer = self._mark.get(touch)
            hit = storer >= 0
            if hit.any():
                known = self.clocks.knows(self._rows(touch), np.maximum(storer, 0), touch.agent[:, None])
                racing = hit & (known < touch.time)
                if racing.any():
                    racing = farthest(racing, storer, touch.thread[:, None], self.clocks.threads)
                    self._report_store(machine, touch, racing, stores)
                touch = touch.only(~np.logical_and.reduce(hit, axis=1))
            if touch.unit.size:
                left.append(touch)
        return left

    def _report_store(self, machine: Machine, touch: Touch, racing: Array, stores: list[Touch]) -> None:
        lane, block = touch.first(racing)
        before = Deed(touch.instruction, touch.kind, int(touch.agent[lane]), 0)
        for store in reversed(stores):
            same = store.unit == touch.unit[lane]
            if store.block is not None:
                same = same & (store.block == block)
            if same.any():
                self._report(machine, before, store, (int(np.argmax(same)), block))
                return

    def _meet_atomics(self, machine: Machine, fresh: list[Touch]) -> None:
        """Judge loads against atomics, and fresh atomics against earlier loads."""
        new = {id(touch) for touch in fresh}
        self._meet_exchanges(machine, new)
        for atomic in self._atomics:
            self._mark.put(atomic, 0)
        loads = [touch for touch in self._reads if (self._mark.get(touch) == 0).any()]
        for atomic in self._atomics:
            self._mark.put(atomic, NOBODY)
        columns = self._writer.columns
        for load in loads:
            if is_strong(load.instruction) or self.strengths.looks(load.instruction):
                continue
            for atomic in self._atomics:
                if id(atomic) in new or id(load) in new:
                    self._meet(machine, atomic.expanded(columns), load.expanded(columns))

    def _meet_exchanges(self, machine: Machine, new: set[int]) -> None:
        """Exchanges, of which nobody reads the old value, against atomics that add to it or only read it.

        They are no race, but which of them comes first decides what is there in the end.
        """
        how = self.strengths.of
        sets = [touch for touch in self._atomics if how(touch.instruction).sets]
        if not sets:
            return
        columns = self._writer.columns
        for touch in self._atomics:
            one = how(touch.instruction)
            if not (one.adds or (one.only_reads and not self._waits(touch))):
                continue
            for other in sets:
                if id(touch) in new or id(other) in new:
                    self._meet(machine, other.expanded(columns), touch.expanded(columns))

    def _meet(self, machine: Machine, atomic: Touch, load: Touch) -> None:
        """A race where a load and an atomic touch one unit, and neither thread knows of the other's access."""
        which, other = meetings(load, atomic, self.layout.groups(machine))
        assert load.block is not None
        row = self.clocks.row(load.block[which])
        forth = self.clocks.knows(row, load.thread[which], atomic.agent[other]) < atomic.time[other, 0]
        back = self.clocks.knows(row, atomic.thread[other], load.agent[which]) < load.time[which, 0]
        racing = np.flatnonzero(forth & back)
        if racing.size:
            sides = load.thread[which[racing]], atomic.thread[other[racing]]
            one = racing[np.argmax(farthest(np.ones(racing.size, np.bool_), *sides, self.clocks.threads))]
            lane, partner = int(which[one]), int(other[one])
            before = Deed(atomic.instruction, "atomic", int(atomic.agent[partner]), 0)
            self._report(machine, before, load, (lane, int(load.block[lane])))

    def prune(self, machine: Machine) -> None:
        """Drop what every live thread knows of."""
        floor = self.clocks.floor(self.layout.flat(machine, machine.live))

        def unknown(touch: Touch) -> Touch:
            late = floor[self._rows(touch), touch.agent[:, None]] < touch.time
            return touch.only(np.logical_or.reduce(late, axis=1))

        self._reads = [touch for touch in map(unknown, self._reads) if touch.unit.size]
        self._atomics = [touch for touch in map(unknown, self._atomics) if touch.unit.size]
        left: list[Touch] = []
        for touch in self._dirty:
            writer = self._writer.get(touch)
            done = floor[self._rows(touch), np.maximum(writer, 0)] >= self._time.get(touch)
            if done.shape == writer.shape:
                self._writer.put(touch, np.where(done, NOBODY, writer))
            late = ~done & (writer >= 0)
            if late.any():
                left.append(touch.only(np.logical_or.reduce(late, axis=1)))
        self._dirty = left

    def _report(self, machine: Machine, before: Deed, touch: Touch, where: tuple[int, int]) -> None:
        lane, block = where
        row = self.clocks.row(np.array([block]))
        thread, owner, reason = int(touch.thread[lane]), before.agent - self.clocks.threads, ""
        if owner >= 0:
            if self.clocks.knows(row, np.array([owner]), np.array([before.agent]))[0] < before.time:
                reason = "a copy that its own thread has not waited for"
            elif owner != thread:
                reason = "a copy that another thread waited for, without a barrier after its wait"
        place = RaceSite(lane, block, reason)
        self._tell(self.layout.race(machine, self.granularity, before, touch, place))

    def _tell(self, race: SharedRace) -> None:
        self.findings.race(race.before, race.now, race.fault)

    def _never_written(self, machine: Machine, touch: Touch) -> None:
        lane, _ = touch.first(~self._written.get(touch).astype(np.bool_))
        name, byte = self.layout.place(machine, self.granularity, int(touch.unit[lane]))
        thread = machine.batch.geometry.thread_coordinates(int(touch.lane[lane]))
        what = f"read of {name}, which nothing wrote, by thread {thread}"
        block = 0 if touch.block is None else int(touch.block[lane])
        agent = self.layout.agent(machine, block, int(touch.thread[lane]), int(touch.lane[lane]))
        fault = machine.batch.fault(Verdict.UNINITIALIZED, what, touch.instruction, agent=agent)
        self.findings.unwritten(replace(fault, buffer="shared memory", offset=byte), touch.instruction)
