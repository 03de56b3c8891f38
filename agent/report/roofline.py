"""Where kernels stand below the device's peak rates.

Intensity is the task's own operations over the DRAM bytes that a kernel moves; rate is these operations over its
latency (Williams, Waterman, Patterson: Roofline, CACM 52(4), 2009).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.report.account import KernelAccount, Roofline, RooflinePoint


@dataclass(frozen=True)
class TaskFacts:
    """Of a run's task: what it computes, and the least bytes and operations at its last benchmark shape."""

    summary: str
    dims: dict[str, int]
    least_bytes: float
    operations: float


@dataclass(frozen=True)
class Peaks:
    """Peak rates of the device: bytes and operations a second, and where they are from."""

    bytes_per_s: float
    flops_per_s: float
    source: str


def roofline(task: TaskFacts, peaks: Peaks | None, kernels: Sequence[KernelAccount]) -> Roofline | str:
    """Return the roofline with a point for each timed kernel; in words why there is none, where that is so."""
    if peaks is None:
        return "the peak rates of this device are not known here"
    if task.operations <= 0:
        return "the task counts no arithmetic, so it has no intensity; its fraction of the roofline is above"
    points = tuple(point for one in kernels if (point := _point(task, one)) is not None)
    return (
        Roofline(**vars(peaks), points=points) if points else "no kernel was timed at the task's last shape"
    )


def _point(task: TaskFacts, kernel: KernelAccount) -> RooflinePoint | None:
    us = _at(kernel, task.dims)
    moved = kernel.dram_bytes or task.least_bytes
    if kernel.latency is None or not us or not moved:
        return None
    return RooflinePoint(
        name=kernel.name,
        intensity=task.operations / moved,
        rate=1e6 * task.operations / us,
        provenance=kernel.latency.provenance,
    )


def _at(kernel: KernelAccount, dims: Mapping[str, int]) -> float | None:
    """Return a kernel's latency at a shape, microseconds; None where it was not timed there."""
    return next((one.latency.value for one in kernel.shapes if one.dims == dims), None)
