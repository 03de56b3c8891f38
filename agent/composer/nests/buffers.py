"""The buffers of a program: what they hold, and which of them need memory of their own."""

from __future__ import annotations

from collections.abc import Iterator

from agent.composer.expressions import Kind, Types
from agent.composer.ir import Unary
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.collectives import solving
from agent.composer.nests.points import parts
from agent.composer.nests.program import Nest, NestProgram
from agent.composer.nests.sizes import product


def types_of(program: NestProgram) -> Types:
    """What is computed in: wide enough for the arguments, and for what the reference converts to."""
    given = [argument.dtype for argument in program.task.arguments]
    values = [stage.value for nest in program.nests for stage in nest.stages]
    return Types.of([*given, *(one.op for value in values for one in parts(value) if isinstance(one, Unary))])


def dtypes_of(program: NestProgram, types: Types) -> dict[str, str]:
    """The dtype of every buffer: of arguments their own, of others that of what is computed in."""
    wide = {Kind.REAL: "float64" if types.real == "double" else "float32"}
    wide[Kind.INTEGER] = wide[Kind.BOOL] = "int64" if types.integer == "long long" else "int32"
    made = {stage.name: wide[stage.kind] for nest in program.nests for stage in nest.stages}
    systems = {
        solving.system(one): wide[Kind.REAL]
        for nest in program.nests
        for one in nest.stages
        if solving.solved(one)
    }
    return made | systems | {argument.name: argument.dtype for argument in program.task.arguments}


def scratch(program: NestProgram, dtypes: dict[str, str]) -> Iterator[str]:
    """The directives for buffers that are no arguments."""
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
    readers = [(other, one) for other in program.nests for one in other.stages if _reads(one, stage.name)]
    return all(other is nest for other, _ in readers)


def _reads(stage: FilledBuffer, name: str) -> bool:
    return any(at.buffer == name for at in stage.reads())
