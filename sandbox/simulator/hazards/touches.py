"""What is remembered of every unit of shared memory, and accesses in the form in which they are kept.

Of two kept accesses it can be asked which of their elements meet, and of a store what it writes and what memory held
before: a race of equal values harms nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from sandbox.device import Array, Fault
from sandbox.simulator.hazards.clocks import Clocks
from sandbox.simulator.hazards.findings import Side, told
from sandbox.simulator.machine.access import MemoryAccess
from sandbox.simulator.machine.faults import Batch
from sandbox.simulator.machine.lanes import EVERYONE, WARP, spread
from sandbox.simulator.machine.spaces import plain_name
from sandbox.simulator.machine.state import Machine
from sandbox.simulator.ptx.syntax import Instruction
from sandbox.verdict import Verdict

NOBODY = -1
_WHOLE_WARP = frozenset({"mma", "wmma", "ldmatrix"})


@dataclass(frozen=True)
class Deed:
    """The earlier side of a race: what was done, by which agent (a thread, or T plus one for its copies)."""

    instruction: Instruction
    kind: str
    agent: int
    time: int


@dataclass(frozen=True)
class RaceSite:
    """Where a race was found: the lane of the access, the group, and why nothing orders it where that is known."""

    lane: int
    group: int
    reason: str = ""


@dataclass(frozen=True)
class Touch:
    """The lanes of one access that touch one unit each; of a wide access, one for each unit.

    Attributes:
        offset: Byte of the access that the unit starts at.
        unit, thread: Of each lane, shape (n,).
        block: Of each lane, shape (n,); None where the lanes of every block do the same.
        lane: The thread in its block, for messages; the same as `thread` unless whole blocks are agents.
        agent: The thread, or T plus the thread for its copies.
        time: Of the agent, shape (n, 1), or (n, blocks) where `block` is None and blocks differ.
    """

    access: MemoryAccess
    offset: int
    unit: Array
    thread: Array
    lane: Array
    block: Array | None
    agent: Array
    time: Array

    @property
    def instruction(self) -> Instruction:
        """The access's."""
        return self.access.instruction

    @property
    def kind(self) -> str:
        """The access's."""
        return self.access.kind

    def only(self, keep: Array) -> Touch:
        """The lanes of a mask."""
        block = None if self.block is None else self.block[keep]
        fields = self.unit[keep], self.thread[keep], self.lane[keep], block, self.agent[keep], self.time[keep]
        return Touch(self.access, self.offset, *fields)

    def expanded(self, blocks: int) -> Touch:
        """The same with a block for each lane."""
        if self.block is not None:
            return self
        count, each = self.unit.size, np.arange(blocks)
        time = np.broadcast_to(self.time, (count, blocks)).reshape(-1, 1)
        lanes = (self.unit, self.thread, self.lane, self.agent)
        unit, thread, lane, agent = (np.repeat(values, blocks) for values in lanes)
        return Touch(self.access, self.offset, unit, thread, lane, np.tile(each, count), agent, time)

    def first(self, chosen: Array) -> tuple[int, int]:
        """Lane and block of the first true element of a mask of shape (n, 1 or blocks)."""
        lane, column = (int(i) for i in np.unravel_index(int(np.argmax(chosen)), chosen.shape))
        return lane, column if self.block is None else int(self.block[lane])


class Layout(Protocol):
    """Who the agents are, and which of them share memory: those of one group."""

    def groups(self, machine: Machine) -> int:
        """Groups in a batch."""
        ...

    def agents(self, machine: Machine) -> int:
        """Agents in a group, copies apart."""
        ...

    def units(self, machine: Machine, granularity: int) -> int:
        """Units of memory that a group shares."""
        ...

    def flat(self, machine: Machine, values: Array | None) -> Array:
        """A mask or clock of lanes by agent, shape (groups or 1, agents); None is true everywhere."""
        ...

    def touches(
        self, machine: Machine, access: MemoryAccess, granularity: int, clocks: Clocks, copies: Array | None
    ) -> list[Touch]:
        """Flatten an access; `copies` is the clock of asynchronous ones, lane-shaped."""
        ...

    def race(
        self, machine: Machine, granularity: int, before: Deed, touch: Touch, where: RaceSite
    ) -> SharedRace:
        """Two accesses that nothing orders."""
        ...

    def place(self, machine: Machine, granularity: int, unit: int) -> tuple[str, int]:
        """How messages call a unit of a group's memory, and the byte of its block's memory that it starts at."""
        ...

    def agent(self, machine: Machine, group: int, agent: int, lane: int) -> tuple[int, int]:
        """Linear block and thread of an agent; `lane` where whole blocks are agents."""
        ...


