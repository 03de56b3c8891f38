"""Profiles a plan: runs a sample of each launch's blocks, counts, and estimates."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from sandbox.device import Array, LaunchProfile, ProfileResult
from sandbox.plan import Launch, LaunchMode, Plan, Role
from sandbox.program import Program
from sandbox.simulator.cost.caches import Footprint
from sandbox.simulator.cost.coalescing import SECTOR
from sandbox.simulator.cost.counting import Counter
from sandbox.simulator.cost.estimate import estimate
from sandbox.simulator.cost.hotspots import hotspots
from sandbox.simulator.cost.traffic import LaunchShape, reaches
from sandbox.simulator.execute.launching import LaunchSetup, batches, buffer_sizes
from sandbox.simulator.execute.running import initialise_globals, load, prepare
from sandbox.simulator.execute.scheduler import Scheduler
from sandbox.simulator.gpus.architectures import ARCHITECTURES, Architecture
from sandbox.simulator.gpus.occupancy import Occupancy, occupancy
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.sparse import SparseArena
from sandbox.simulator.metrics.row import CountedLaunch
from sandbox.simulator.metrics.table import metrics
from sandbox.verdict import Provenance

SAMPLE_LANES = 8192
SAMPLE_BLOCKS = 32


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
    architecture = ARCHITECTURES[architecture_name]
    try:
        counted = count(program, plan, samples, architecture, deadline_s=deadline_s)
        profiles = tuple(
            _launch_profile(launch, one, architecture)
            for launch, one in zip(plan.launches, counted, strict=True)
        )
    except FaultError as error:
        return ProfileResult(fault=error.fault)
    return ProfileResult(None, sum(p.latency_us for p in profiles), Provenance.ESTIMATED, profiles)


@dataclass(frozen=True)
class Counted:
    """A launch of which a sample was executed: all that an estimate is made from."""

    counter: Counter
    shape: LaunchShape


def count(
    program: Program,
    plan: Plan,
    samples: Mapping[str, Array],
    architecture: Architecture,
    *,
    deadline_s: float | None = None,
) -> Iterator[Counted]:
    """Count a sample of each launch's blocks, one launch after the other; the arguments are those of `profile`.

    Raises:
        FaultError: A launch faults, or the deadline has passed.
    """
    deadline = None if deadline_s is None else time.monotonic() + deadline_s
    loaded = load(program)
    wanted = {b.name for b in plan.buffers if b.role in {Role.IN, Role.INOUT}}
    arena = SparseArena(*buffer_sizes(plan, loaded.module), {name: samples[name] for name in wanted})
    initialise_globals(arena, loaded)
    for launch in plan.launches:
        yield _count_launch(prepare(loaded, launch, arena, 0, architecture), program, arena, deadline)


def _count_launch(
    setup: LaunchSetup, program: Program, arena: SparseArena, deadline: float | None
) -> Counted:
    geometry = setup.geometry
    registers = next((r.registers for r in program.resources if r.name == setup.launch.kernel), 32)
    resident = occupancy(setup.architecture, geometry.threads, registers, setup.shared_bytes)
    chosen = _chosen(setup)
    counter = Counter(
        _l1_share(setup, resident), Footprint(len(chosen) if len(chosen) <= SAMPLE_BLOCKS else 1)
    )
    _run(setup, chosen, counter, deadline)
    shape = LaunchShape(
        blocks=geometry.blocks,
        sampled=len(chosen),
        threads=geometry.threads,
        warps=geometry.warps,
        registers=registers,
        shared_bytes=setup.shared_bytes,
        occupancy=resident,
        reach=reaches(counter, arena, geometry.blocks, len(chosen)),
    )
    return Counted(counter, shape)


def _launch_profile(launch: Launch, counted: Counted, architecture: Architecture) -> LaunchProfile:
    counter, shape = counted.counter, counted.shape
    result = estimate(counter, shape, architecture)
    return LaunchProfile(
        kernel=launch.kernel,
        line=launch.line,
        latency_us=result.latency_us,
        provenance=Provenance.ESTIMATED,
        bottleneck=result.bottleneck,
        roofline_fraction=result.roofline_fraction,
        sampled_blocks=shape.sampled,
        total_blocks=shape.blocks,
        metrics=metrics(CountedLaunch(counter, shape, result, architecture)),
        hotspots=hotspots(counter, shape, result),
    )


def _run(setup: LaunchSetup, chosen: Array, counter: Counter, deadline: float | None) -> None:
    first = 0
    with np.errstate(all="ignore"):
        for blocks in batches(setup, chosen):
            counter.start_batch(len(blocks), first)
            machine = setup.machine(blocks, (counter,))
            Scheduler(setup, machine, counter.enter, deadline).run()
            counter.end_batch(machine)
            first += len(blocks)


def _chosen(setup: LaunchSetup) -> Array:
    """The blocks to run: a sample of them, or of whole clusters.

    A cooperative grid runs whole, because its blocks wait for each other. Where blocks wait for flags of others
    (look-back, tickets) the first ones run: those wait for none but each other.
    """
    geometry = setup.geometry
    if setup.launch.mode is LaunchMode.COOPERATIVE:
        return geometry.cluster_blocks(np.arange(geometry.blocks // geometry.cluster_size)).reshape(-1)
    size = geometry.cluster_size
    sample = sample_blocks(geometry.blocks // size, geometry.threads * size, max(2, SAMPLE_BLOCKS // size))
    if setup.code.uses.flags:
        sample = np.arange(len(sample), dtype=np.int64)
    return geometry.cluster_blocks(sample).reshape(-1)


def sample_blocks(total: int, threads: int, most: int = SAMPLE_BLOCKS) -> Array:
    """Linear indices of the blocks to run: all if they are few, else evenly spread pairs of neighbours.

    Pairs, so that what neighbours share can be seen; the first and the last block are among them.
    """
    count = max(2, min(most, SAMPLE_LANES // threads))
    if total <= count:
        return np.arange(total, dtype=np.int64)
    first = np.linspace(0, total - 2, count // 2).astype(np.int64)
    return np.unique(np.stack([first, first + 1], axis=1).reshape(-1))


def _l1_share(setup: LaunchSetup, resident: Occupancy) -> int:
    """One block's share of what shared memory leaves of the combined L1, in sectors."""
    architecture = setup.architecture
    taken = resident.blocks * (setup.shared_bytes + architecture.shared_reserved)
    left = max(architecture.l1_bytes - taken, architecture.l1_bytes - architecture.shared_per_sm)
    return max(1, left // resident.blocks // SECTOR)
