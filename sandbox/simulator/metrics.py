"""The counts under Nsight Compute's metric names (Nsight Compute 2025.3, "Metrics Reference").

Names that start with `warpwright__` are ours: Nsight has no metric for what they say. The tables of metrics
are in `metric_rows`; docs/metrics.md is made from them by `metric_table`.
"""

from __future__ import annotations

from sandbox.device import Metric
from sandbox.simulator.metric_row import Launch, Row
from sandbox.simulator.metric_rows import ROWS
from sandbox.verdict import Provenance


def metrics(launch: Launch) -> tuple[Metric, ...]:
    """Every metric that applies to a launch."""
    return tuple(_metric(row, value, launch) for row in ROWS if (value := row.value(launch)) is not None)


def _metric(row: Row, value: float, launch: Launch) -> Metric:
    """Counts of a sample are scaled to the grid, and then are estimates, as is what a model says."""
    shape = launch.shape
    whole = shape.sampled == shape.blocks
    counted = row.kind == "launch" or (row.kind in {"sum", "ratio"} and whole)
    scaled = value * shape.scale if row.kind in {"sum", "work"} else value
    provenance = Provenance.COUNTED if counted else Provenance.ESTIMATED
    return Metric(row.name, float(scaled), row.unit, provenance)
