"""Counts what a sample of blocks does: instructions, requests, sectors, wavefronts, cache misses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from sandbox.device import Array
from sandbox.simulator.coalescing import SECTOR, global_sectors, shared_wavefronts
from sandbox.simulator.code import BasicBlock
from sandbox.simulator.lanes import by_warp
from sandbox.simulator.machine import Access, Machine, Observer
from sandbox.simulator.ptx.syntax import Instruction

_EVERYONE = np.ones((1, 1, 1), dtype=np.bool_)


@dataclass
class Site:
    """What one memory instruction did, summed over the sample.

    Attributes:
        requests: Warp-level executions with at least one active lane.
        sectors: Global: sectors of those requests. Shared: wavefronts.
        misses: Global loads: sectors that the block's share of L1 did not hold.
        ideal: Shared: the fewest wavefronts these requests could take.
        lanes: Active lanes.
        busiest: Atomics: the largest share of one execution's lanes that hit one address, 0 to 1.
    """

    instruction: Instruction
    space: str
    kind: str
    size: int
    buffer: str = ""
    requests: int = 0
    sectors: int = 0
    misses: int = 0
    ideal: int = 0
    lanes: int = 0
    busiest: float = 0.0


@dataclass
class BlockCount:
    """Executions of one basic block: warps, and lanes that were active in them."""

    block: BasicBlock
    warps: int = 0
    lanes: int = 0


@dataclass
class Counter(Observer):
    """Listens to one launch. `l1_sectors` is one block's share of the L1 cache, in sectors.

    L1 model: a block finds a sector if it brought in fewer than `l1_sectors` others since it last touched it.
    """

    l1_sectors: int
    arena_bytes: int
    sites: dict[int, Site] = field(default_factory=dict[int, Site])
    blocks: dict[int, BlockCount] = field(default_factory=dict[int, BlockCount])
    footprint: Array = field(init=False)
    barriers: int = 0
    _clock: Array = field(init=False)
    _last: Array = field(init=False)

    def __post_init__(self) -> None:
        self.footprint = np.zeros(-(-self.arena_bytes // SECTOR), dtype=np.bool_)
        self.start_batch(1)

    def start_batch(self, blocks: int) -> None:
        """Forget the caches: a batch of `blocks` other blocks begins."""
        self._clock = np.zeros(blocks, dtype=np.int32)
        self._last = np.zeros((blocks, -(-self.arena_bytes // SECTOR)), dtype=np.int32)

    def enter(self, machine: Machine, block: BasicBlock) -> None:
        """Count the execution of a basic block."""
        count = self.blocks.setdefault(block.index, BlockCount(block))
        geometry = machine.place.geometry
        if machine.mask is None:
            count.warps += geometry.warps * machine.blocks
            count.lanes += geometry.threads * machine.blocks
            return
        active = by_warp(machine.mask, geometry, fill=False)
        repeat = machine.blocks // active.shape[2]
        count.warps += int(active.any(axis=1).sum()) * repeat
        count.lanes += int(active.sum()) * repeat

    def global_access(self, machine: Machine, access: Access) -> None:
        """Count requests, sectors and L1 misses."""
        offsets, active, repeat = _by_warp(machine, access)
        sectors = global_sectors(offsets, active)
        buffer = self._buffer_of(machine, access)
        site = self._site(access, "global", buffer)
        _add_requests(site, active, offsets.shape, repeat)
        site.sectors += int(sectors.sum()) * repeat
        self._touch(machine, access, site)
        if access.kind == "atomic":
            site.busiest = max(site.busiest, _busiest_share(machine, access))

    def shared_access(self, machine: Machine, access: Access) -> None:
        """Count requests and wavefronts."""
        offsets, active, repeat = _by_warp(machine, access)
        wavefronts = shared_wavefronts(offsets, active, access.size)
        site = self._site(access, "shared", "")
        _add_requests(site, active, offsets.shape, repeat)
        site.sectors += int(wavefronts.sum()) * repeat
        site.ideal += int((wavefronts > 0).sum()) * repeat * max(1, access.size // 4)
        if access.kind == "atomic":
            site.busiest = max(site.busiest, _busiest_share(machine, access))

    def barrier(self, machine: Machine, released: Array | None) -> None:
        """Count barriers by the batch."""
        self.barriers += machine.blocks

    def _site(self, access: Access, space: str, buffer: str) -> Site:
        key = id(access.instruction)
        if key not in self.sites:
            self.sites[key] = Site(access.instruction, space, access.kind, access.size, buffer)
        return self.sites[key]

    @staticmethod
    def _buffer_of(machine: Machine, access: Access) -> str:
        near = machine.arena.nearest(int(access.offsets.flat[0]))
        return near.name if near else ""

    def _touch(self, machine: Machine, access: Access, site: Site) -> None:
        """Update the cache model with the distinct sectors of every block, and the launch's footprint."""
        mask = _EVERYONE if access.mask is None else access.mask
        shape = np.broadcast_shapes(access.offsets.shape, mask.shape)
        sectors = np.broadcast_to(access.offsets >> 5, shape)[np.broadcast_to(mask, shape)]
        self.footprint[sectors] = True
        if access.kind != "load":
            return
        width = self._last.shape[1]
        if shape[2] == 1:
            distinct = np.unique(sectors)
            flat = (np.arange(machine.blocks)[:, None] * width + distinct).reshape(-1)
        else:
            block = np.broadcast_to(np.arange(machine.blocks), shape)[np.broadcast_to(mask, shape)]
            flat = np.unique(block * width + sectors)
        owner = flat // width
        last = self._last.reshape(-1)
        before = last[flat]
        missed = (before == 0) | (self._clock[owner] - before >= self.l1_sectors)
        np.add.at(self._clock, owner[missed], 1)
        last[flat] = self._clock[owner] + 1
        site.misses += int(missed.sum())


def _by_warp(machine: Machine, access: Access) -> tuple[Array, Array, int]:
    """Offsets and active lanes by warp, and how many blocks one column of them stands for."""
    geometry = machine.place.geometry
    mask = _EVERYONE if access.mask is None else access.mask
    blocks = max(access.offsets.shape[2], mask.shape[2])
    offsets = by_warp(np.broadcast_to(access.offsets, (*access.offsets.shape[:2], blocks)), geometry)
    active = by_warp(np.broadcast_to(mask, (*mask.shape[:2], blocks)), geometry, fill=False)
    return offsets, active, machine.blocks // blocks


def _add_requests(site: Site, active: Array, shape: tuple[int, ...], repeat: int) -> None:
    full = np.broadcast_to(active, shape)
    site.requests += int(full.any(axis=1).sum()) * repeat
    site.lanes += int(full.sum()) * repeat


def _busiest_share(machine: Machine, access: Access) -> float:
    """The share of this execution's lanes that hit its busiest address."""
    mask = _EVERYONE if access.mask is None else access.mask
    offsets = np.broadcast_to(access.offsets, machine.shape)[np.broadcast_to(mask, machine.shape)]
    if not offsets.size:
        return 0.0
    _, counts = np.unique(offsets, return_counts=True)
    return float(counts.max() / offsets.size)


def total(sites: Iterable[Site], attribute: str, space: str, kinds: frozenset[str]) -> int:
    """Sum of one attribute over sites of a space and kinds."""
    return sum(getattr(site, attribute) for site in sites if site.space == space and site.kind in kinds)
