"""Counters of a GPU beside the simulator's, launch by launch."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.gpu.results import Count
from sandbox.device import LaunchProfile
from sandbox.verdict import Provenance

Shapes = Sequence[Sequence[LaunchProfile]]
"""The launches at each benchmark shape."""


def compared(measured: Shapes, simulated: Shapes) -> tuple[Count, ...]:
    """Return what was measured on one side and is known on the other."""
    other = {(name, metric.name): metric for name, launch in _named(simulated) for metric in launch.metrics}
    found: list[Count] = []
    for name, launch in _named(measured):
        for metric in launch.metrics:
            beside = other.get((name, metric.name))
            if metric.provenance is Provenance.MEASURED and beside is not None:
                found.append(
                    Count(
                        name, metric.name, metric.unit, metric.value, beside.value, beside.provenance.value,
                        _apart(metric.value, beside.value),
                    )
                )  # fmt: skip
    return tuple(found)


def _named(shapes: Shapes) -> list[tuple[str, LaunchProfile]]:
    return [
        (f"{shape}.{index} {launch.kernel}", launch)
        for shape, launches in enumerate(shapes)
        for index, launch in enumerate(launches)
    ]


def _apart(measured: float, simulated: float) -> float | None:
    """The relative difference; nought beside nought is none."""
    if measured == simulated:
        return 0.0
    return (simulated - measured) / measured if measured else None
