"""Bytes that reach L2 and DRAM, from what the sampled blocks touched.

L2: loads reach it where L1 misses; stores and atomics always do. DRAM: a launch must move every sector it
touches once. More where blocks share data and it does not all fit L2: then a sector survives in L2 among the
blocks that run at the same time, not from one wave of blocks to the next. What a wave touches is
extrapolated from pairs of neighbouring blocks: if two blocks touch `g` times the sectors of one, `n` blocks
touch `n ** log2(g)` times as many. What a block touches again after more than its share of L2 moves again too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from sandbox.device import Array
from sandbox.simulator.cost.coalescing import SECTOR, SECTORS_A_LINE
from sandbox.simulator.cost.counting import Counter, Site
from sandbox.simulator.cost.local import NO_LOCAL, LocalTraffic, local_traffic
from sandbox.simulator.gpus.occupancy import Occupancy
from sandbox.simulator.machine.sparse import SparseArena

_KEPT_WHOLE, _KEPT_NOTHING = 0.85, 1.35
"""By benchmarks/published: a set of 1.0 times the L20's L2 goes to DRAM by a third, one of 1.33 times as a whole."""


@dataclass(frozen=True)
class Reach:
    """What a launch touches of one buffer.

    Attributes:
        all_bytes: All blocks together.
        block_bytes: One block, on average.
        filled: Part of the 128-byte lines that a block touches which it touches itself, 0.25 to 1.
        growth: Exponent: `n` neighbouring blocks touch `block_bytes * n ** growth`; 0 where they share all
            of it, 1 where nothing.
    """

    all_bytes: float
    block_bytes: float
    growth: float
    filled: float = 1.0


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
        ragged: Of `dram_write`, the part that would fill up the lines of which blocks write only some sectors.
        local: Of local memory; in the sums too.
        once: What no cache spares: of each buffer what the launch reads of it and what it writes, each once.
    """

    l2_read: float
    l2_write: float
    dram_read: float
    dram_write: float
    dram_share: Mapping[str, float]
    ragged: float = 0.0
    local: LocalTraffic = NO_LOCAL
    once: float = 0.0

    @property
    def dram(self) -> float:
        """Read and written."""
        return self.dram_read + self.dram_write

    def warm(self, kept: float) -> Traffic:
        """The traffic of a launch that finds so large a part of what it touches in L2; from `kept_by_l2`."""
        missed = 1 - kept
        share = {name: part * missed for name, part in self.dram_share.items()}
        return replace(
            self,
            dram_read=self.dram_read * missed,
            dram_write=self.dram_write * missed,
            dram_share=share,
            ragged=self.ragged * missed,
        )


def kept_by_l2(fullness: float) -> float:
    """The part of what a launch touches that L2 still holds when it comes again.

    Args:
        fullness: All that the launch touches over the size of L2. What is touched in turn stays up to `_KEPT_WHOLE`
            of it, and is all gone once it is `_KEPT_NOTHING` times as large.
    """
    return min(1.0, max(0.0, (_KEPT_NOTHING - fullness) / (_KEPT_NOTHING - _KEPT_WHOLE)))


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
        here = np.flatnonzero(owners == position)
        if not len(here):
            continue
        mine = touched.take(here, axis=0)
        plain = mine.shape[1] - 2 if sampled > mine.shape[1] > 2 else mine.shape[1]
        alone = int(np.count_nonzero(mine[:, :plain])) / plain
        both = mine[:, 0 : plain - 1 : 2] | mine[:, 1:plain:2]
        together = int(np.count_nonzero(both)) / both.shape[1] if plain > 1 else alone
        # Twice the larger of a pair is the most that a pair can touch, however uneven it is.
        growth = min(1.0, math.log2(max(together / alone, 1.0))) if alone else 1.0
        size = -(-(allocation.end - allocation.start) // SECTOR) * SECTOR
        whole = min(len(mine) * SECTOR * blocks / sampled, size)
        # Where the first blocks did the work of all, each does less than they did.
        each = alone if mine.shape[1] == 1 else int(np.count_nonzero(mine)) / sampled
        found[name] = Reach(float(whole), each * SECTOR, growth, _filled(mine, sectors[here]))
    return found


def _filled(mine: Array, sectors: Array) -> float:
    """Sectors that the first block of the sample touches, over those of the lines in which they lie."""
    lines = sectors[mine[:, 0]] // SECTORS_A_LINE
    return len(lines) / (SECTORS_A_LINE * (1 + int(np.count_nonzero(np.diff(lines))))) if len(lines) else 1.0


def traffic(counter: Counter, shape: LaunchShape, l2_bytes: int, multiprocessors: int) -> Traffic:
    """L2 and DRAM bytes of the launch."""
    moved: dict[tuple[str, bool], float] = {}
    far: dict[tuple[str, bool], float] = {}
    asked: dict[tuple[str, bool], float] = {}
    for site in counter.sites.values():
        if site.space == "global":
            key = (site.buffer, site.kind == "load")
            moved[key] = moved.get(key, 0.0) + past_l1(site) * shape.scale
            asked[key] = asked.get(key, 0.0) + site.lanes * site.size * shape.scale
            far[key] = far.get(key, 0.0) + site.far * SECTOR * shape.scale
    spilt = _spilt(shape, l2_bytes)
    wave = min(shape.blocks, multiprocessors * shape.occupancy.blocks)
    l2, dram = {True: 0.0, False: 0.0}, {True: 0.0, False: 0.0}
    share: dict[str, float] = {}
    ragged, least = 0.0, 0.0
    for (buffer, is_load), total in moved.items():
        reach = shape.reach.get(buffer)
        once, by_wave = _below(reach, total, asked[buffer, is_load], shape, wave)
        again = by_wave - once + _again(reach, far[buffer, is_load], shape.blocks)
        below = min(total, once + spilt * again)
        l2[is_load] += total
        dram[is_load] += below
        least += once
        if not is_load and reach is not None:
            ragged += below * (1 - reach.filled)
        if is_load and total:
            share[buffer] = below / total
    threads = multiprocessors * shape.occupancy.blocks * shape.threads
    local = local_traffic(counter, shape.local_bytes, shape.threads, shape.sampled, l2_bytes / threads)
    for is_load, moving in ((True, local.read), (False, local.written)):
        l2[is_load] += moving * shape.scale
        dram[is_load] += moving * shape.scale * local.dram_share
    return Traffic(l2[True], l2[False], dram[True], dram[False], share, ragged, local, least)


def past_l1(site: Site) -> int:
    """Bytes that the sampled accesses of a site move between L1 and L2."""
    return (site.misses if site.kind == "load" else site.sectors) * SECTOR


def _spilt(shape: LaunchShape, l2_bytes: int) -> float:
    """The part of what the launch touches that does not fit L2."""
    everything = sum(reach.all_bytes for reach in shape.reach.values())
    return max(0.0, 1.0 - l2_bytes / everything) if everything else 0.0


def _below(
    reach: Reach | None, moved: float, asked: float, shape: LaunchShape, wave: int
) -> tuple[float, float]:
    """Bytes between L2 and DRAM for one buffer and direction if L2 held all, and if it held one wave of blocks.

    Where a block asks for parts of its sectors only, blocks of its wave ask for the rest.
    """
    if reach is None:
        return moved, moved
    once = min(moved, reach.all_bytes)
    filled = min(1.0, asked / (reach.block_bytes * shape.blocks)) if reach.block_bytes else 1.0
    by_wave = min(reach.block_bytes * wave**reach.growth * filled, reach.all_bytes)
    return once, max(once, min(moved, shape.blocks / wave * by_wave))


def _again(reach: Reach | None, far: float, blocks: int) -> float:
    """Bytes that blocks touch again after more than their share of L2, where no other block keeps them there."""
    if reach is None or not reach.block_bytes:
        return 0.0
    return far * min(1.0, reach.all_bytes / (reach.block_bytes * blocks))
