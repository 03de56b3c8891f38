"""Profiles a plan: runs a sample of each launch's blocks, counts, and estimates.

Where the samples left something out that matters (see `completeness`), the launches that have it are counted whole,
from the first one of the plan on again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sandbox.budget import Budget
from sandbox.device import Array, LaunchProfile, ProfileResult
from sandbox.plan import Launch, Plan, Role
from sandbox.program import Program
from sandbox.simulator.completeness import Counted, incomplete
from sandbox.simulator.cost.breakdown import breakdown
from sandbox.simulator.cost.caches import Footprint
from sandbox.simulator.cost.coalescing import SECTOR
from sandbox.simulator.cost.counting import Counter
from sandbox.simulator.cost.demand import demand
from sandbox.simulator.cost.estimate import timed
from sandbox.simulator.cost.hotspots import hotspots
from sandbox.simulator.cost.traffic import LaunchShape, reaches
from sandbox.simulator.execute.contents import fill_constants, initialise_globals
from sandbox.simulator.execute.effort import Effort
from sandbox.simulator.execute.launching import LaunchSetup, buffer_sizes
from sandbox.simulator.execute.preparing import prepare
from sandbox.simulator.execute.programs import load
from sandbox.simulator.gpus.architecture import Architecture
from sandbox.simulator.gpus.architectures import ARCHITECTURES
from sandbox.simulator.gpus.occupancy import Occupancy, occupancy
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.filling import InputData
from sandbox.simulator.machine.sparse import SparseArena
from sandbox.simulator.machine.surroundings import Surroundings, seed_of
from sandbox.simulator.metrics.row import CountedLaunch
from sandbox.simulator.metrics.table import metrics
from sandbox.simulator.sampling import SAMPLE_BLOCKS, Share, chosen_blocks, count_blocks
from sandbox.verdict import Provenance

_FITS = 1 << 40
"""Sectors of L2 for a block where L2 holds all buffers: nothing that a block touches again has left it."""


def profile(
    program: Program,
    plan: Plan,
    samples: Mapping[str, Array],
    architecture_name: str,
    *,
    budget: Budget | None = None,
) -> ProfileResult:
    """Count a sample of each launch's blocks and estimate the plan's latency.

    Args:
        program: Compiled; `resources` give the registers for occupancy.
        plan: What to launch; buffers are reserved, only pages that sampled blocks touch hold data.
        samples: For every in and inout buffer a flat array of at most its size; it is repeated to fill.
        architecture_name: A name in `ARCHITECTURES`.
        budget: What counting may cost; see `execute.running.run`.
    """
    architecture = ARCHITECTURES[architecture_name]
    try:
        counted = count(program, plan, samples, architecture, budget=budget)
        profiles = tuple(
            _launch_profile(launch, one, architecture)
            for launch, one in zip(plan.launches, counted, strict=True)
        )
    except FaultError as error:
        return ProfileResult(fault=error.fault)
    return ProfileResult(None, sum(p.latency_us for p in profiles), Provenance.ESTIMATED, profiles)


def count(
    program: Program,
    plan: Plan,
    samples: Mapping[str, Array],
    architecture: Architecture,
    *,
    budget: Budget | None = None,
) -> tuple[Counted, ...]:
    """Count a sample of each launch's blocks, one launch after the other; the arguments are those of `profile`.

    Raises:
        FaultError: A launch faults, or counting may cost no more.
    """
    counting = _Profiling(program, plan, samples, architecture, Effort(budget))
    whole = frozenset(range(len(plan.launches))) if plan.whole else frozenset[int]()
    while True:
        counted = counting.count(whole)
        more = incomplete(plan, counted) - whole
        if not more:
            return counted
        whole |= more


@dataclass(frozen=True)
class _Profiling:
    """What counting a plan needs, each time that it is done."""

    program: Program
    plan: Plan
    samples: Mapping[str, Array]
    architecture: Architecture
    effort: Effort

    def count(self, whole: frozenset[int]) -> tuple[Counted, ...]:
        """Count every launch; those of these numbers whole."""
        loaded = load(self.program)
        wanted = {b.name for b in self.plan.buffers if b.role in {Role.IN, Role.INOUT}}
        dtypes = {b.name: b.dtype for b in self.plan.buffers}
        kept = {
            name: InputData(self.samples[name], dtypes[name], seed_of(name, self.samples)) for name in wanted
        }
        inputs = {name: self.samples[name] for name in wanted}
        surroundings = Surroundings(seed_of(self.program.key, inputs))
        arena = SparseArena(*buffer_sizes(self.plan, loaded), kept, surroundings)
        initialise_globals(arena, loaded)
        fill_constants(arena, self.plan, inputs)
        counted: list[Counted] = []
        for number, launch in enumerate(self.plan.launches):
            setup = prepare(loaded, launch, arena, surroundings, self.architecture, number=number)
            setup = replace(setup, code=loaded.counted(setup.code))
            counted.append(self._launch(setup, arena, whole=number in whole))
        return tuple(counted)

    def _launch(self, setup: LaunchSetup, arena: SparseArena, *, whole: bool) -> Counted:
        geometry = setup.geometry
        registers = next((r.registers for r in self.program.resources if r.name == setup.launch.kernel), 32)
        resident = occupancy(setup.architecture, geometry.threads, registers, setup.shared_bytes)
        sample = chosen_blocks(setup)
        columns = len(sample) if len(sample) <= SAMPLE_BLOCKS else 1
        everything = sum(buffer_sizes(self.plan, setup.loaded)[0].values())
        l2_sectors = _l2_share(setup, resident) if everything > setup.architecture.l2_bytes else _FITS
        counter = Counter(_l1_share(setup, resident), Footprint(columns), l2_sectors)
        how = Share.EVERY if self.plan.whole else Share.WHOLE if whole else Share.SAMPLE
        sampled = count_blocks(setup, sample, counter, self.effort, how)
        shape = LaunchShape(
            blocks=geometry.blocks,
            sampled=sampled,
            threads=geometry.threads,
            warps=geometry.warps,
            registers=registers,
            shared_bytes=setup.shared_bytes,
            occupancy=resident,
            reach=reaches(counter, arena, geometry.blocks, sampled),
            local_bytes=setup.code.local_bytes,
        )
        return Counted(counter, shape, setup.loaded.governing(setup.code).loads)


def _launch_profile(launch: Launch, counted: Counted, architecture: Architecture) -> LaunchProfile:
    counter, shape = counted.counter, counted.shape
    asked = demand(counter, shape, architecture)
    result = timed(asked, architecture)
    return LaunchProfile(
        kernel=launch.kernel,
        line=launch.line,
        latency_us=result.latency_us,
        provenance=Provenance.ESTIMATED,
        bottleneck=result.bottleneck,
        roofline_fraction=result.roofline_fraction,
        sampled_blocks=shape.sampled,
        total_blocks=shape.blocks,
        metrics=metrics(CountedLaunch(counter, shape, asked.mix, result, architecture)),
        hotspots=hotspots(counter, shape, result),
        executed=shape.scale
        * sum(one.lanes * len(one.block.instructions) for one in counter.blocks.values()),
        breakdown=breakdown(asked, result, shape, architecture),
    )


def _l1_share(setup: LaunchSetup, resident: Occupancy) -> int:
    """One block's share of what shared memory leaves of the combined L1, in sectors."""
    architecture = setup.architecture
    taken = resident.blocks * (setup.shared_bytes + architecture.shared_reserved)
    left = max(architecture.l1_bytes - taken, architecture.l1_bytes - architecture.shared_per_sm)
    return max(1, left // resident.blocks // SECTOR)


def _l2_share(setup: LaunchSetup, resident: Occupancy) -> int:
    """One block's share of L2 among those that run at a time, in sectors."""
    at_once = min(setup.geometry.blocks, setup.architecture.multiprocessors * resident.blocks)
    return max(1, setup.architecture.l2_bytes // at_once // SECTOR)
