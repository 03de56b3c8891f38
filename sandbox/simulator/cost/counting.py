"""Counts what a sample of blocks does: instructions, branches, sectors, wavefronts, cache misses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from sandbox.device import Array
from sandbox.simulator.cost.caches import BlockCaches, Footprint
from sandbox.simulator.cost.chains import Chains, WarpPaths
from sandbox.simulator.cost.coalescing import distinct, global_lines, global_sectors, shared_wavefronts
from sandbox.simulator.cost.contention import Contention, longest_runs
from sandbox.simulator.cost.merging import Merged, merged_loads
from sandbox.simulator.decode.code import BasicBlock
from sandbox.simulator.machine.access import MemoryAccess
from sandbox.simulator.machine.lanes import EVERYONE, by_warp
from sandbox.simulator.machine.state import Machine, Observer
from sandbox.simulator.ptx.syntax import Instruction

_LONGEST_SLEEP = 1_000_000
"""Nanoseconds (PTX ISA 9.0, section 9.7.19.2)."""
_PAST_L1 = frozenset({"volatile", "relaxed", "acquire", "cg", "cv"})


@dataclass
class Site:
    """What one memory instruction did, summed over the sample.

    Attributes:
        space: "global", "shared" or "const".
        kind: "load", "store" or "atomic".
        size: Bytes a lane touches.
        buffer: The buffer it touched first.
        buffers: All that its executions began with.
        requests: Warp-level executions with at least one active lane.
        lanes: Active lanes.
        sectors, lines: Global: 32-byte sectors, and 128-byte lines, of those requests.
        misses: Global loads: sectors that the block's share of L1 did not hold.
        pending: The same, and those that another warp of the block asked for at that moment.
        far: Global: sectors that a block touched before, but so long ago that its share of L2 holds them no longer.
        wavefronts, ideal: Shared: wavefronts, and the fewest that the requests could take; of atomics, a lane of
            each bank at a time. Constant: the different addresses of those requests.
        absorbed: Shared loads: warp-level executions for which the assembler's wide load of a neighbour stands.
        passes: Global atomics: summed over requests, the most lanes that share one address.
        contention: Global atomics: lanes on each address.
        queue: Global atomics: requests on each sector.
    """

    instruction: Instruction
    space: str
    kind: str
    size: int
    buffer: str = ""
    requests: int = 0
    lanes: int = 0
    sectors: int = 0
    lines: float = 0.0
    misses: int = 0
    pending: int = 0
    far: int = 0
    wavefronts: int = 0
    ideal: int = 0
    absorbed: int = 0
    passes: int = 0
    buffers: set[str] = field(default_factory=set[str])
    contention: Contention = field(default_factory=Contention)
    queue: Contention = field(default_factory=Contention)


@dataclass
class BlockCount:
    """Executions of one basic block by warps, lanes active in them, and outcomes of its branch."""

    block: BasicBlock
    function: str
    warps: int = 0
    lanes: int = 0
    branches: int = 0
    divergent: int = 0


@dataclass
class _Batch:
    """What is remembered of a batch under way.

    Attributes:
        caches: Its blocks' shares of L1.
        beyond: The first block's share of L2, which stands for all, once that can have touched more than it holds.
        touched: Sectors that the first block has asked of L2 so far.
        sampled: Positions of its blocks in the sample.
        paths: How each warp went.
        before: The last basic block that branched, its lanes, and the registers with its predicate.
    """

    caches: BlockCaches
    sampled: Array
    paths: WarpPaths
    beyond: BlockCaches | None = None
    touched: int = 0
    before: tuple[BlockCount, Array | None, list[Array]] | None = None


@dataclass
class Counter(Observer):
    """Listens to one launch.

    Attributes:
        l1_sectors, l2_sectors: One block's shares of the caches, in sectors.
        chains: The ways of the longest warps.
        sleeps: How often each `nanosleep`, by its `id`, was executed, and its mean, nanoseconds.
    """

    l1_sectors: int
    footprint: Footprint
    l2_sectors: int = 1 << 20
    sites: dict[tuple[int, str], Site] = field(default_factory=dict[tuple[int, str], Site])
    blocks: dict[int, BlockCount] = field(default_factory=dict[int, BlockCount])
    barriers: int = 0
    chains: Chains = field(default_factory=Chains)
    sleeps: dict[int, tuple[int, float]] = field(default_factory=dict[int, tuple[int, float]])
    _merged: dict[int, Merged] = field(default_factory=dict[int, Merged])
    _work: Array = field(default_factory=lambda: np.zeros(1))
    _batches: dict[int, _Batch] = field(default_factory=dict[int, _Batch])
    _unused: dict[int, list[BlockCaches]] = field(default_factory=dict[int, list[BlockCaches]])

    def start_batch(self, machine: Machine, first: int) -> None:
        """Begin a batch: caches are empty. `first` is the position of its first block in the sample."""
        sampled = np.arange(first, first + machine.blocks)
        self._work = np.resize(self._work, max(len(self._work), first + machine.blocks))
        self._work[sampled] = 0.0
        self._batches[id(machine)] = _Batch(
            self._caches(machine.blocks),
            sampled,
            WarpPaths(machine.batch.geometry.warps, machine.blocks),
        )

    def end_batch(self, machine: Machine, *, times: int = 1) -> None:
        """Count the last branch of a batch, and its ways so many times."""
        self._count_branch(machine)
        ended = self._batches.pop(id(machine))
        if times:
            self.chains.add(ended.paths, times)
        ended.caches.empty()
        self._unused.setdefault(machine.blocks, []).append(ended.caches)

    def _caches(self, blocks: int) -> BlockCaches:
        """Empty caches for so many blocks: those of a batch that has ended, for they are large."""
        unused = self._unused.get(blocks)
        return unused.pop() if unused else BlockCaches(blocks, self.l1_sectors)

    @property
    def idle(self) -> bool:
        """Whether no block has written anything that others can see."""
        return not any(site.space == "global" and site.kind != "load" for site in self.sites.values())

    @property
    def stores(self) -> bool:
        """Whether a block has stored to global memory, other than by atomic operations."""
        return any(site.space == "global" and site.kind == "store" for site in self.sites.values())

    @property
    def turns(self) -> float:
        """How often the longest warps of all blocks came to the atomic operation that they came to most often."""
        atomics = {id(one.instruction) for one in self.sites.values() if one.kind == "atomic"}
        return max(
            (
                times
                for key, times in self.chains.steps.items()
                if any(id(instruction) in atomics for instruction in self.blocks[key].block.instructions)
            ),
            default=0.0,
        )

    def most_work(self) -> float:
        """Thread-instructions of the block that did most of them."""
        return float(self._work.max(initial=0.0))

    def enter(self, machine: Machine, block: BasicBlock) -> None:
        """Count the execution of a basic block, and how the one before it branched."""
        count = self.blocks.get(id(block))
        if count is None:
            count = self.blocks[id(block)] = BlockCount(block, machine.activation.function)
            self._merged |= merged_loads(block)
        self._count_branch(machine)
        before = (count, machine.mask, machine.registers) if block.jump.guard is not None else None
        batch = self._batches[id(machine)]
        batch.before = before
        geometry = machine.batch.geometry
        if machine.mask is None:
            count.warps += geometry.warps * machine.blocks
            count.lanes += geometry.threads * machine.blocks
            self._work[batch.sampled] += geometry.threads * len(block.instructions)
            batch.paths.all_went(block)
            return
        active = by_warp(machine.mask, geometry, fill=False)
        repeat = machine.blocks // active.shape[2]
        went: Array = np.any(active, axis=1)
        count.warps += int(went.sum()) * repeat
        batch.paths.went(block, went)
        lanes = active.sum(axis=(0, 1))
        count.lanes += int(lanes.sum()) * repeat
        self._work[batch.sampled] += lanes * len(block.instructions)

    def _count_branch(self, machine: Machine) -> None:
        """The predicate of the last block's branch is still in its registers."""
        before = self._batches[id(machine)].before
        if before is None:
            return
        count, mask, registers = before
        jump = count.block.jump
        if jump.guard is None or jump.kind == "table":
            return
        chosen = registers[jump.guard]
        taken = by_warp(chosen if mask is None else chosen & mask, machine.batch.geometry, fill=False)
        rest = by_warp(~chosen if mask is None else ~chosen & mask, machine.batch.geometry, fill=False)
        some: Array = np.any(taken, axis=1)
        others: Array = np.any(rest, axis=1)
        repeat = machine.blocks // some.shape[1]
        count.branches += int((some | others).sum()) * repeat
        count.divergent += int((some & others).sum()) * repeat

    def global_access(self, machine: Machine, access: MemoryAccess) -> None:
        """Count requests, sectors and L1 misses."""
        site = self._site(machine, access, _space(access))
        offsets, active, repeat = _by_warp(machine, access)
        _add_requests(site, offsets, active, repeat)
        if site.space == "const":
            _, fresh = distinct(offsets, active)
            site.wavefronts += int(np.count_nonzero(fresh)) * repeat
            return
        ordered, fresh = global_sectors(offsets, active)
        number = int(np.count_nonzero(fresh)) * repeat
        site.sectors += number
        site.lines += number * _lines_a_sector(ordered, fresh)
        batch = self._batches[id(machine)]
        sectors, block = _sectors(ordered, fresh, machine.blocks)
        if sectors.size:
            self._touch(batch, site, sectors, block)
        if access.kind == "atomic":
            _, runs = distinct(offsets, active)
            site.passes += int(longest_runs(runs, active).sum()) * repeat
            site.queue.add(sectors, batch.sampled[block])
            _contend(machine, access, site, batch)

    def shared_access(self, machine: Machine, access: MemoryAccess) -> None:
        """Count requests and wavefronts."""
        site = self._site(machine, access, "shared")
        offsets, active, repeat = _by_warp(machine, access)
        merged = self._merged.get(id(access.instruction))
        size = access.size if merged is None else _width(merged, offsets, access.size)
        if not size:
            site.absorbed += _requests(offsets, active) * repeat
            return
        site.size = max(site.size, size)
        _add_requests(site, offsets, active, repeat)
        wavefronts = shared_wavefronts(offsets, active, size, atomic=access.kind == "atomic")
        site.wavefronts += int(wavefronts.sum()) * repeat
        site.ideal += int(np.count_nonzero(wavefronts)) * repeat

    def shared_copy(self, machine: Machine, access: MemoryAccess, clock: Array) -> None:
        """A copy writes shared memory as a store does, or reads it as a load."""
        self.shared_access(machine, access if access.kind == "load" else access._replace(kind="store"))

    def sleep(self, machine: Machine, instruction: Instruction, nanoseconds: Array) -> None:
        """Note how long the active lanes sleep on average; no sleep is longer than a millisecond."""
        lanes = np.broadcast_to(nanoseconds, machine.shape)
        lanes = lanes if machine.mask is None else lanes[np.broadcast_to(machine.mask, machine.shape)]
        times, mean = self.sleeps.get(id(instruction), (0, 0.0))
        now = float(np.minimum(lanes, _LONGEST_SLEEP).mean())
        self.sleeps[id(instruction)] = (times + 1, (mean * times + now) / (times + 1))

    def barrier(self, machine: Machine, released: Array | None, number: int | None = None) -> None:
        """Count barriers of blocks."""
        self.barriers += machine.blocks if released is None else int(released.any(axis=(0, 1)).sum())

    def _site(self, machine: Machine, access: MemoryAccess, space: str) -> Site:
        key = (id(access.instruction), space)
        site = self.sites.get(key)
        if site is None:
            site = self.sites[key] = Site(access.instruction, space, access.kind, access.size)
        if space == "global":
            name = machine.arena.owner(int(access.offsets.flat[0])).name
            site.buffers.add(name)
            site.buffer = site.buffer or name
        return site

    def _touch(self, batch: _Batch, site: Site, sectors: Array, block: Array) -> None:
        """Update the cache model with the sectors of each request, and the launch's footprint."""
        asked, owners = sectors, block
        if site.kind == "load":
            if _PAST_L1.isdisjoint(site.instruction.modifiers):
                missed, mask = batch.caches.load(sectors, block)
                site.misses += missed
                asked, owners = sectors[mask], block[mask]
            else:
                site.misses += sectors.size
            site.pending += asked.size
        if self.footprint.blocks > 1:
            site.far += self._far(batch, asked[owners == 0]) * len(batch.sampled)
        self.footprint.touch(sectors, None if self.footprint.blocks == 1 else batch.sampled[block])

    def _far(self, batch: _Batch, sectors: Array) -> int:
        """How many of these the first block of a batch touched before, but not within its share of L2."""
        batch.touched += len(sectors)
        if batch.beyond is None:
            if batch.touched <= self.l2_sectors:
                return 0
            batch.beyond = BlockCaches(1, self.l2_sectors)
            before = self.footprint.of(int(batch.sampled[0]))
            batch.beyond.load(before, np.zeros_like(before))
        known = self.footprint.seen(sectors, int(batch.sampled[0]))
        return int(np.count_nonzero(batch.beyond.load(sectors, np.zeros_like(sectors))[1] & known))


