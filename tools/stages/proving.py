"""Asks a static verifier about the launches of a test case: a second opinion beside the verdict."""

from __future__ import annotations

import math
from typing import Protocol

from sandbox.plan import Launch
from sandbox.program import Program
from sandbox.proof.opinion import LaunchProof, Opinion
from tools.reports import ProofReport
from tools.stages.compiling import CompiledCases, any_scalars
from tools.tasks.task import Task

SECONDS = 30.0
"""Of wall time for one launch."""
MOST = 8
"""Launches that are asked about; the others are undecided."""


class Proves(Protocol):
    """The part of `sandbox.proof.service.Prover` that is needed here."""

    async def prove(self, program: Program, launch: Launch, *, seconds: float) -> LaunchProof:
        """Ask about one launch."""
        ...


async def opinion_on(task: Task, compiled: CompiledCases, prover: Proves) -> ProofReport | None:
    """Ask about every launch of a small test case, of several blocks where there is one.

    None where the kernel did not compile.
    """
    if not compiled.builds:
        return None
    plans = [
        (case, build, build.plan(any_scalars(task)))
        for case, build in zip(task.judged_cases, compiled.builds, strict=True)
    ]
    several = [one for one in plans if any(math.prod(launch.grid) > 1 for launch in one[2].launches)]
    case, build, plan = min(several or plans, key=lambda one: sum(map(_threads, one[2].launches)))
    asked = plan.launches[:MOST]
    found = [await prover.prove(build.program, launch, seconds=SECONDS) for launch in asked]
    found += [
        LaunchProof(launch.kernel, launch.line, Opinion.UNDECIDED, "not asked: there are too many launches")
        for launch in plan.launches[MOST:]
    ]
    opinion = _together(found)
    return ProofReport(opinion, _message(opinion, found), case.dims, tuple(found))


def _threads(launch: Launch) -> int:
    return launch.threads


def _together(found: list[LaunchProof]) -> Opinion:
    opinions = {one.opinion for one in found}
    for opinion in (Opinion.CONTRADICTED, Opinion.UNDECIDED):
        if opinion in opinions:
            return opinion
    return Opinion.PROVED


def _message(opinion: Opinion, found: list[LaunchProof]) -> str:
    if opinion is Opinion.PROVED:
        return "Every schedule is free of races and deadlocks, by the verifier's model (it knows no fences)."
    first = next(one for one in found if one.opinion is opinion)
    return f"{first.kernel} (launched at line {first.line}): {first.said}."
