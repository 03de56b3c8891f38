"""Bytes that reach L2 and DRAM, from what the sampled blocks touched.

L2: loads reach it where L1 misses; stores and atomics always do. DRAM: a launch must move every sector it
touches once. More where blocks share data and it does not all fit L2: then a sector survives in L2 among the
blocks that run at the same time, not from one wave of blocks to the next. What a wave touches is
extrapolated from pairs of neighbouring blocks: if two blocks touch `g` times the sectors of one, `n` blocks
    touch `n ** log2(g)` times as many.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.simulator.cost.coalescing import SECTOR
from sandbox.simulator.cost.counting import Counter, Site
from sandbox.simulator.cost.local import NO_LOCAL, LocalTraffic, local_traffic
from sandbox.simulator.gpus.occupancy import Occupancy
from sandbox.simulator.machine.sparse import SparseArena


@dataclass(frozen=True)
class Reach:
    """What a launch touches of one buffer.

    Attributes:
        all_bytes: All blocks together.
        block_bytes: One block, on average.
        growth: Exponent: `n` neighbouring blocks touch `block_bytes * n ** growth`; 0 where they share all
            of it, 1 where nothing.
    """

    all_bytes: float
    block_bytes: float
    growth: float


@dataclass(frozen=True)
class LaunchShape:
    """What the model must know besides the counts.

    Attributes:
        blocks: Of the grid.
        sampled: Of them executed and counted.
        threads, warps: Of a block.
        shared_bytes: Of a block, static and dynamic.
        reach: By buffer.
        local_bytes: Of a thread's stack.
    """

    blocks: int
    sampled: int
    threads: int
    warps: int
    registers: int
    shared_bytes: int
    occupancy: Occupancy
    reach: Mapping[str, Reach]
    local_bytes: int = 0

    @property
    def scale(self) -> float:
        """From the sample to the whole grid."""
        return self.blocks / self.sampled

    def waves(self, multiprocessors: int) -> float:
        """Rounds of blocks that fill the device."""
        return self.blocks / (multiprocessors * self.occupancy.blocks)


@dataclass(frozen=True)
class Traffic:
    """Bytes of the whole launch.

    Attributes:
        dram_share: The part of each buffer's L2 reads that goes on to DRAM.
        local: Of local memory; in the sums too.
    """

    l2_read: float
    l2_write: float
    dram_read: float
    dram_write: float
    dram_share: Mapping[str, float]
    local: LocalTraffic = NO_LOCAL

    @property
    def dram(self) -> float:
        """Read and written."""
        return self.dram_read + self.dram_write


def reaches(counter: Counter, arena: SparseArena, blocks: int, sampled: int) -> dict[str, Reach]:
    """What the launch touches of each buffer.

    Args:
        counter: After the sample ran.
        arena: In which it ran.
        blocks: Of the grid.
        sampled: Blocks that ran; neighbours lie side by side in the sample. All beyond it share its last column.
    """
    sectors, touched = counter.footprint.rows()
    owners = arena.owners(sectors * SECTOR)
    found: dict[str, Reach] = {}
    for position, (name, allocation) in enumerate(arena.allocations.items()):
        mine = touched[owners == position]
        if not len(mine):
            continue
        plain = mine.shape[1] - 2 if sampled > mine.shape[1] > 2 else mine.shape[1]
        alone = float(mine[:, :plain].sum(axis=0).mean())
        pairs = mine[:, : plain // 2 * 2]
        together = float((pairs[:, 0::2] | pairs[:, 1::2]).sum(axis=0).mean()) if pairs.shape[1] else alone
        # Twice the larger of a pair is the most that a pair can touch, however uneven it is.
        growth = min(1.0, math.log2(max(together / alone, 1.0))) if alone else 1.0
        size = -(-(allocation.end - allocation.start) // SECTOR) * SECTOR
        whole = min(len(mine) * SECTOR * blocks / sampled, size)
        # Where the first blocks did the work of all, each does less than they did.
        each = alone if mine.shape[1] == 1 else float(mine.sum()) / sampled
        found[name] = Reach(float(whole), each * SECTOR, growth)
    return found


def traffic(counter: Counter, shape: LaunchShape, l2_bytes: int, multiprocessors: int) -> Traffic:
    """L2 and DRAM bytes of the launch."""
    moved: dict[tuple[str, bool], float] = {}
    for site in counter.sites.values():
        if site.space == "global":
            key = (site.buffer, site.kind == "load")
            moved[key] = moved.get(key, 0.0) + _past_l1(site) * shape.scale
    capacity = _spilt(shape, l2_bytes)
    wave = min(shape.blocks, multiprocessors * shape.occupancy.blocks)
    l2, dram = {True: 0.0, False: 0.0}, {True: 0.0, False: 0.0}
    share: dict[str, float] = {}
    for (buffer, is_load), total in moved.items():
        below = _below(shape.reach.get(buffer), total, shape.blocks / wave, wave, capacity)
        l2[is_load] += total
        dram[is_load] += below
        if is_load and total:
            share[buffer] = below / total
    threads = multiprocessors * shape.occupancy.blocks * shape.threads
    local = local_traffic(counter, shape.local_bytes, shape.threads, shape.sampled, l2_bytes / threads)
    for is_load, moving in ((True, local.read), (False, local.written)):
        l2[is_load] += moving * shape.scale
        dram[is_load] += moving * shape.scale * local.dram_share
    return Traffic(l2[True], l2[False], dram[True], dram[False], share, local)


def _past_l1(site: Site) -> int:
    return (site.misses if site.kind == "load" else site.sectors) * SECTOR


def _spilt(shape: LaunchShape, l2_bytes: int) -> float:
    """The part of what the launch touches that does not fit L2."""
    everything = sum(reach.all_bytes for reach in shape.reach.values())
    return max(0.0, 1.0 - l2_bytes / everything) if everything else 0.0


def _below(reach: Reach | None, moved: float, waves: float, wave: int, spilt: float) -> float:
    """Bytes between L2 and DRAM for one buffer and direction."""
    if reach is None:
        return moved
    once = min(moved, reach.all_bytes)
    by_wave = min(reach.block_bytes * wave**reach.growth, reach.all_bytes)
    again = max(once, min(moved, waves * by_wave))
    return once + (again - once) * spilt
