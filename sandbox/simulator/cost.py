"""From counts to an estimated latency. Its job is to rank candidates; it is never a measurement.

The time of a launch is the largest of what each resource needs, smoothed where two come close, plus the launch
itself. Resources: DRAM, L2, the load/store path and its shared-memory wavefronts, every arithmetic pipe, the issue
slots, same-address atomics, and the latency chain of one warp times the rounds of blocks (Little's law: loads that
do not overlap within a warp, and warps that do not fit, leave the chip waiting).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.simulator.architectures import Architecture
from sandbox.simulator.coalescing import SECTOR
from sandbox.simulator.counting import Counter, Site
from sandbox.simulator.lanes import WARP
from sandbox.simulator.occupancy import Occupancy
from sandbox.simulator.pipes import ALU, CONTROL, FMA, FP16, FP64, LSU, XU, cost_of
from sandbox.simulator.timeline import Latencies, block_clocks

DRAM_EFFICIENCY = 0.92
"""Share of the peak that a plain copy reaches on recent GPUs; NVIDIA's nvbandwidth prints 90 to 93 percent."""
ATOMIC_CLOCKS = 1.0
"""Clocks between two atomics on one address at L2."""
SHARED_ATOMIC_CLOCKS = 4.0
"""Clocks between two atomics on one shared-memory word."""
GLOBAL_REQUEST_CLOCKS = 2.0
"""Clocks that a warp's global request occupies the load/store path at least: its 64-bit addresses take two passes.
An assumption, to be fitted on hardware."""
SMOOTH = 4.0
"""Exponent of the norm that joins the resources: large enough to be a maximum unless two are close."""
SCHEDULERS = 4
_SHARED_LATENCY = 29.0
_SECTORS_A_CLOCK = 4.0


@dataclass(frozen=True)
class LaunchShape:
    """What the model must know besides the counts.

    Attributes:
        blocks: Of the grid.
        sampled: Of them executed and counted.
        warps: Of a block.
        footprints: Bytes the sample touched, by buffer.
        buffers: Bytes of each buffer.
    """

    blocks: int
    sampled: int
    warps: int
    occupancy: Occupancy
    footprints: Mapping[str, int]
    buffers: Mapping[str, int]

    @property
    def scale(self) -> float:
        """From the sample to the whole grid."""
        return self.blocks / self.sampled


@dataclass(frozen=True)
class Traffic:
    """Bytes of the whole launch."""

    l2_read: float
    l2_write: float
    dram_read: float
    dram_write: float


@dataclass(frozen=True)
class Estimate:
    """Microseconds by resource and in all."""

    latency_us: float
    bottleneck: str
    parts: Mapping[str, float]
    traffic: Traffic


def traffic(counter: Counter, shape: LaunchShape) -> Traffic:
    """L2 and DRAM bytes.

    Loads reach L2 where L1 misses; stores and atomics always do. DRAM sees each sector once: data that several
    blocks share is assumed to stay in L2 between them.
    """
    l2 = {"load": 0.0, "store": 0.0, "atomic": 0.0}
    dram = {"load": 0.0, "store": 0.0}
    by_buffer: dict[tuple[str, str], float] = {}
    for site in counter.sites.values():
        if site.space != "global":
            continue
        moved = (site.misses if site.kind == "load" else site.sectors) * SECTOR * shape.scale
        l2[site.kind] += moved
        kind = "load" if site.kind == "load" else "store"
        by_buffer[site.buffer, kind] = by_buffer.get((site.buffer, kind), 0.0) + moved
    for (buffer, kind), moved in by_buffer.items():
        once = min(shape.footprints.get(buffer, 0) * shape.scale, shape.buffers.get(buffer, 0))
        dram[kind] += min(moved, max(once, SECTOR))
    return Traffic(l2["load"], l2["store"] + l2["atomic"], dram["load"], dram["store"])


