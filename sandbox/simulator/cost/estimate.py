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

from sandbox.device import Bottleneck
from sandbox.simulator.cost.coalescing import SECTOR
from sandbox.simulator.cost.constants import USED, CostConstants
from sandbox.simulator.cost.counting import Counter
from sandbox.simulator.cost.local import local_requests
from sandbox.simulator.cost.pipes import ALU, CONTROL, FMA, FP16, FP64, LSU, XU, cost_of
from sandbox.simulator.cost.timeline import Warp
from sandbox.simulator.cost.traffic import LaunchShape, Traffic, traffic
from sandbox.simulator.gpus.architectures import Architecture
from sandbox.simulator.machine.lanes import WARP
from sandbox.simulator.numerics.tensor import matrix_work


@dataclass(frozen=True)
class Estimate:
    """Microseconds by resource and in all.

    Attributes:
        latency_us: Of the launch, `Architecture.launch_us` included.
        bottleneck: The largest of `parts`.
        least_us: The least possible time of this launch: its launch, and the larger of the DRAM bytes it
            must move at peak bandwidth and the floating-point work it does at peak rate.
    """

    latency_us: float
    bottleneck: Bottleneck
    parts: Mapping[str, float]
    traffic: Traffic
    least_us: float

    @property
    def roofline_fraction(self) -> float:
        """Least possible time over estimated time, in (0, 1]."""
        return min(1.0, self.least_us / self.latency_us)


def estimate(
    counter: Counter, shape: LaunchShape, architecture: Architecture, constants: CostConstants = USED
) -> Estimate:
    """Estimate the latency of one launch.

    Args:
        counter: After a sample of its blocks ran.
        shape: Of the launch.
        architecture: Of the GPU.
        constants: What every GPU has in common.
    """
    moved = traffic(counter, shape, architecture.l2_bytes, architecture.multiprocessors)
    clock = architecture.clock_mhz  # clocks a microsecond
    per_sm = -(-shape.blocks // architecture.multiprocessors) / shape.sampled
    parts = {
        "dram": moved.dram / (architecture.dram_gbps * 1e3 * constants.dram_efficiency),
        "l2": (moved.l2_read + moved.l2_write) / (architecture.l2_bytes_per_clock * clock),
        "atomics": _longest_queue(counter, shape) * constants.atomic_clocks / clock,
    }
    busy = _sm_clocks(counter, architecture, moved, constants)
    parts |= {name: clocks * per_sm / clock for name, clocks in busy.items()}
    warp = Warp(counter, shape, architecture, moved, constants)
    parts["latency"] = warp.clocks(0.0) / clock
    load = constants.queueing * parts["dram"] / max(_joined(parts, constants.smooth), 1e-9)
    parts["latency"] = warp.clocks(load) / clock
    norm = _joined(parts, constants.smooth)
    least = architecture.launch_us + _least(counter, shape, architecture, moved)
    return Estimate(
        architecture.launch_us + norm, Bottleneck(max(parts, key=parts.__getitem__)), parts, moved, least
    )


def _joined(parts: Mapping[str, float], smooth: float) -> float:
    return sum(value**smooth for value in parts.values()) ** (1 / smooth)


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


def _sm_clocks(
    counter: Counter, architecture: Architecture, moved: Traffic, constants: CostConstants
) -> dict[str, float]:
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
    clocks["issue"] = sum(work.values()) / constants.schedulers
    clocks["tensor"] = _tensor_clocks(counter, architecture)
    clocks["shared_memory"] = _shared_clocks(counter, constants)
    clocks["l1"] = _l1_clocks(counter, moved, constants) + _constant_clocks(counter)
    return clocks


def _shared_clocks(counter: Counter, constants: CostConstants) -> float:
    clocks = 0.0
    for site in counter.sites.values():
        if site.space == "shared":
            clocks += site.wavefronts * (constants.shared_atomic_clocks if site.kind == "atomic" else 1.0)
    return clocks


def _l1_clocks(counter: Counter, moved: Traffic, constants: CostConstants) -> float:
    """The load/store path: requests, sectors, fills from L2, and the wavefronts that share it."""
    least, width = constants.request_clocks, constants.l1_sectors_a_clock
    wavefronts = sum(site.wavefronts for site in counter.sites.values() if site.space == "shared")
    sites = [site for site in counter.sites.values() if site.space == "global"]
    requests = sum(max(site.sectors / width, site.requests * least) for site in sites)
    fills = sum(site.misses for site in sites) * SECTOR + moved.local.read
    # Local memory is laid out so that the lanes of a warp are neighbours: a line for each 4 bytes.
    return max(
        requests + wavefronts + least * local_requests(counter), fills / constants.l1_fill_bytes_a_clock
    )


def _constant_clocks(counter: Counter) -> float:
    """A request to constant memory is split by address (CUDA C++ Programming Guide, "Constant Memory")."""
    sites = [site for site in counter.sites.values() if site.space == "const"]
    return float(sum(max(0, site.wavefronts - site.requests) for site in sites))


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
