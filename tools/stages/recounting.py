"""Times a kernel anew whose sampled blocks did less than its blocks do, as a run at a benchmark shape showed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sandbox.device import ProfileResult
from tools.judge.explanation import shorten
from tools.reports import ProfileReport, ShapeTiming
from tools.stages.judgement import CheckContext
from tools.stages.profiling import ProfileStage, Shape, report_of, sizes
from tools.tasks.task import Case

MORE = 1.1
"""Where a run did so many times the work that a sample of blocks said, all blocks are counted."""


def falls_short(timing: ShapeTiming, done: int) -> bool:
    """Whether an estimate is made from a sample of blocks that said less than a run did: its thread-instructions."""
    sampled = any(launch.sampled_blocks < launch.total_blocks for launch in timing.launches)
    return sampled and done > MORE * _executed(timing)


async def recounted(profiling: ProfileStage, context: CheckContext, short: Sequence[Case]) -> ProfileReport:
    """Return the profile of a kernel, every block counted at the shapes at which its sample fell short.

    At any other shape it takes so many times as long as its sample says, as the samples of these fell short: how work
    is spread over blocks is the kernel's, so who leaves work out of a sample gains nothing at a larger size.

    Args:
        profiling: What profiled it.
        context: Its judgement, with the profile.
        short: At least one shape.

    Raises:
        WorkerDiedError: A worker ended for no known cause, and so did the one after it.
    """
    order, profile = context.order, context.report.profile
    assert profile is not None, "a stage before has profiled"
    whole: dict[str, Shape] = {}
    for case in short:
        shape = await profiling.time(order.task, case, order.kernel, context.report.tune, whole=True)
        if shape.failure is not None:
            return shape.failure
        whole[sizes(case)] = shape
    known = {sizes(case): timing for case, timing in zip(order.task.benches, profile.shapes, strict=True)}
    factor = max(1.0, *(_executed(shape.result) / _executed(known[name]) for name, shape in whole.items()))
    timed = [whole.get(sizes(case)) or _longer(case, known, factor) for case in order.task.benches]
    report = report_of(order.task, timed, [timing.baseline_us for timing in profile.shapes])
    said = f"All blocks were counted at {'; '.join(whole)}: they do {factor:.3g} times the work that a sample said."
    return replace(report, message=shorten(f"{report.message} {said}"))


def _longer(case: Case, known: Mapping[str, ShapeTiming], factor: float) -> Shape:
    """A shape of which a sample was counted, that many times as long."""
    timing = known[sizes(case)]
    launches = tuple(
        replace(one, latency_us=one.latency_us * (factor if one.sampled_blocks < one.total_blocks else 1.0))
        for one in timing.launches
    )
    latency = sum(one.latency_us for one in launches)
    return Shape(case, ProfileResult(None, latency, timing.provenance, launches))


def _executed(timing: ShapeTiming | ProfileResult) -> float:
    """Thread-instructions that an estimate is made from."""
    return sum(launch.executed for launch in timing.launches)
