"""Metrics of the tensor cores."""

from __future__ import annotations

from sandbox.simulator.metrics.row import CountedLaunch, Row
from sandbox.simulator.numerics.tensor import PATHS


def _instructions(launch: CountedLaunch, unit: str | None) -> float | None:
    found = (work.instructions * warps for work, warps in launch.matrices if unit in {None, work.unit})
    return sum(found) or None


def _operations(launch: CountedLaunch, path: str) -> float | None:
    found = (2 * work.multiply_adds * warps for work, warps in launch.matrices if work.path == path)
    return sum(found) or None


def _share(launch: CountedLaunch) -> float | None:
    busy = launch.result.parts["tensor"]
    return 100 * min(1.0, busy / launch.result.latency_us) if busy else None


def _unit(unit: str, what: str) -> Row:
    return Row(
        f"sm__inst_executed_pipe_tensor_op_{unit}.sum",
        "inst",
        f"Those on {what}.",
        lambda launch: _instructions(launch, unit),
        "sum",
    )


def _path(path: str) -> Row:
    source, _, result = path.partition("_dst_")
    return Row(
        f"sm__ops_path_tensor_src_{path}.sum",
        "op",
        f"Operations on {source} elements{f' summed in {result}' if result else ''}: twice M x N x K.",
        lambda launch: _operations(launch, path),
        "sum",
    )


TENSOR_ROWS = (
    Row(
        "sm__inst_executed_pipe_tensor.sum",
        "inst",
        "Matrix instructions that warps executed; `wmma.mma` counts one for each 128 results.",
        lambda launch: _instructions(launch, None),
        "sum",
    ),
    _unit("hmma", "floats of at most 32 bits"),
    _unit("imma", "integers and single bits"),
    _unit("dmma", "float64"),
    *(_path(path) for path in PATHS),
    Row(
        "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed",
        "%",
        "Time that the matrix instructions need at the rate of `mma.sync`, over the latency.",
        _share,
        "model",
    ),
)