def _lines_a_sector(ordered: Array, fresh: Array) -> float:
    """Lines over sectors of the requests of the first block, or of all where it makes none."""
    for blocks in (slice(1), slice(None)):
        some = fresh[:, :, blocks]
        sectors = int(np.count_nonzero(some))
        if sectors:
            return global_lines(ordered[:, :, blocks], some) / sectors
    return 1.0


def _sectors(ordered: Array, fresh: Array, blocks: int) -> tuple[Array, Array]:
    """The sectors of all requests, and the block of the batch that each belongs to."""
    sectors = ordered[fresh]
    if ordered.shape[2] > 1 or blocks == 1:
        return sectors, np.nonzero(fresh)[2]
    return np.tile(sectors, blocks), np.repeat(np.arange(blocks), sectors.size)


def _contend(machine: Machine, access: MemoryAccess, site: Site, batch: _Batch) -> None:
    mask = EVERYONE if access.mask is None else access.mask
    where = np.broadcast_to(mask, machine.shape)
    blocks = np.broadcast_to(batch.sampled, machine.shape)[where]
    site.contention.add(np.broadcast_to(access.offsets, machine.shape)[where], blocks)


def _width(merged: Merged, offsets: Array, size: int) -> int:
    """Bytes that a load brings: its own, those of the wide load that it stands for, or none of its own."""
    first = int(offsets.flat[0]) & (merged.unit - 1)
    at = first if merged.offset is None else merged.offset & (merged.unit - 1)
    if first != at or ((offsets ^ first) & (merged.unit - 1)).any():
        return size
    return 0 if first else merged.unit


