"""The numbers of the cost model that belong to no GPU in particular, each with its source.

docs/cost-model.md shows them, and a test compares the two. `python -m benchmarks.gpu.fit` says what a GPU's
measurements would have some of them be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

_SOURCE = "source"


def _from(value: float, source: str) -> Any:
    return field(default=value, metadata={_SOURCE: source})


@dataclass(frozen=True)
class CostConstants:
    """What `sandbox.simulator.cost.estimate.estimate` makes of counts.

    Attributes:
        dram_efficiency: Share of the peak bandwidth that a plain copy reaches.
        atomic_clocks: Clocks between two turns of atomics at one sector of L2.
        shared_atomic_clocks: Clocks that a wavefront of a shared-memory atomic takes.
        request_clocks: Clocks that a warp's global request occupies the load/store path at least.
        queueing: DRAM latency that a fully used memory adds, in idle latencies; less in proportion.
        smooth: Exponent of the norm that joins the resources: nearly a maximum, unless two are close.
        schedulers: Warp instructions issued a clock and multiprocessor.
        l1_sectors_a_clock: Sectors that L1 serves a clock.
        l1_fill_bytes_a_clock: Bytes that a multiprocessor takes from L2 a clock.
        barrier_clocks: Clocks from the last warp's arrival at a barrier until warps issue again.
        unrolled: Turns of a short loop of one basic block that the assembler unrolls.
        short_loop: PTX instructions of a loop that is short.
    """

    dram_efficiency: float = _from(0.92, "nvbandwidth reaches 90 to 93 percent of the peak on recent GPUs")
    atomic_clocks: float = _from(1.0, "assumed")
    shared_atomic_clocks: float = _from(4.0, "assumed: read, change, write")
    request_clocks: float = _from(2.0, "assumed: 32 addresses of 64 bits take two passes")
    queueing: float = _from(1.0, "assumed: near the peak, memory answers in about twice its idle latency")
    smooth: float = _from(4.0, "assumed")
    schedulers: int = _from(4, 'CUDA C++ Programming Guide, "Compute Capabilities"')
    l1_sectors_a_clock: float = _from(
        4.0, 'a 128-byte line a clock (Nsight Compute, "Hardware Model"); the tag stage resolves four lines'
    )
    l1_fill_bytes_a_clock: float = _from(64.0, "A100 whitepaper; used for all")
    barrier_clocks: float = _from(30.0, "assumed")
    unrolled: int = _from(4, "assumed: what the assembler does with short loops")
    short_loop: int = _from(64, "assumed: instructions of a loop that is short")


USED = CostConstants()
"""Those of every estimate that is not told others."""


def documented() -> Iterator[tuple[str, float, str]]:
    """Give name, value and source of each."""
    for one in fields(CostConstants):
        yield one.name, getattr(USED, one.name), one.metadata[_SOURCE]