def estimate(counter: Counter, shape: LaunchShape, architecture: Architecture) -> Estimate:
    """Estimate the latency of one launch, microseconds."""
    moved = traffic(counter, shape)
    clock = architecture.clock_mhz  # clocks a microsecond
    per_sm = -(-shape.blocks // architecture.multiprocessors) / shape.sampled
    parts = {
        "dram": (moved.dram_read + moved.dram_write) / (architecture.dram_gbps * 1e3 * DRAM_EFFICIENCY),
        "l2": (moved.l2_read + moved.l2_write) / (architecture.l2_bytes_per_clock * clock),
        "latency": _chain(counter, shape, architecture, moved) / clock,
        "atomics": _atomic_clocks(counter, shape) / clock,
    }
    parts |= {name: clocks * per_sm / clock for name, clocks in _sm_clocks(counter, architecture).items()}
    norm = sum(value**SMOOTH for value in parts.values()) ** (1 / SMOOTH)
    bottleneck = max(parts, key=parts.__getitem__)
    return Estimate(architecture.launch_us + norm, bottleneck, parts, moved)


def _sm_clocks(counter: Counter, architecture: Architecture) -> dict[str, float]:
    """Clocks that the sampled blocks would keep each part of one multiprocessor busy."""
    work = instructions_by_pipe(counter)
    lanes = {
        FMA: architecture.fp32_lanes,
        ALU: architecture.int_lanes,
        FP64: architecture.fp64_lanes,
        FP16: architecture.fp16_lanes,
        XU: architecture.xu_lanes,
    }
    clocks = {pipe: work.get(pipe, 0.0) * WARP / width for pipe, width in lanes.items()}
    clocks["issue"] = sum(work.values()) / SCHEDULERS
    clocks["tensor"] = work.get("tensor", 0.0) * 2
    wavefronts = sum(site.sectors for site in counter.sites.values() if site.space == "shared")
    sectors = sum(site.sectors for site in counter.sites.values() if site.space == "global")
    requests = sum(site.requests for site in counter.sites.values() if site.space == "global")
    clocks["shared_memory"] = wavefronts + _shared_atomics(counter)
    clocks["l1"] = max(sectors / _SECTORS_A_CLOCK, requests * GLOBAL_REQUEST_CLOCKS) + wavefronts
    return clocks


def _shared_atomics(counter: Counter) -> float:
    return sum(
        site.sectors * SHARED_ATOMIC_CLOCKS
        for site in counter.sites.values()
        if site.space == "shared" and site.kind == "atomic"
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


def _chain(counter: Counter, shape: LaunchShape, architecture: Architecture, moved: Traffic) -> float:
    """Clocks of one warp from start to end, times the rounds of resident blocks."""
    loads = [site for site in counter.sites.values() if site.space == "global" and site.kind == "load"]
    sectors = sum(site.sectors for site in loads)
    misses = sum(site.misses for site in loads)
    to_l2 = misses / sectors if sectors else 0.0
    to_dram = min(1.0, moved.dram_read / moved.l2_read) if moved.l2_read else 0.0
    beyond = architecture.l2_latency + to_dram * (architecture.dram_latency - architecture.l2_latency)
    load = architecture.l1_latency + to_l2 * (beyond - architecture.l1_latency)
    latencies = Latencies(load, _SHARED_LATENCY, float(architecture.l2_latency))
    warps = shape.sampled * shape.warps
    one_warp = sum(
        block_clocks(count.block, latencies) * count.warps / warps for count in counter.blocks.values()
    )
    resident = architecture.multiprocessors * shape.occupancy.blocks
    rounds = -(-shape.blocks // resident)
    # The last load's latency is not hidden by anything that follows it in the warp.
    return rounds * (one_warp + load)


def _atomic_clocks(counter: Counter, shape: LaunchShape) -> float:
    """Global atomics on one address are served one after another."""
    worst = 0.0
    for site in counter.sites.values():
        if site.space == "global" and site.kind == "atomic" and site.requests:
            worst = max(worst, _serial(site) * shape.scale * ATOMIC_CLOCKS)
    return worst


def _serial(site: Site) -> float:
    """Operations of the sample on the busiest address.

    Integer atomics of a warp on one address are combined by the assembler into one; float ones are not.
    """
    combined = site.busiest == 1.0 and not site.instruction.modifiers[-1].startswith("f")
    return float(site.requests) if combined else site.lanes * site.busiest
