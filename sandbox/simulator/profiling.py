"""Profiles a plan: runs a sample of each launch's blocks, counts, and estimates."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sandbox.device import Array, LaunchProfile, ProfileResult
from sandbox.plan import Plan, Role
from sandbox.program import Program
from sandbox.simulator.architectures import ARCHITECTURES
from sandbox.simulator.coalescing import SECTOR
from sandbox.simulator.cost import LaunchShape, estimate
from sandbox.simulator.counting import Counter
from sandbox.simulator.faults import FaultError
from sandbox.simulator.launching import LaunchSetup, batches, buffer_sizes
from sandbox.simulator.machine import Access, Machine, Observer
from sandbox.simulator.memory import Arena
from sandbox.simulator.metrics import metrics
from sandbox.simulator.occupancy import Occupancy, occupancy
from sandbox.simulator.running import initialise_globals, load, prepare
from sandbox.simulator.scheduler import Scheduler
from sandbox.verdict import Provenance

SAMPLE_LANES = 8192
SAMPLE_BLOCKS = 32
PAGE = 1 << 16
_L1_RESERVE = 32 * 1024
_CACHE_CELLS = 1 << 27


@dataclass
class PageFiller(Observer):
    """Gives data to the pages of in and inout buffers when they are first touched."""

    arena: Arena
    samples: Mapping[str, Array]

    def __post_init__(self) -> None:
        self._filled = np.zeros(-(-self.arena.bytes.size // PAGE) + 1, dtype=np.bool_)
        self._tiles: dict[str, Array] = {}
        for name, sample in self.samples.items():
            data = np.ascontiguousarray(sample).reshape(-1).view(np.uint8)
            self._tiles[name] = np.concatenate([data, np.resize(data, PAGE)]) if data.size else data

    def global_access(self, machine: Machine, access: Access) -> None:
        """Fill what the access is about to touch."""
        pages = access.offsets >> 16
        if self._filled.take(pages).all() and self._filled.take(access.offsets + access.size - 1 >> 16).all():
            return
        both = np.concatenate([pages.reshape(-1), (access.offsets + access.size - 1 >> 16).reshape(-1)])
        for page in np.unique(both):
            if not self._filled[page]:
                self._fill(int(page))

    def _fill(self, page: int) -> None:
        self._filled[page] = True
        for name, tile in self._tiles.items():
            allocation = self.arena.allocations[name]
            start, end = max(page * PAGE, allocation.start), min((page + 1) * PAGE, allocation.end)
            if start < end and tile.size:
                phase = (start - allocation.start) % (tile.size - PAGE)
                self.arena.bytes[start:end] = tile[phase : phase + end - start]


def profile(
    program: Program,
    plan: Plan,
    samples: Mapping[str, Array],
    architecture_name: str,
    *,
    deadline_s: float | None = None,
) -> ProfileResult:
    """Count a sample of each launch's blocks and estimate the plan's latency.

    Args:
        program: Compiled; `resources` give the registers for occupancy.
        plan: What to launch; buffers are reserved, only pages that sampled blocks touch hold data.
        samples: For every in and inout buffer a flat array of at most its size; it is repeated to fill.
        architecture_name: A name in `ARCHITECTURES`.
        deadline_s: Seconds after which the profile ends as a TIMEOUT fault.
    """
    deadline = None if deadline_s is None else time.monotonic() + deadline_s
    architecture = ARCHITECTURES[architecture_name]
    try:
        loaded = load(program)
        arena = Arena(*buffer_sizes(plan, loaded.module))
        initialise_globals(arena, loaded)
        wanted = {b.name for b in plan.buffers if b.role in {Role.IN, Role.INOUT}}
        filler = PageFiller(arena, {name: samples[name] for name in wanted})
        profiles = tuple(
            _profile_launch(prepare(loaded, launch, arena, 0, architecture), program, filler, deadline)
            for launch in plan.launches
        )
    except FaultError as error:
        return ProfileResult(fault=error.fault)
    return ProfileResult(None, sum(p.latency_us for p in profiles), Provenance.ESTIMATED, profiles)


def _profile_launch(
    setup: LaunchSetup, program: Program, filler: PageFiller, deadline: float | None
) -> LaunchProfile:
    geometry = setup.geometry
    registers = next((r.registers for r in program.resources if r.name == setup.launch.kernel), 32)
    resident = occupancy(setup.architecture, geometry.threads, registers, setup.shared_bytes)
    chosen = sample_blocks(geometry.blocks, geometry.threads)
    counter = Counter(_l1_share(setup, resident), setup.arena.bytes.size)
    cells = -(-setup.arena.bytes.size // SECTOR)
    group = max(1, min(len(chosen), _CACHE_CELLS // cells))
    with np.errstate(all="ignore"):
        for start in range(0, len(chosen), group):
            for blocks in batches(setup, chosen[start : start + group]):
                counter.start_batch(len(blocks))
                machine = setup.machine(blocks, (filler, counter))
                Scheduler(setup, machine, counter.enter, deadline).run()
    shape = _shape(setup, counter, len(chosen), resident)
    result = estimate(counter, shape, setup.architecture)
    least = min(result.latency_us, setup.architecture.launch_us + result.parts["dram"])
    return LaunchProfile(
        kernel=setup.launch.kernel,
        line=setup.launch.line,
        latency_us=result.latency_us,
        provenance=Provenance.ESTIMATED,
        bottleneck=result.bottleneck,
        roofline_fraction=least / result.latency_us,
        sampled_blocks=len(chosen),
        total_blocks=geometry.blocks,
        metrics=metrics(counter, shape, result, registers),
    )


def sample_blocks(total: int, threads: int) -> Array:
    """Linear indices of the blocks to run: all if they are few, else evenly spread, first and last included."""
    count = max(2, min(SAMPLE_BLOCKS, SAMPLE_LANES // threads))
    if total <= count:
        return np.arange(total, dtype=np.int64)
    return np.unique(np.linspace(0, total - 1, count).astype(np.int64))


def _l1_share(setup: LaunchSetup, resident: Occupancy) -> int:
    """One block's share of what shared memory leaves of the combined L1, in sectors."""
    architecture = setup.architecture
    combined = architecture.shared_per_sm + _L1_RESERVE
    left = combined - resident.blocks * (setup.shared_bytes + 1024)
    return max(left, _L1_RESERVE) // resident.blocks // SECTOR


def _shape(setup: LaunchSetup, counter: Counter, sampled: int, resident: Occupancy) -> LaunchShape:
    footprints: dict[str, int] = {}
    buffers: dict[str, int] = {}
    touched = {site.buffer for site in counter.sites.values() if site.space == "global"}
    for name in touched:
        allocation = setup.arena.allocations[name]
        sectors = counter.footprint[allocation.start // SECTOR : -(-allocation.end // SECTOR)]
        footprints[name] = int(np.count_nonzero(sectors)) * SECTOR
        buffers[name] = allocation.end - allocation.start
    return LaunchShape(setup.geometry.blocks, sampled, setup.geometry.warps, resident, footprints, buffers)
