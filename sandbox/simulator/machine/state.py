"""The state of one batch of blocks while its threads run in lock step."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sandbox.device import Array
from sandbox.simulator.machine.access import MemoryAccess, SyncKey
from sandbox.simulator.machine.arrivals import Arrivals
from sandbox.simulator.machine.copies import Copies
from sandbox.simulator.machine.faults import Batch
from sandbox.simulator.machine.lanes import EVERYONE, Turns
from sandbox.simulator.machine.memory import Arena
from sandbox.simulator.machine.surroundings import Clock, Windows
from sandbox.simulator.ptx.syntax import Instruction
from sandbox.simulator.ptx.types import U8, U16, U32, PtxType

Step = Callable[["Machine"], None]


class Observer:
    """Listens to memory accesses and synchronisation; counters and hazard checks override what they need."""

    def global_access(self, machine: Machine, access: MemoryAccess) -> None:
        """Called before an access to global memory takes effect, bounds already checked."""

    def shared_access(self, machine: Machine, access: MemoryAccess) -> None:
        """Called before an access to shared memory takes effect, bounds already checked."""

    def global_atomic(self, machine: Machine, access: MemoryAccess, wrote: Array | None) -> None:
        """Called after atomic operations on global memory took effect, one lane after another.

        `wrote` are the lanes that changed something, lane-shaped: a failed compare-and-swap does not. None for all.
        """

    def shared_atomic(self, machine: Machine, access: MemoryAccess, wrote: Array | None) -> None:
        """The same for shared memory."""

    def shared_copy(self, machine: Machine, access: MemoryAccess, clock: Array) -> None:
        """Called when cp.async is issued, for its store to shared memory or, of a bulk copy out of it, its load.

        `clock` numbers the copies of each thread: lane-shaped, int64, it never falls.
        """

    def copies_done(self, machine: Machine, lanes: Array | None, clock: Array) -> None:
        """Called when the threads in `lanes` have waited for their own copies up to `clock`."""

    def barrier(self, machine: Machine, released: Array | None, number: int | None = None) -> None:
        """Called when block barriers open for the lanes in `released` (None: all).

        `number` is the barrier's where its threads need not be the whole block.
        """

    def arrive(self, machine: Machine, key: SyncKey, lanes: Array | None, copies: Array | None) -> None:
        """Called when lanes arrive at what others wait for; `copies`: their copies up to this clock too."""

    def complete(self, machine: Machine, key: SyncKey, blocks: Array) -> None:
        """Called when everyone has arrived, in the blocks of a bool array of shape (B,)."""

    def acquire(self, machine: Machine, key: SyncKey, lanes: Array | None) -> None:
        """Called when lanes see that everyone has arrived."""

    def warp_barrier(self, machine: Machine, members: Array) -> None:
        """Called when the active lanes pass a bar.warp.sync with these member masks, uint32, lane-shaped."""

    def sleep(self, machine: Machine, instruction: Instruction, nanoseconds: Array) -> None:
        """Called when the active lanes sleep for about so long, uint32, lane-shaped."""

    def fence(self, machine: Machine, instruction: Instruction) -> None:
        """Called when the active lanes execute a memory fence."""

    def proxy_fence(self, machine: Machine) -> None:
        """Called when the active lanes execute a fence between the generic proxy and the async one."""


class Shared:
    """Shared memory of every block of a batch; words first, blocks last, so one row serves all blocks.

    Args:
        size: Bytes, gaps between variables included.
        blocks: How many blocks.
        fill: Words that it holds at first.
        regions: Start and end of every variable by name, bytes.
    """

    def __init__(
        self, size: int, blocks: int, fill: Array, regions: dict[str, tuple[int, int]] | None = None
    ) -> None:
        words = -(-max(size, 4) // 8) * 2
        self.size = size
        self.words = np.empty((words, blocks), dtype=U32)
        self.words[:] = fill[: words * blocks].reshape(words, blocks)
        self.halves = self.words.view(U16).reshape(words, blocks, 2)
        self.bytes = self.words.view(U8).reshape(words, blocks, 4)
        self.block_index = np.arange(blocks)
        self.regions = dict(sorted((regions or {}).items(), key=lambda item: item[1]))
        self._starts = [start for start, _ in self.regions.values()]
        self._ends = [end for _, end in self.regions.values()]

    def contains(self, low: int, high: int) -> bool:
        """Whether the bytes [low, high) lie in one variable."""
        position = bisect_right(self._starts, low) - 1
        return position >= 0 and high <= self._ends[position]

    def outside(self, offsets: Array, size: int) -> Array:
        """Which accesses of `size` bytes lie in no variable; bool, shape of `offsets`."""
        position = np.searchsorted(self._starts, offsets, side="right") - 1
        return (position < 0) | (offsets + size > np.array(self._ends)[np.maximum(position, 0)])

    def region(self, offset: int) -> tuple[str, int, int] | None:
        """The last variable that starts at or before an offset: name, start, end."""
        position = bisect_right(self._starts, offset) - 1
        return (
            (list(self.regions)[position], self._starts[position], self._ends[position])
            if position >= 0
            else None
        )


@dataclass
class Activation:
    """One function being executed, for every lane that called it along the same path.

    Attributes:
        registers: One array per slot; constants and special registers have slots of their own. Arrays are
            never changed in place, so slots may share them.
        temporaries: Slots that only one basic block uses: no other lane will read what a write replaces.
        arguments: Parameter space by (name, byte offset): its own parameters, and what it passes on.
        local_base: Where its variables start in local memory, bytes.
    """

    function: str
    registers: list[Array]
    temporaries: frozenset[int]
    local_base: int = 0
    depth: int = 0
    arguments: dict[tuple[str, int], Array] = field(default_factory=dict[tuple[str, int], Array])


@dataclass(frozen=True)
class HeldMatrix:
    """A matrix that registers held: as long as they hold the same arrays, it is theirs."""

    registers: tuple[Array, ...]
    values: Array


@dataclass
class Machine:
    """Registers, memories and the active lanes.

    Attributes:
        parameters: Bytes of the kernel's parameters by name.
        local_bytes: Local memory in use, bytes a thread; grows with calls.
        memory: Where global memory of each block's replica of the grid starts in the arena, bytes, int64, of shape
            (1, 1, B); None where there is one.
        mask: Lanes whose memory accesses count; None for every lane of the batch.
        merge: Lanes whose register writes count; None where no other lane is alive to see the difference.
        force: Merge even into temporaries: the instruction is guarded.
        live: Lanes that have not exited; None for all.
        printed: What device printf wrote.
        specials: Values of the special registers, by name.
        constants: Allocations in constant memory, by name.
        target: What the PTX was compiled for, "sm_90".
        turns: The order of threads that nothing orders; None for that of their numbers.
        notes: Findings that are no failure, shared by the batches of a run; a dict for its order.
        undefined: Those of them that say what a run computed with though nothing defines it.
        arrivals: Who came to barriers without waiting.
        copies: Asynchronous copies under way.
        stalled: How often each thread has waited in vain at mbarriers since the last arrival; None for never.
        local_written: Which bytes of local memory something wrote, of `local`'s shape.
        carry: The carry flag (PTX ISA 9.0, section 9.7.2), lane-shaped.
        clock: What the clock registers read.
        approximations: Seed of the errors of approximate instructions; None for results without them.
        changes: How many atomic operations have changed memory.
        matrices: Those that matrix instructions read last.
    """

    batch: Batch
    arena: Arena
    shared: Shared
    parameters: dict[str, bytes]
    activation: Activation
    clock: Clock
    local_bytes: int = 0
    memory: Array | None = None
    observers: tuple[Observer, ...] = ()
    mask: Array | None = None
    merge: Array | None = None
    force: bool = False
    live: Array | None = None
    local: Array | None = None
    printed: list[str] = field(default_factory=list[str])
    specials: Mapping[str, Array] = field(default_factory=dict[str, Array])
    constants: frozenset[str] = frozenset()
    target: str = ""
    turns: Turns | None = None
    notes: dict[str, None] = field(default_factory=dict[str, None])
    undefined: dict[str, None] = field(default_factory=dict[str, None])
    arrivals: Arrivals = field(default_factory=Arrivals)
    copies: Copies = field(default_factory=Copies)
    stalled: Array | None = None
    local_written: Array | None = None
    carry: Array = field(default_factory=lambda: ~EVERYONE)
    approximations: int | None = None
    changes: int = 0
    matrices: dict[tuple[object, ...], HeldMatrix] = field(
        default_factory=dict[tuple[object, ...], HeldMatrix]
    )

    def __post_init__(self) -> None:
        self.enter(self.activation)

    def enter(self, activation: Activation) -> None:
        """Execute in this activation from here on."""
        self.activation = activation
        self.registers = activation.registers
        self._temporaries = activation.temporaries

    @property
    def windows(self) -> Windows:
        """Where the state spaces lie."""
        return self.arena.windows

    @property
    def blocks(self) -> int:
        """Blocks in this batch."""
        return len(self.batch.blocks)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a value that differs in every lane."""
        return self.batch.shape

    @property
    def active(self) -> Array:
        """Lanes whose memory accesses count, as an array."""
        return EVERYONE if self.mask is None else self.mask

    def in_turn(self, mask: Array) -> Turns:
        """Row, column and block of the lanes of a mask, in the order in which they take turns at atomics."""
        full = np.broadcast_to(mask, self.shape)
        row, column, block = np.nonzero(full)
        if self.turns is None:
            return row, column, block
        ranks = [np.argsort(turn) for turn in self.turns]
        rank = (ranks[0][row] * self.shape[1] + ranks[1][column]) * self.shape[2] + ranks[2][block]
        order = np.argsort(rank)
        return row[order], column[order], block[order]

    def write(self, slot: int, value: Array) -> None:
        """Write a register in the lanes that count."""
        if self.merge is not None and (self.force or slot not in self._temporaries):
            value = np.where(self.merge, value, _as(self.registers[slot], value.dtype))
        self.registers[slot] = value

    def pass_argument(self, key: tuple[str, int], value: Array) -> None:
        """Write parameter space in the lanes that count."""
        old = self.activation.arguments.get(key)
        if self.merge is not None and old is not None:
            value = np.where(self.merge, value, _as(old, value.dtype))
        self.activation.arguments[key] = value

    def argument(self, name: str, offset: int, kind: PtxType) -> Array:
        """Read parameter space; bytes written one by one are joined."""
        arguments = self.activation.arguments
        found = arguments.get((name, offset))
        if found is not None and found.dtype.itemsize == kind.bytes:
            return found.view(kind.dtype)
        unsigned = np.dtype(f"uint{kind.bits}")
        value = np.zeros((1, 1, 1), dtype=unsigned)
        position = 0
        while position < kind.bytes:
            piece = arguments.get((name, offset + position))
            if piece is None:
                position += 1
                continue
            bits = piece.view(f"uint{piece.dtype.itemsize * 8}").astype(unsigned)
            value = value | bits << unsigned.type(8 * position)
            position += piece.dtype.itemsize
        return value.view(kind.dtype)


def _as(value: Array, dtype: np.dtype[Any]) -> Array:
    """Reinterpret register bits; a register whose width differs was never read as this type before."""
    return value.view(dtype) if value.dtype.itemsize == dtype.itemsize else value.astype(dtype)
