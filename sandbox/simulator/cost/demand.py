"""What a launch asks of each part of a GPU, before any constant of the model says how long that takes.

It is made once from counts; `estimate.timed` prices it, as often as somebody asks (a fit, a what-if).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sandbox.simulator.cost.coalescing import SECTOR, SECTORS_A_LINE
from sandbox.simulator.cost.constants import USED, CostConstants
from sandbox.simulator.cost.counting import Counter, Site
from sandbox.simulator.cost.instruction_mix import InstructionMix, instruction_mix
from sandbox.simulator.cost.local import local_requests
from sandbox.simulator.cost.pipes import ALU, FMA, FP16, FP64, XU, cost_of
from sandbox.simulator.cost.timeline import LongestWarps, Timeline
from sandbox.simulator.cost.traffic import LaunchShape, Traffic, kept_by_l2, past_l1, traffic
from sandbox.simulator.gpus.architecture import Architecture
from sandbox.simulator.machine.lanes import WARP
from sandbox.simulator.numerics.tensor import matrix_work

_LANES_A_SHUFFLE = 32
"""Lanes that a multiprocessor shuffles a clock (CUDA C++ Programming Guide, "Throughput of Native Arithmetic
Instructions", warp shuffle)."""


@dataclass(frozen=True)
class Requests:
    """Global accesses of one instruction: counts of the blocks of one multiprocessor, bytes of the whole launch.

    Attributes:
        kind: "load", "store" or "atomic".
        number: Warp requests.
        lines: Lines of those.
        least_lines: As many as their lanes' bytes would fill.
        beyond: Lines that go on to L2.
        moved: Bytes between L1 and L2.
        wanted: Bytes that lanes asked for.
    """

    kind: str
    number: float
    lines: float
    least_lines: float
    beyond: float
    moved: float
    wanted: float


@dataclass(frozen=True)
class Demand:
    """What one launch asks for.

    Attributes:
        moved: Bytes through L2 and DRAM.
        mix: What the sampled blocks issue.
        pipes: Clocks that each arithmetic pipe of the busiest multiprocessor needs.
        slots: Warp instructions that it issues.
        requests: Its global accesses, by instruction.
        beyond: Lines that these ask of L2, and that local memory moves beyond L1.
        wavefronts, atomic_wavefronts: Of its shared memory.
        least_wavefronts, least_atomic_wavefronts: As few as would do: without bank conflicts.
        local: Warp-level accesses to local memory.
        constant: Further addresses of its requests to constant memory.
        shuffles: Warp shuffles.
        turns: At the busiest place of global memory, by what an atomic there adds ("f16", "f16x2", "").
        chains: The longest warp of a block, and of all.
        waves: Times that the multiprocessors are filled; the last one in part.
        resident_blocks: Blocks of a full multiprocessor.
        resident_slots: Warp instructions of all warps of a full multiprocessor.
        once: Bytes that the launch touches, each once.
        least_us: What a perfect machine needs, launch included.
        again: What the same launch asks for when it comes again at once, L2 holding what it touched before as far as
            that fits; None where nothing of it does. Its own `least_us` is that of a launch that finds nothing.
    """

    moved: Traffic
    mix: InstructionMix
    pipes: Mapping[str, float]
    slots: float
    requests: tuple[Requests, ...]
    beyond: float
    wavefronts: float
    atomic_wavefronts: float
    least_wavefronts: float
    least_atomic_wavefronts: float
    local: float
    constant: float
    shuffles: float
    turns: Mapping[str, float]
    chains: LongestWarps
    waves: float
    resident_blocks: int
    resident_slots: float
    once: float
    least_us: float
    again: Demand | None = None

    @property
    def rounds(self) -> int:
        """Times that the multiprocessors are filled, the last one counted whole."""
        return math.ceil(self.waves)


def demand(
    counter: Counter,
    shape: LaunchShape,
    architecture: Architecture,
    constants: CostConstants = USED,
) -> Demand:
    """Sum up what a launch asks for that finds nothing in L2, and what it asks for when it comes again.

    Args:
        counter: After a sample of its blocks ran.
        shape: Of the launch.
        architecture: Of the GPU.
        constants: Which loops the assembler unrolls.
    """
    moved = traffic(counter, shape, architecture.l2_bytes, architecture.multiprocessors)
    resident = min(shape.occupancy.blocks, -(-shape.blocks // architecture.multiprocessors))
    share = -(-shape.blocks // architecture.multiprocessors) / shape.sampled
    mix = instruction_mix(counter)
    sites = [site for site in counter.sites.values() if site.space == "global"]
    slots = mix.issued
    timeline = Timeline(counter, shape, constants)
    cold = Demand(
        moved=moved,
        mix=mix,
        pipes={pipe: clocks * share for pipe, clocks in _pipes(counter, mix.by_pipe, architecture).items()},
        slots=slots * share,
        requests=tuple(_requests(site, share, shape.scale) for site in sites),
        beyond=(
            sum(map(_lines_beyond, sites))
            + (moved.local.read + moved.local.written) / (SECTOR * SECTORS_A_LINE)
        )
        * share,
        wavefronts=_wavefronts(counter, architecture, atomic=False) * share,
        atomic_wavefronts=_wavefronts(counter, architecture, atomic=True) * share,
        least_wavefronts=_wavefronts(counter, architecture, atomic=False, least=True) * share,
        least_atomic_wavefronts=_wavefronts(counter, architecture, atomic=True, least=True) * share,
        local=local_requests(counter) * share,
        constant=_further_constants(counter) * share,
        shuffles=_shuffles(counter) * WARP / _LANES_A_SHUFFLE * share,
        turns=_turns(counter, shape),
        chains=timeline.longest_warps(architecture, moved),
        waves=shape.waves(architecture.multiprocessors),
        resident_blocks=resident,
        resident_slots=slots / shape.sampled * resident,
        once=sum(reach.all_bytes for reach in shape.reach.values()),
        least_us=architecture.launch_us + _least(counter, shape, architecture, moved),
    )
    return replace(cold, again=_again(cold, timeline, architecture))


def _again(asked: Demand, timeline: Timeline, architecture: Architecture) -> Demand | None:
    kept = kept_by_l2(asked.once / architecture.l2_bytes)
    if not kept or not asked.moved.dram:
        return None
    moved = asked.moved.warm(kept)
    return replace(asked, moved=moved, chains=timeline.longest_warps(architecture, moved))


def _requests(site: Site, share: float, scale: float) -> Requests:
    """Of one instruction; `share` and `scale` take the sample to a multiprocessor and to the launch."""
    wanted = site.lanes * site.size
    least = min(site.lines, max(site.requests, wanted / (SECTOR * SECTORS_A_LINE)))
    return Requests(
        kind=site.kind,
        number=site.requests * share,
        lines=site.lines * share,
        least_lines=least * share,
        beyond=_lines_beyond(site) * share,
        moved=past_l1(site) * scale,
        wanted=wanted * scale,
    )


def _lines_beyond(site: Site) -> float:
    """Lines that leave L1: of loads, the part of which sectors were not there yet."""
    if site.kind != "load":
        return site.lines
    return site.lines * site.pending / site.sectors if site.sectors else 0.0


def _wavefronts(counter: Counter, architecture: Architecture, *, atomic: bool, least: bool = False) -> float:
    """Clocks of shared memory: of a wavefront of 128 bytes, at least what a request's addresses take."""
    sites = (site for site in counter.sites.values() if site.space == "shared")
    request, each = WARP / architecture.lsu_lanes, 128 / architecture.shared_bytes_per_clock
    return sum(
        max((min(site.ideal, site.wavefronts) if least else site.wavefronts) * each, site.requests * request)
        for site in sites
        if (site.kind == "atomic") == atomic
    )


def _further_constants(counter: Counter) -> float:
    """A request to constant memory is split by address (CUDA C++ Programming Guide, "Constant Memory")."""
    sites = (site for site in counter.sites.values() if site.space == "const")
    return float(sum(max(0, site.wavefronts - site.requests) for site in sites))


def _pipes(counter: Counter, work: Mapping[str, float], architecture: Architecture) -> dict[str, float]:
    """Clocks that the sampled blocks would keep each pipe of one multiprocessor busy."""
    lanes = {
        FMA: architecture.fp32_lanes,
        ALU: architecture.int_lanes,
        FP64: architecture.fp64_lanes,
        FP16: architecture.fp16_lanes // 2,  # a result is half of a packed instruction's
        XU: architecture.xu_lanes,
    }
    clocks = {pipe: work.get(pipe, 0.0) * WARP / width for pipe, width in lanes.items()}
    clocks["tensor"] = _tensor_clocks(counter, architecture)
    return clocks


def _least(counter: Counter, shape: LaunchShape, architecture: Architecture, moved: Traffic) -> float:
    """Microseconds of a perfect machine: every byte once each way and every operation, at peak rates."""
    memory = moved.once / (architecture.dram_gbps * 1e3)
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


def _shuffles(counter: Counter) -> float:
    return sum(
        count.warps
        for count in counter.blocks.values()
        for instruction in count.block.instructions
        if instruction.opcode == "shfl"
    )


def _turns(counter: Counter, shape: LaunchShape) -> dict[str, float]:
    """Turns at the busiest place of global memory, by what is added: atomics are served one after another there.

    The lanes of a request on one sector take a turn together, unless they share an address: then each lane
    takes one, except that the assembler combines those that add an integer (by votes, or REDUX).
    """
    worst: dict[str, float] = {}
    for site in counter.sites.values():
        if site.space == "global" and site.kind == "atomic" and site.requests:
            busiest = site.contention.busiest(shape.scale)
            kind = site.instruction.modifiers[-1]
            if not kind.lstrip("b").startswith("f") and site.passes:
                busiest *= site.requests / site.passes
            half = kind.lstrip("b") if kind.lstrip("b") in {"f16", "f16x2"} else ""
            worst[half] = max(worst.get(half, 0.0), busiest, site.queue.busiest(shape.scale))
    return worst
