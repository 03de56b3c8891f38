"""When a search has found what was asked for."""

from __future__ import annotations

from agent.candidates import Parent
from agent.results import SearchRequest
from tools.tasks.task import Target, Task


def wanted(request: SearchRequest, task: Task) -> Target:
    """Return what a search aims at: what was asked for it, and the task's own where that asks for nothing."""
    own = task.target
    return Target(
        latency_us=request.target_us or own.latency_us,
        speedup=request.target_speedup or own.speedup,
        roofline=request.target_roofline or own.roofline,
    )


def target_met(target: Target, best: Parent | None) -> bool:
    """Whether a kernel meets every part of a task's target that is set."""
    if best is None or best.trial is None:
        return False
    trial = best.trial
    profile = None if trial.report is None else trial.report.profile
    fraction = None if profile is None else profile.roofline_fraction
    wanted = (
        None if target.latency_us is None else _at_least(target.latency_us, trial.latency_us),
        None if target.speedup is None else _at_least(trial.speedup, target.speedup),
        None if target.roofline is None else _at_least(fraction, target.roofline),
    )
    parts = [part for part in wanted if part is not None]
    return bool(parts) and all(parts)


def _at_least(high: float | None, low: float | None) -> bool:
    return high is not None and low is not None and high >= low
