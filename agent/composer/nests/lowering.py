"""From what a reference computes to kernels: what is dead goes, what can be is joined, long work is cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from agent.composer.nests.arrays import Array, FilledBuffer, NotExpressed
from agent.composer.nests.collecting import collected
from agent.composer.nests.collectives.turning import ringed
from agent.composer.nests.cutting import Cutter
from agent.composer.nests.fusing import folded_in, grouped, inlined
from agent.composer.nests.in_place import copied, swapped
from agent.composer.nests.merging import merged
from agent.composer.nests.ordering import ordered
from agent.composer.nests.parting import parted
from agent.composer.nests.points import At, placed
from agent.composer.nests.program import NestProgram
from agent.composer.nests.reading.extents import size_of
from agent.composer.nests.reading.following import Computation
from agent.composer.nests.sizes import ONE, Size
from agent.composer.nests.tabulating import tabulated
from tools.tasks.task import Task, TaskArgument


def lowered(task: Task, followed: Computation) -> NestProgram:
    """Make the kernels of a task.

    Raises:
        NotExpressed: An output has another shape than the task says.
    """
    arguments = {argument.name: argument for argument in task.arguments}
    outputs = [_output(arguments, name, array, followed.dims) for name, array in followed.outputs]
    written = frozenset(argument.name for argument in task.arguments if argument.is_output)
    found = sorted(stage.name for stage in outputs)
    if found != sorted(written):
        raise NotExpressed(f"the reference returns {found}, the task has {sorted(written)}")
    unnamed = ordered([*followed.stages, *outputs], NestProgram(task, (), {}, written))
    stages = ringed(_alive(_renamed(unnamed, len(outputs)), written), written)
    program = NestProgram(task, (), _shapes(followed, task, stages), written)
    sums, stages = collected(stages, program)
    together = () if sums is None else (sums,)
    cutter, stages = Cutter(program), folded_in(stages, written, program)
    stages = inlined([piece for stage in stages for piece in cutter.cut(stage)], written)
    stages = tabulated(parted(stages, written), program)
    shapes = _shapes(followed, task, [*stages, *(stage for nest in together for stage in nest.stages)])
    nests = (*together, *grouped(stages, program))
    for name in [argument.name for argument in task.arguments if argument.role == "inout"]:
        nests = swapped(nests, name) or copied(nests, name, shapes)
    return merged(replace(program, nests=nests, shapes=shapes))


def _output(
    arguments: Mapping[str, TaskArgument], name: str, array: Array, dims: Mapping[str, Size]
) -> FilledBuffer:
    if name not in arguments:
        raise NotExpressed(f"the reference returns {name}, which is no argument")
    shape = tuple(size_of(text, dims) for text in arguments[name].shape)
    given = [size for size in array.shape if size != ONE]
    if given != [size for size in shape if size != ONE]:
        shown = ", ".join(size.expression() for size in array.shape)
        raise NotExpressed(f"{name} has shape ({', '.join(arguments[name].shape)}), computed is ({shown})")
    kept = tuple(axis for axis in array.axes if axis.extent != ONE)
    value = placed(array.body, {axis: Size() for axis in array.axes if axis.extent == ONE})
    return FilledBuffer(name, kept, value, array.kind)


def _shapes(followed: Computation, task: Task, stages: Iterable[FilledBuffer]) -> dict[str, tuple[Size, ...]]:
    found = {one.name: tuple(size_of(text, followed.dims) for text in one.shape) for one in task.arguments}
    outputs = {one.name for one in task.arguments if one.is_output}
    return found | {stage.name: stage.shape for stage in stages if stage.name not in outputs}


def _renamed(stages: list[FilledBuffer], outputs: int) -> list[FilledBuffer]:
    """A buffer that only becomes an output is that output."""
    made, last = stages[:-outputs], stages[-outputs:]
    for position, stage in enumerate(last):
        match stage.value:
            case At(buffer=name, indices=indices, guards=()) if indices == tuple(map(Size.of, stage.axes)):
                source = next((one for one in made if one.name == name), None)
                if source is not None and _readers(name, [*made, *last]) == 1:
                    last[position] = replace(source, name=stage.name)
                    made.remove(source)
            case _:
                continue
    return [*made, *last]


def _readers(name: str, stages: Iterable[FilledBuffer]) -> int:
    return sum(bool(stage.reads_of(name)) for stage in stages)


def _alive(stages: Sequence[FilledBuffer], outputs: Iterable[str]) -> list[FilledBuffer]:
    needed = set(outputs)
    for stage in reversed(stages):
        if stage.name in needed:
            needed |= {at.buffer for at in stage.reads()}
    return [stage for stage in stages if stage.name in needed]