def _space(access: MemoryAccess) -> str:
    return "const" if "const" in access.instruction.modifiers else "global"


def _by_warp(machine: Machine, access: MemoryAccess) -> tuple[Array, Array | None, int]:
    """Offsets and active lanes by warp, and how many blocks one column of them stands for."""
    geometry = machine.batch.geometry
    if access.mask is None and geometry.threads == geometry.warps * 32:
        offsets = by_warp(access.offsets, geometry)
        return offsets, None, machine.blocks // offsets.shape[2]
    mask = EVERYONE if access.mask is None else access.mask
    blocks = max(access.offsets.shape[2], mask.shape[2])
    offsets = by_warp(np.broadcast_to(access.offsets, (*access.offsets.shape[:2], blocks)), geometry)
    active = by_warp(np.broadcast_to(mask, (*mask.shape[:2], blocks)), geometry, fill=False)
    return offsets, active, machine.blocks // blocks


def _add_requests(site: Site, offsets: Array, active: Array | None, repeat: int) -> None:
    site.requests += _requests(offsets, active) * repeat
    site.lanes += (offsets.size if active is None else int(active.sum())) * repeat


def _requests(offsets: Array, active: Array | None) -> int:
    return offsets.shape[0] * offsets.shape[2] if active is None else int(active.any(axis=1).sum())


def total(sites: Iterable[Site], attribute: str, space: str, kinds: frozenset[str]) -> int:
    """Sum of one attribute over sites of a space and kinds."""
    return sum(getattr(site, attribute) for site in sites if site.space == space and site.kind in kinds)
