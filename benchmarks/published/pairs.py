"""Whether every simulated GPU keeps the order of published kernels that differ for a reason that all GPUs share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.published.dataset import Pair, family
from benchmarks.published.observing import observe
from sandbox.simulator.cost.constants import USED
from sandbox.simulator.gpus.architecture import Architecture
from tools.stages.compiling import Compiles


@dataclass(frozen=True)
class Order:
    """A pair on a GPU: by how much the estimate of the slower one exceeds that of the faster one."""

    pair: Pair
    gpu: str
    ratio: float

    @property
    def kept(self) -> bool:
        """Whether it does."""
        return self.ratio > 1


async def orders(pairs: Sequence[Pair], gpu: Architecture, compiler: Compiles) -> list[Order]:
    """Estimate both kernels of each pair on a GPU."""
    times: dict[tuple[str, str, str], float] = {}
    for name in dict.fromkeys(pair.family for pair in pairs):
        mine = [pair for pair in pairs if pair.family == name]
        wanted = {(one.shape, variant) for one in mine for variant in (one.faster, one.slower)}
        whole = family(name)
        some = tuple(point for point in whole.points if (point.shape, point.variant) in wanted)
        observed, _ = await observe([replace(whole, gpu=gpu, points=some)], compiler)
        times |= {(name, one.point.shape, one.variant): one.estimate(USED).latency_us for one in observed}
    return [
        Order(
            pair,
            gpu.name,
            times[pair.family, pair.shape, pair.slower] / times[pair.family, pair.shape, pair.faster],
        )
        for pair in pairs
    ]
