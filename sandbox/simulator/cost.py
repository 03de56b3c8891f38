"""From counts to an estimated latency. Its job is to rank candidates; it is never a measurement.

The time of a launch is the largest of what each resource needs, smoothed where two come close, plus the
launch itself; docs/cost-model.md says it in full. Resources: DRAM, L2, the load/store path and its
shared-memory wavefronts, every arithmetic pipe, the issue slots, same-address atomics, and the latency chain
of one warp times the rounds of blocks (Little's law: loads that do not overlap within a warp, and warps that
do not fit, leave the chip waiting).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.simulator.architectures import Architecture
from sandbox.simulator.coalescing import SECTOR
from sandbox.simulator.counting import Counter
from sandbox.simulator.lanes import WARP
from sandbox.simulator.pipes import ALU, CONTROL, FMA, FP16, FP64, LSU, XU, cost_of
from sandbox.simulator.tensor import matrix_work
from sandbox.simulator.timeline import chain
from sandbox.simulator.traffic import LaunchShape, Traffic, traffic

DRAM_EFFICIENCY = 0.92
"""Share of the peak that a plain copy reaches on recent GPUs; nvbandwidth prints 90 to 93 percent."""
ATOMIC_CLOCKS = 1.0
"""Clocks between two turns of atomics at one sector of L2. Assumed."""
SHARED_ATOMIC_CLOCKS = 4.0
"""Clocks that a wavefront of a shared-memory atomic takes: read, change, write. Assumed."""
REQUEST_CLOCKS = 2.0
"""Clocks that a warp's global request occupies the load/store path at least: its 64-bit addresses take two
passes. Assumed."""
QUEUEING = 1.0
"""DRAM latency that a fully used memory adds, in idle latencies; less in proportion. Assumed."""
SMOOTH = 4.0
"""Exponent of the norm that joins the resources: nearly a maximum, unless two are close. Assumed."""
SCHEDULERS = 4
"""Warp instructions issued a clock and SM (CUDA C++ Programming Guide, "Compute Capabilities")."""
L1_SECTORS_A_CLOCK = 4.0
"""Sectors that L1 serves a clock: a 128-byte line (Nsight Compute documentation, "Hardware Model")."""
L1_FILL_BYTES_A_CLOCK = 64.0
"""Bytes that an SM takes from L2 a clock (A100 whitepaper; used for all)."""


@dataclass(frozen=True)
class Estimate:
    """Microseconds by resource and in all.

    Attributes:
        latency_us: Of the launch, `Architecture.launch_us` included.
        bottleneck: The name in `parts` of the largest part.
        least_us: The least possible time of this launch: its launch, and the larger of the DRAM bytes it
            must move at peak bandwidth and the floating-point work it does at peak rate.
    """

    latency_us: float
    bottleneck: str
    parts: Mapping[str, float]
    traffic: Traffic
    least_us: float

    @property
    def roofline_fraction(self) -> float:
        """Least possible time over estimated time, in (0, 1]."""
        return min(1.0, self.least_us / self.latency_us)


def estimate(counter: Counter, shape: LaunchShape, architecture: Architecture) -> Estimate:
    """Estimate the latency of one launch."""
    moved = traffic(counter, shape, architecture.l2_bytes, architecture.multiprocessors)
    clock = architecture.clock_mhz  # clocks a microsecond
    per_sm = -(-shape.blocks // architecture.multiprocessors) / shape.sampled
    parts = {
        "dram": moved.dram / (architecture.dram_gbps * 1e3 * DRAM_EFFICIENCY),
        "l2": (moved.l2_read + moved.l2_write) / (architecture.l2_bytes_per_clock * clock),
        "atomics": _longest_queue(counter, shape) * ATOMIC_CLOCKS / clock,
    }
    parts |= {name: clocks * per_sm / clock for name, clocks in _sm_clocks(counter, architecture).items()}
    parts["latency"] = chain(counter, shape, architecture, moved, 0.0) / clock
    load = QUEUEING * parts["dram"] / max(_joined(parts), 1e-9)
    parts["latency"] = chain(counter, shape, architecture, moved, load) / clock
    norm = _joined(parts)
    least = architecture.launch_us + _least(counter, shape, architecture, moved)
    return Estimate(architecture.launch_us + norm, max(parts, key=parts.__getitem__), parts, moved, least)


def _joined(parts: Mapping[str, float]) -> float:
    return sum(value**SMOOTH for value in parts.values()) ** (1 / SMOOTH)


def _least(counter: Counter, shape: LaunchShape, architecture: Architecture, moved: Traffic) -> float:
    """Microseconds of a perfect machine: every byte once at peak bandwidth, every operation at peak rate."""
    once = sum(reach.all_bytes for reach in shape.reach.values())
    memory = min(moved.dram, once) / (architecture.dram_gbps * 1e3)
    work = _lane_operations(counter)
    rates = {FMA: architecture.fp32_lanes, FP64: architecture.fp64_lanes, FP16: architecture.fp16_lanes}
    clocks = max(work[pipe] / rate for pipe, rate in rates.items())
    clocks = max(clocks, _tensor_clocks(counter, architecture))
    return max(memory, clocks * shape.scale / architecture.multiprocessors / architecture.clock_mhz)


def _lane_operations(counter: Counter) -> dict[str, float]:
    """Floating-point operations of active lanes in the sample, by pipe; integer work is overhead."""
    work = {FMA: 0.0, FP64: 0.0, FP16: 0.0}
    for count in counter.blocks.values():
        for instruction in count.block.instructions:
            pipe = cost_of(instruction).pipe
            kind = instruction.modifiers[-1] if instruction.modifiers else ""
            if pipe in work and kind in {"f16", "f16x2", "bf16", "bf16x2", "f32", "f64"}:
                work[pipe] += count.lanes * (2 if kind.endswith("x2") else 1)
    return work


def _tensor_clocks(counter: Counter, architecture: Architecture) -> float:
    clocks = 0.0
    for count in counter.blocks.values():
        for instruction in count.block.instructions:
            work = matrix_work(instruction)
            if work is not None:
                clocks += work.multiply_adds * count.warps / architecture.tensor.of(work.kind)
    return clocks


def _sm_clocks(counter: Counter, architecture: Architecture) -> dict[str, float]:
    """Clocks that the sampled blocks would keep each part of one multiprocessor busy."""
    work = instructions_by_pipe(counter)
    lanes = {
        FMA: architecture.fp32_lanes,
        ALU: architecture.int_lanes,
        FP64: architecture.fp64_lanes,
        FP16: architecture.fp16_lanes // 2,  # a result is half of a packed instruction's
        XU: architecture.xu_lanes,
    }
    clocks = {pipe: work.get(pipe, 0.0) * WARP / width for pipe, width in lanes.items()}
    clocks["issue"] = sum(work.values()) / SCHEDULERS
    clocks["tensor"] = _tensor_clocks(counter, architecture)
    clocks["shared_memory"] = _shared_clocks(counter)
    clocks["l1"] = _l1_clocks(counter)
    return clocks


def _shared_clocks(counter: Counter) -> float:
    clocks = 0.0
    for site in counter.sites.values():
        if site.space == "shared":
            clocks += site.wavefronts * (SHARED_ATOMIC_CLOCKS if site.kind == "atomic" else 1.0)
    return clocks


def _l1_clocks(counter: Counter) -> float:
    """The load/store path: requests, sectors, fills from L2, and the wavefronts that share it."""
    wavefronts = sum(site.wavefronts for site in counter.sites.values() if site.space == "shared")
    sites = [site for site in counter.sites.values() if site.space == "global"]
    requests = sum(max(site.sectors / L1_SECTORS_A_CLOCK, site.requests * REQUEST_CLOCKS) for site in sites)
    fills = sum(site.misses for site in sites) * SECTOR / L1_FILL_BYTES_A_CLOCK
    # Local memory is laid out so that the lanes of a warp are neighbours: a line for each 4 bytes.
    return max(requests + wavefronts + REQUEST_CLOCKS * local_requests(counter), fills)


def local_requests(counter: Counter, *opcodes: str) -> float:
    """Warp-level accesses of the sample to local memory, by opcode, all where none is named."""
    wanted = opcodes or ("ld", "st")
    return sum(
        count.warps
        for count in counter.blocks.values()
        for instruction in count.block.instructions
        if "local" in instruction.modifiers and instruction.opcode in wanted
    )


def instructions_by_pipe(counter: Counter) -> dict[str, float]:
    """Warp instructions of the sample by pipe, weighted by what the assembler makes of them."""
    work: dict[str, float] = {}
    for count in counter.blocks.values():
        for instruction in count.block.instructions:
            cost = cost_of(instruction)
            work[cost.pipe] = work.get(cost.pipe, 0.0) + cost.weight * count.warps
    work.pop("none", None)
    work.setdefault(LSU, 0.0)
    work.setdefault(CONTROL, 0.0)
    return work


def thread_instructions(counter: Counter) -> float:
    """The same instructions, all pipes together, times their active lanes."""
    return sum(
        cost_of(instruction).weight * count.lanes
        for count in counter.blocks.values()
        for instruction in count.block.instructions
    )


def _longest_queue(counter: Counter, shape: LaunchShape) -> float:
    """Turns at the busiest place of global memory: atomics are served one after another there.

    The lanes of a request on one sector take a turn together, unless they share an address: then each lane
    takes one, except that the assembler combines those that add an integer (by votes, or REDUX).
    """
    worst = 0.0
    for site in counter.sites.values():
        if site.space == "global" and site.kind == "atomic" and site.requests:
            busiest = site.contention.busiest(shape.scale)
            if not site.instruction.modifiers[-1].lstrip("b").startswith("f") and site.passes:
                busiest *= site.requests / site.passes
            worst = max(worst, busiest, site.queue.busiest(shape.scale))
    return worst
