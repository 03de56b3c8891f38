"""The numbers of the cost model that belong to no GPU in particular, each with its source.

docs/cost-model.md shows them, and a test compares the two. `python -m benchmarks.gpu.fit` says what measurements,
published ones or a GPU's own, would have some of them be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

_SOURCE = "source"
_FITTED = "fitted: `python -m benchmarks.gpu.fit --published`"


def _from(value: float, source: str) -> Any:
    return field(default=value, metadata={_SOURCE: source})


@dataclass(frozen=True)
class CostConstants:
    """What `sandbox.simulator.cost.estimate.estimate` makes of counts.

    Attributes:
        dram_efficiency: Share of the peak bandwidth that reads reach.
        dram_write_efficiency: Share that writes beside them reach.
        ragged_writes: What a byte costs, in written bytes, that would fill up a line that its block writes in part.
        atomic_clocks: Clocks between two turns of atomics at one sector of L2.
        half_atomic_clocks, packed_half_atomic_clocks: Those of a float16, and of two of them in a word.
        shared_atomic_clocks: Clocks that a wavefront of a shared-memory atomic takes.
        request_clocks: Clocks that a warp's global request occupies the load/store path at least.
        line_clocks: Clocks that each 128-byte line of a request occupies it.
        beyond_line_clocks: Clocks of a multiprocessor for each line that goes on to L2, whatever is wanted of it.
        smooth: Exponent of the norm that joins the resources: nearly a maximum, unless two are close.
        schedulers: Warp instructions issued a clock and multiprocessor.
        barrier_clocks: Clocks from the last warp's arrival at a barrier until warps issue again.
        round_clocks: Clocks of each round of resident blocks beside what their warps do: to start and to end them.
        others_issue: Part of the issue slots of a full multiprocessor that a warp waits for beside its own latency.
        uncovered: Part of the busiest resource's time that blocks with barriers wait beside their latency, where a
            multiprocessor holds one block; of more, each covers the others.
        unrolled: Turns of a short loop of one basic block that the assembler unrolls.
        short_loop: PTX instructions of a loop that is short.
    """

    dram_efficiency: float = _from(
        0.90, "published sums: H100 0.97, V100 0.90, L20 0.90, A100 0.87 of the peak (benchmarks/published)"
    )
    dram_write_efficiency: float = _from(
        0.80,
        "published copies and transposes: 0.83 to 0.89 of the peak, half of it writes (benchmarks/published)",
    )
    ragged_writes: float = _from(
        0.5,
        "published transposes: blocks that write half lines take 1.13 times as long (benchmarks/published)",
    )
    atomic_clocks: float = _from(1.0, "assumed")
    half_atomic_clocks: float = _from(9.6, _FITTED)
    packed_half_atomic_clocks: float = _from(3.1, _FITTED)
    shared_atomic_clocks: float = _from(4.0, "assumed: read, change, write")
    request_clocks: float = _from(2.5, _FITTED)
    line_clocks: float = _from(0.91, _FITTED)
    beyond_line_clocks: float = _from(3.8, _FITTED)
    smooth: float = _from(4.2, _FITTED)
    schedulers: int = _from(4, 'CUDA C++ Programming Guide, "Compute Capabilities"')
    barrier_clocks: float = _from(33.0, _FITTED)
    round_clocks: float = _from(575.0, _FITTED)
    others_issue: float = _from(0.31, _FITTED)
    uncovered: float = _from(0.55, _FITTED)
    unrolled: int = _from(4, "assumed: what the assembler does with short loops")
    short_loop: int = _from(64, "assumed: instructions of a loop that is short")


USED = CostConstants()
"""Those of every estimate that is not told others."""


def documented() -> Iterator[tuple[str, float, str]]:
    """Give name, value and source of each."""
    for one in fields(CostConstants):
        yield one.name, getattr(USED, one.name), one.metadata[_SOURCE]
