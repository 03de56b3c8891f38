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
from sandbox.simulator.cost.constants import USED, CostConstants
from sandbox.simulator.cost.counting import Counter
from sandbox.simulator.cost.demand import Demand, demand
from sandbox.simulator.cost.traffic import LaunchShape, Traffic
from sandbox.simulator.gpus.architecture import Architecture


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
    """Estimate the latency of one launch that finds nothing in L2.

    Args:
        counter: After a sample of its blocks ran.
        shape: Of the launch.
        architecture: Of the GPU.
        constants: What every GPU has in common.
    """
    return timed(demand(counter, shape, architecture, constants), architecture, constants)


def timed(asked: Demand, architecture: Architecture, constants: CostConstants = USED) -> Estimate:
    """Price what a launch asks for."""
    clock = architecture.clock_mhz  # clocks a microsecond
    moved = asked.moved
    written = (moved.dram_write + constants.ragged_writes * moved.ragged) / constants.dram_write_efficiency
    parts = {
        "dram": (moved.dram_read / constants.dram_efficiency + written) / (architecture.dram_gbps * 1e3),
        "l2": (moved.l2_read + moved.l2_write) / (architecture.l2_bytes_per_clock * clock),
        "atomics": _atomic_clocks(asked, constants) / clock,
    }
    busy = {name: clocks / clock for name, clocks in asked.pipes.items()}
    busy["issue"] = asked.slots / constants.schedulers / clock
    shared = asked.wavefronts + asked.atomic_wavefronts * constants.shared_atomic_clocks + asked.shuffles
    busy["shared_memory"] = shared / clock
    busy["l1"] = _l1_clocks(asked, constants) / clock
    parts |= busy
    uncovered = (
        constants.uncovered * max(parts.values()) / asked.resident_blocks
        if asked.chains.mean.barriers
        else 0.0
    )
    parts["latency"] = uncovered + _latency_clocks(asked, constants) / clock
    norm = _joined(parts, constants.smooth)
    return Estimate(
        architecture.launch_us + norm,
        Bottleneck(max(parts, key=parts.__getitem__)),
        parts,
        moved,
        asked.least_us,
    )


def _atomic_clocks(asked: Demand, constants: CostConstants) -> float:
    clocks = {"f16": constants.half_atomic_clocks, "f16x2": constants.packed_half_atomic_clocks}
    return max(
        (turns * clocks.get(kind, constants.atomic_clocks) for kind, turns in asked.turns.items()),
        default=0.0,
    )


def _l1_clocks(asked: Demand, constants: CostConstants) -> float:
    """The load/store path: requests by line, shuffles and wavefronts that share it, and lines from and to L2."""
    requests = sum(
        max(one.lines * constants.line_clocks, one.number * constants.request_clocks)
        for one in asked.requests
    )
    shared = asked.wavefronts + asked.atomic_wavefronts + asked.shuffles
    path = requests + shared + asked.local * constants.request_clocks
    return max(path, asked.beyond * constants.beyond_line_clocks) + asked.constant


def _latency_clocks(asked: Demand, constants: CostConstants) -> float:
    """By round of blocks: a warp from start to end, a part of what the others issue, and what a round costs.

    The last round is the longest block's. Blocks that wait in turn take as long as all of them one after another.
    """
    others = constants.others_issue * asked.resident_slots / constants.schedulers
    chains = asked.chains
    mean, longest, in_turn = (
        one.clocks + one.barriers * constants.barrier_clocks
        for one in (chains.mean, chains.longest, chains.in_turn)
    )
    before = asked.rounds - 1
    at_once = before * (mean + constants.round_clocks) + max(mean, longest) + asked.rounds * others
    return max(at_once, chains.turns * in_turn)


def _joined(parts: Mapping[str, float], smooth: float) -> float:
    return sum(value**smooth for value in parts.values()) ** (1 / smooth)
