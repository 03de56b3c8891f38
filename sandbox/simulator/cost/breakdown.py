"""What an estimate is made of, as reports tell it."""

from __future__ import annotations

from sandbox.device import Bottleneck, Breakdown, Part
from sandbox.simulator.cost.confidence import error_of
from sandbox.simulator.cost.demand import Demand
from sandbox.simulator.cost.estimate import Estimate, timed
from sandbox.simulator.cost.traffic import LaunchShape
from sandbox.simulator.cost.what_if import what_ifs
from sandbox.simulator.gpus.architecture import Architecture

_WORTH_SAYING = 0.01
"""The part of the latency that a resource must need."""


def breakdown(
    asked: Demand,
    result: Estimate,
    shape: LaunchShape,
    architecture: Architecture,
) -> Breakdown:
    """Take an estimate apart.

    Args:
        asked: What the launch asks for.
        result: What that takes.
        shape: Of the launch.
        architecture: Of the GPU.
    """
    parts = [
        Part(Bottleneck(name), time)
        for name, time in sorted(result.parts.items(), key=lambda part: -part[1])
        if time >= _WORTH_SAYING * result.latency_us
    ]
    return Breakdown(
        tuple(parts),
        architecture.launch_us,
        result.least_us,
        what_ifs(asked, shape, architecture),
        error_of(result.bottleneck),
        None if asked.again is None else timed(asked.again, architecture).latency_us,
    )
