"""The table of metrics, under Nsight Compute's names (Nsight Compute 2025.3, "Metrics Reference"), and their values.

Names that start with `warpwright__` are ours: Nsight has no metric for what they say. docs/metrics.md is made from
this table.
"""

from __future__ import annotations

from sandbox.device import Metric
from sandbox.simulator.metrics.execution_rows import EXECUTION_ROWS, LAUNCH_ROWS
from sandbox.simulator.metrics.memory_rows import ATOMIC_ROWS, COPY_ROWS, GLOBAL_ROWS, LOCAL_ROWS, SHARED_ROWS
from sandbox.simulator.metrics.model_rows import MODEL_ROWS
from sandbox.simulator.metrics.row import CountedLaunch, Row
from sandbox.simulator.metrics.tensor_rows import TENSOR_ROWS
from sandbox.verdict import Provenance

GROUPS: dict[str, tuple[Row, ...]] = {
    "Time, DRAM, L2 and L1": MODEL_ROWS,
    "Global memory": GLOBAL_ROWS,
    "Shared memory": SHARED_ROWS,
    "Global atomics": ATOMIC_ROWS,
    "Launch and occupancy": LAUNCH_ROWS,
    "Instructions, lanes and branches": EXECUTION_ROWS,
    "Tensor cores": TENSOR_ROWS,
    "Local memory": LOCAL_ROWS,
    "Asynchronous copies": COPY_ROWS,
}
"""Every metric by what it is about, what explains most first."""

ROWS: tuple[Row, ...] = tuple(row for rows in GROUPS.values() for row in rows)
"""Every metric, in the order in which they are shown."""


def metrics(launch: CountedLaunch) -> tuple[Metric, ...]:
    """Every metric that applies to a launch."""
    return tuple(_metric(row, value, launch) for row in ROWS if (value := row.value(launch)) is not None)


def _metric(row: Row, value: float, launch: CountedLaunch) -> Metric:
    """Counts of a sample are scaled to the grid, and then are estimates, as is what a model says."""
    shape = launch.shape
    whole = shape.sampled == shape.blocks
    counted = row.kind == "launch" or (row.kind in {"sum", "ratio"} and whole)
    scaled = value * shape.scale if row.kind in {"sum", "work"} else value
    provenance = Provenance.COUNTED if counted else Provenance.ESTIMATED
    return Metric(row.name, float(scaled), row.unit, provenance)
