"""A GPU's profile of each launch: its time by events, and counters where they may be read.

Where they may not, what the compiler's report gives is there instead: registers, shared memory, and the occupancy
that follows from them (provenance `counted`); what would need counters is then absent, not guessed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sandbox.device import LaunchProfile, Metric
from sandbox.nsight import counters
from sandbox.nsight.ceilings import MeasuredRates
from sandbox.nsight.counters import NcuLaunch
from sandbox.nsight.limits import bottleneck, roofline_fraction
from sandbox.plan import BufferArgument, Launch, Plan
from sandbox.program import Program
from sandbox.simulator.gpus.architectures import ARCHITECTURES
from sandbox.simulator.gpus.occupancy import occupancy
from sandbox.verdict import Provenance

_THROUGH_L2 = "lts__t_bytes.sum"
_TENSOR = "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed"


def launch_profiles(
    program: Program,
    plan: Plan,
    latencies_us: Sequence[float],
    counted: Sequence[NcuLaunch] = (),
    ceilings: MeasuredRates | None = None,
    note: str = "",
) -> tuple[LaunchProfile, ...]:
    """Return a profile for every launch of a plan.

    Args:
        program: What was launched.
        plan: The launches.
        latencies_us: Their measured times, microseconds, in the plan's order.
        counted: What Nsight Compute measured, in the plan's order; empty where it did not.
        ceilings: Measured on this device; without them the roofline fraction is 0.
        note: What Nsight Compute has to say about counters that are missing.
    """
    profiles: list[LaunchProfile] = []
    for index, (launch, latency) in enumerate(zip(plan.launches, latencies_us, strict=True)):
        seen = counted[index] if counted else NcuLaunch(launch.kernel)
        values = {name: value for name, (value, _) in seen.values.items()}
        blocks = math.prod(launch.grid)
        profiles.append(
            LaunchProfile(
                launch.kernel, launch.line, latency, Provenance.MEASURED, bottleneck(values),
                _fraction(plan, launch, latency, values, ceilings), blocks, blocks,
                counters.metrics(seen) if counted else _from_the_compiler(program, launch), note=note,
            )
        )  # fmt: skip
    return tuple(profiles)


def _fraction(
    plan: Plan, launch: Launch, latency_us: float, values: dict[str, float], ceilings: MeasuredRates | None
) -> float:
    """The least time for what must move or be computed over the time taken.

    What must move is at most the buffers that the launch is given, and at most what went through L2.
    """
    if ceilings is None:
        return 0.0
    sizes = {buffer.name: buffer.nbytes for buffer in plan.buffers}
    given = {argument.name for argument in launch.arguments if isinstance(argument, BufferArgument)}
    moved = min(sum(sizes[name] for name in given), values.get(_THROUGH_L2, math.inf))
    operations = sum((2 if "fma" in name else 1) * values.get(name, 0.0) for name in counters.FLOPS)
    fraction = roofline_fraction(
        latency_us * 1e-6, moved, operations, ceilings.copy_gbps, ceilings.fma_gflops
    )
    return min(1.0, max(fraction, values.get(_TENSOR, 0.0) / 100))


def _from_the_compiler(program: Program, launch: Launch) -> tuple[Metric, ...]:
    """What is known of a launch without counters, exact."""
    symbol = program.symbols.get(launch.kernel, launch.kernel)
    found = next((one for one in program.resources if one.symbol == symbol), None)
    model = next((one for one in ARCHITECTURES.values() if one.compute == program.architecture), None)
    blocks, threads = math.prod(launch.grid), launch.block_threads
    values: dict[str, float] = {"launch__grid_size": blocks, "launch__block_size": threads}
    if found is not None:
        values["launch__registers_per_thread"] = found.registers
    if found is not None and model is not None:
        shared = found.shared_bytes + launch.shared_bytes
        values["launch__shared_mem_per_block"] = shared + model.shared_reserved
        resident = occupancy(model, threads, found.registers, shared)
        values["sm__maximum_warps_per_active_cycle_pct"] = 100 * resident.fraction
        for limit, blocks_an_sm in resident.limits.items():
            short = "shared_mem" if limit == "shared_memory" else limit
            values[f"launch__occupancy_limit_{short}"] = blocks_an_sm
    units = counters.UNITS
    return tuple(
        Metric(name, float(value), units[name], Provenance.COUNTED) for name, value in values.items()
    )
