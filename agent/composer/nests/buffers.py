"""The buffers of a program that need memory of their own."""

from __future__ import annotations

from collections.abc import Iterator

from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.collectives import solving
from agent.composer.nests.program import Nest, NestProgram
from agent.composer.nests.sizes import product


def scratch(program: NestProgram) -> Iterator[str]:
    """The directives for buffers that are no arguments."""
    dtypes = program.dtypes
    own = {argument.name for argument in program.task.arguments}
    for nest in program.nests:
        for stage in nest.stages:
            if solving.solved(stage):
                yield solving.scratch(stage, dtypes[solving.system(stage)])
            if stage.name not in own and not is_local(program, nest, stage):
                size = product(program.shapes[stage.name])
                yield f"//@ scratch {stage.name}: {dtypes[stage.name]}[{size.expression()}]"


def is_local(program: NestProgram, nest: Nest, stage: FilledBuffer) -> bool:
    """Whether only later stages of its own kernel read it, at the same point: then no memory holds it."""
    if stage.name in program.outputs or nest.extra(stage):
        return False
    others = (one for other in program.nests if other is not nest for one in other.stages)
    return not any(one.reads_of(stage.name) for one in others)