@dataclass(frozen=True)
class BlockLayout:
    """The threads of a block are agents, and share its memory.

    Attributes:
        whole_warps: Whether matrix loads count as reads of every lane of the warp, not only of who gives addresses.
    """

    whole_warps: bool = False

    def groups(self, machine: Machine) -> int:
        """Blocks."""
        return machine.blocks

    def agents(self, machine: Machine) -> int:
        """Threads of a block."""
        return machine.batch.geometry.threads

    def units(self, machine: Machine, granularity: int) -> int:
        """Units of a block's shared memory."""
        return shared_units(machine, granularity)

    def flat(self, machine: Machine, values: Array | None) -> Array:
        """By thread."""
        return by_thread(machine, values)

    def touches(
        self, machine: Machine, access: MemoryAccess, granularity: int, clocks: Clocks, copies: Array | None
    ) -> list[Touch]:
        """The lanes that touch the memory of their own block."""
        mask = access.mask
        if access.owner is not None:
            own = access.owner == machine.shared.block_index
            mask = own if mask is None else mask & own
        blocks = max(access.offsets.shape[2], 1 if mask is None else mask.shape[2])
        offsets = np.broadcast_to(by_thread(machine, access.offsets), (blocks, clocks.threads))
        block, thread = np.nonzero(np.broadcast_to(by_thread(machine, mask), offsets.shape))
        base = offsets[block, thread] // granularity
        if self.whole_warps and access.kind == "load" and access.instruction.opcode in _WHOLE_WARP:
            block, base, first = (np.repeat(values, WARP) for values in (block, base, thread // WARP * WARP))
            thread = np.minimum(first + np.arange(len(first)) % WARP, clocks.threads - 1)
        now = clocks.now if copies is None else by_thread(machine, copies)
        if blocks == 1:
            where, time = None, now[:, thread].T
        else:
            where, time = block, now[block if len(now) > 1 else 0, thread][:, None]
        agent = thread if copies is None else thread + clocks.threads
        count = max(1, access.size // granularity)
        if copies is not None and count > 1:  # nobody asks what a copy stores: all of its units are one touch
            unit = (base + np.arange(count)[:, None]).reshape(-1)
            thread, agent = np.tile(thread, count), np.tile(agent, count)
            where, time = None if where is None else np.tile(where, count), np.tile(time, (count, 1))
            return [Touch(access, 0, unit, thread, thread, where, agent, time)]
        return [
            Touch(access, k * granularity, base + k, thread, thread, where, agent, time) for k in range(count)
        ]

    def race(
        self, machine: Machine, granularity: int, before: Deed, touch: Touch, where: RaceSite
    ) -> SharedRace:
        """Between threads of a block."""
        place = self.place(machine, granularity, int(touch.unit[where.lane]))
        threads = before.agent % machine.batch.geometry.threads, int(touch.thread[where.lane])
        block = int(machine.batch.blocks[where.group])
        first, second = (block, threads[0]), (block, threads[1])
        return race(machine, place, (before, first), (touch, second), where.reason)

    def place(self, machine: Machine, granularity: int, unit: int) -> tuple[str, int]:
        """The variable's name and the byte in it."""
        return shared_place(machine, unit * granularity), unit * granularity

    def agent(self, machine: Machine, group: int, agent: int, lane: int) -> tuple[int, int]:
        """The block of the batch, and the thread."""
        return int(machine.batch.blocks[group]), agent


@dataclass(frozen=True)
class SharedRace:
    """Two accesses that nothing orders.

    Attributes:
        place: What the memory is called, and its byte.
        culprit: The side where something is missing.
        reason: Why nothing orders them, where that is known better than by who they are.
    """

    batch: Batch
    place: tuple[str, int]
    before: Side
    now: Side
    culprit: Side
    reason: str

    def fault(self) -> Fault:
        """How it is told."""
        what = f"race on {self.place[0]}: {told(self.batch, self.before, self.now, self.reason)}"
        agent = (self.culprit.block, self.culprit.thread)
        fault = self.batch.fault(Verdict.RACE, what, self.culprit.instruction, agent=agent)
        return replace(fault, buffer="shared memory", offset=self.place[1])


def race(
    machine: Machine,
    where: tuple[str, int],
    before: tuple[Deed, tuple[int, int]],
    now: tuple[Touch, tuple[int, int]],
    reason: str,
) -> SharedRace:
    """Two accesses that nothing orders: what the memory is called, its byte, and both sides."""
    deed, first = before
    touch, second = now
    sides = (
        Side(deed.instruction, *first, kind="copy" if deed.instruction.opcode == "cp" else deed.kind),
        Side(touch.instruction, *second, kind="copy" if touch.instruction.opcode == "cp" else touch.kind),
    )
    earlier = deed.kind == "store" and touch.kind != "store" and not reason.startswith("a copy")
    return SharedRace(machine.batch, where, *sides, sides[0] if earlier else sides[1], reason)


def farthest(racing: Array, before: Array, now: Array, threads: int) -> Array:
    """Those of a mask that are between warps; where there are none, the mask. Agents are threads or their copies."""
    apart: Array = racing & (before % threads // WARP != now % threads // WARP)
    return apart if apart.any() else racing


def shared_place(machine: Machine, byte: int) -> str:
    """How messages call a byte of a block's shared memory: by its variable."""
    region = machine.shared.region(byte)
    if region is None:
        return f"byte {byte} of shared memory"
    return f"byte {byte - region[1]} of shared variable {plain_name(region[0])}"


def shared_units(machine: Machine, granularity: int) -> int:
    """Units of one block's shared memory, with room for the widest access at its end."""
    return -(-machine.shared.size // granularity) + 16 // granularity


def by_thread(machine: Machine, values: Array | None) -> Array:
    """A lane-shaped value as (blocks or 1, T); None is true everywhere."""
    geometry = machine.batch.geometry
    full = EVERYONE if values is None else values
    full = spread(full, (geometry.rows, geometry.columns, full.shape[2]))
    return full.reshape(geometry.threads, -1).T


class Table:
    """A value for every unit, or for every unit of every block; shape (units, 1 or blocks)."""

    def __init__(self, units: int, initial: int, dtype: type[np.generic]) -> None:
        self._values = np.full((units, 1), initial, dtype=dtype)

    @property
    def columns(self) -> int:
        """1, or the number of blocks."""
        return self._values.shape[1]

    def get(self, touch: Touch) -> Array:
        """The values that lanes touch, shape (n, 1) or (n, columns)."""
        if touch.block is None or self.columns == 1:
            return self._values[touch.unit]
        return self._values[touch.unit, touch.block][:, None]

    def put(self, touch: Touch, values: Array | int) -> None:
        """Set them; of lanes that collide, the last wins."""
        if touch.block is None:
            self._values[touch.unit] = values
            return
        if self.columns == 1:
            raise AssertionError("blocks differ: spread the table first")
        self._values[touch.unit, touch.block] = values[:, 0] if isinstance(values, np.ndarray) else values

    def spread(self, blocks: int) -> None:
        """From here on every block has values of its own."""
        if self.columns == 1:
            self._values = np.repeat(self._values, blocks, axis=1)


def stored(machine: Machine, touch: Touch) -> Array | None:
    """What lanes (with blocks) store, as unsigned integers; None where unknown."""
    values = touch.access.values
    if touch.kind != "store" or not values:
        return None
    size = int(values[0].dtype.itemsize)
    value: Array = values[min(touch.offset // size, len(values) - 1)]
    full = np.ascontiguousarray(np.broadcast_to(value, machine.shape)).reshape(-1, machine.blocks)
    return full.view(f"uint{size * 8}")[touch.thread, touch.block]


def held(machine: Machine, touch: Touch) -> Array:
    """What shared memory holds where lanes (with blocks) are about to store, as unsigned integers."""
    size = int(touch.access.values[0].dtype.itemsize)
    assert touch.block is not None
    offsets = np.broadcast_to(touch.access.offsets, machine.shape).reshape(-1, machine.blocks)
    base = offsets[touch.thread, touch.block] + touch.offset // size * size
    byte = base[:, None] + np.arange(size)
    data = machine.shared.bytes[byte >> 2, touch.block[:, None], byte & 3]
    return np.ascontiguousarray(data).view(f"uint{size * 8}")[:, 0]


def meetings(one: Touch, other: Touch, groups: int) -> tuple[Array, Array]:
    """Positions in both of every pair of elements at the same unit; both must be expanded."""
    assert one.block is not None
    assert other.block is not None
    place = other.unit * groups + other.block
    order = np.argsort(place, kind="stable")
    sought = one.unit * groups + one.block
    low, high = (np.searchsorted(place[order], sought, side) for side in ("left", "right"))
    count = high - low
    which = np.repeat(np.arange(one.unit.size), count)
    first = np.repeat(low - (np.cumsum(count) - count), count)
    return which, order[first + np.arange(int(count.sum()))]


def merged(touches: list[Touch]) -> list[Touch]:
    """One list for each instruction that differs between blocks, of each agent only its last time at a unit."""
    groups: dict[int, list[Touch]] = {}
    merged: list[Touch] = []
    for touch in touches:
        if touch.block is None:
            merged.append(touch)
        else:
            groups.setdefault(id(touch.instruction), []).append(touch)
    for group in groups.values():
        names = ("unit", "thread", "lane", "block", "agent", "time")
        unit, thread, lane, block, agent, time = (
            np.concatenate([getattr(touch, name) for touch in reversed(group)]) for name in names
        )
        key = (unit * (int(block.max()) + 1) + block) * (int(agent.max()) + 1) + agent
        _, first = np.unique(key, return_index=True)
        fields = unit[first], thread[first], lane[first], block[first], agent[first], time[first]
        merged.append(Touch(group[0].access, group[0].offset, *fields))
    return merged
