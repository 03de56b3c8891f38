"""Sums over one long axis that one kernel can take in together, and the equations that they are coefficients of."""

from __future__ import annotations

from collections.abc import Sequence

from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.collectives.counting import counted
from agent.composer.nests.collectives.moments import REGISTERS, Moments, moment_of, moments_of
from agent.composer.nests.collectives.solving import solved
from agent.composer.nests.program import Nest, NestProgram
from agent.composer.nests.sizes import combinations

_LONG = 1 << 12
"""Elements from which on several blocks pay."""


def collected(stages: Sequence[FilledBuffer], program: NestProgram) -> tuple[Nest | None, list[FilledBuffer]]:
    """A kernel of sums that read nothing that another stage makes, and the stages that are left."""
    given = {argument.name for argument in program.task.arguments if argument.role == "in"}
    sums = [
        stage for stage in stages if _fits(stage, program) and {at.buffer for at in stage.reads()} <= given
    ]
    sums = [stage for stage in sums if _extent(stage) == _extent(sums[0])]
    count = sum(program.count(combinations(stage.axes), 1 << 20) for stage in sums)
    if len(sums) < 2 or not any(stage.axes for stage in sums) or count > REGISTERS:
        return None, list(stages)
    made = {stage.name for stage in sums}
    ends = (stage for stage in stages if solved(stage) and {at.buffer for at in stage.reads()} <= made)
    end = next(ends, None)
    nest = Nest((), (*sums, *([] if end is None else [end])))
    assert isinstance(moments_of(nest), Moments), "each was looked at"
    return nest, [stage for stage in stages if stage not in nest.stages]


def _fits(stage: FilledBuffer, program: NestProgram) -> bool:
    found = moment_of(stage)
    if found is None or counted(stage):
        return False
    return program.count(found.fold.axes[0].extent) >= _LONG


def _extent(stage: FilledBuffer) -> object:
    found = moment_of(stage)
    return found and found.fold.axes[0].extent
