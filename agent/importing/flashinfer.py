"""Problems of flashinfer-bench and SOL-ExecBench as tasks, timed at sizes of their workloads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.importing.definition_source import EXAMPLES, DefinitionSource, example_sizes, source_of
from agent.importing.definitions import DEFINITION, WORKLOADS, DefinedTensor, Definition, PublishedProblem
from agent.importing.importing import Importer, NotImported
from agent.importing.published import PublishedNames
from sandbox.errors import UsageError
from sandbox.torch_graphs.graph import ExportCall
from tools.tasks.drafting import name_like
from tools.tasks.task import Case, TaskArgument, WholeTask

TIMED = 4
"""Workloads that a task is timed at: the smallest, the largest, and some between."""


@dataclass(frozen=True)
class ProblemAsTask:
    """A task that was made of a problem.

    Attributes:
        notes: What stands in for something else, and what else the reader should know.
    """

    task: WholeTask
    names: PublishedNames
    notes: tuple[str, ...]


async def task_of_problem(problem: PublishedProblem, where: str, importer: Importer) -> ProblemAsTask:
    """Make a task.

    Args:
        problem: The definition and its workloads.
        where: What messages call its folder.
        importer: Exports and translates the reference.

    Raises:
        UsageError: It cannot be a task; the text names the file, and the key or the reference's line.
        WorkerError: The environment failed.
    """
    definition, source = problem.definition, source_of(problem, where)
    call = ExportCall(source.text, f"{where}/{DEFINITION}", "run", EXAMPLES, "")
    made = await importer.make(call, name_like(definition.name), _summary(definition))
    if isinstance(made, NotImported):
        line = "" if made.line is None else f" line {made.line}"
        raise UsageError(f"{where}/{DEFINITION}: reference{line}: {made.reason}")
    names = _names(definition, source, made.task, f"{where}/{DEFINITION}")
    sizes = _workload_sizes(problem, names, where)
    task = replace(made.task, benches=tuple(_bench(one, made.task) for one in _spread(sizes)))
    free = [name for name, axis in names.axes.items() if axis in definition.constant]
    notes = [*source.notes, *made.notes]
    notes += [f"timed at {len(task.benches)} of {len(problem.workloads)} workloads"]
    notes += [f"{name} is one size in all workloads, and may be another here" for name in free]
    notes += [
        f"{name} is {value} in all workloads, and part of the task" for name, value in names.fixed.items()
    ]
    return ProblemAsTask(task, names, tuple(notes))


def _summary(definition: Definition) -> str:
    return " ".join((definition.description or "").split())[:300]


def _names(definition: Definition, source: DefinitionSource, task: WholeTask, file: str) -> PublishedNames:
    given = [one for one in task.arguments if not one.is_output]
    written = [one for one in task.arguments if one.is_output]
    inputs = _matched(list(definition.inputs), given)
    if len(written) != len(definition.outputs):
        raise UsageError(
            f"{file}: outputs: expected as many as run returns ({len(written)}), found {len(definition.outputs)}"
        )
    outputs = {name: one.name for name, one in zip(definition.outputs, written, strict=True)}
    by_name = {one.name: one for one in task.arguments}
    axes: dict[str, str] = {}
    for name, own in (*inputs.items(), *outputs.items()):
        tensor = {**definition.inputs, **definition.outputs}[name]
        _check_output(name, tensor, by_name[own], file)
        for axis, side in zip(tensor.shape or (), by_name[own].shape, strict=False):
            if side in task.dims and axis in definition.axes:
                axes.setdefault(side, axis)
    if lost := [dim for dim in task.dims if dim not in axes and dim != "one"]:
        raise UsageError(f"{file}: axes: the size {lost[0]} of the reference is that of no axis")
    fixed: dict[str, int | float | bool] = {
        name: value
        for name, value in source.scalars.items()
        if name not in inputs and not isinstance(value, float)
    }
    return PublishedNames(inputs=inputs, outputs=outputs, axes=axes, fixed=fixed)


def _check_output(name: str, tensor: DefinedTensor, own: TaskArgument, file: str) -> None:
    """An output must be what the definition says of it."""
    if not own.is_output:
        return
    if own.dtype != tensor.dtype:
        raise UsageError(
            f"{file}: outputs.{name}.dtype: expected {own.dtype}, which run returns, found {tensor.dtype}"
        )
    if len(own.shape) != max(1, len(tensor.shape or ())):
        raise UsageError(f"{file}: outputs.{name}.shape: expected {len(own.shape)} axes, which run returns")


def _matched(published: Sequence[str], own: Sequence[TaskArgument]) -> dict[str, str]:
    """Find the task's argument of each input, in order; those that nothing reads have none."""
    found: dict[str, str] = {}
    rest = list(own)
    for name in published:
        plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        if rest and re.fullmatch(rf"(?:a_)?{re.escape(plain)}(?:_\d+)?", rest[0].name):
            found[name] = rest.pop(0).name
    return found


def _workload_sizes(problem: PublishedProblem, names: PublishedNames, where: str) -> list[dict[str, int]]:
    """The sizes of the task in each workload, each once, the smallest first."""
    found: dict[tuple[int, ...], dict[str, int]] = {}
    for workload in problem.workloads:
        axes = example_sizes(problem.definition, f"{where}/{DEFINITION}", workload.axes)
        for name, size in axes.items():
            if workload.axes.get(name, size) != size:
                raise UsageError(
                    f"{where}/{WORKLOADS}: workload {workload.uuid}: axes.{name}: expected {size}, which follows from"
                    f" the others, found {workload.axes[name]}"
                )
        dims = {dim: axes[axis] for dim, axis in names.axes.items()}
        found.setdefault(tuple(dims.values()), dims)
    return [found[sizes] for sizes in sorted(found, key=lambda one: (_product(one), one))]


def _product(sizes: Sequence[int]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total


def _spread(sizes: Sequence[dict[str, int]]) -> list[dict[str, int]]:
    most = min(TIMED, len(sizes))
    places = [round(place * (len(sizes) - 1) / max(1, most - 1)) for place in range(most)]
    return [sizes[place] for place in dict.fromkeys(places)]


def _bench(dims: dict[str, int], task: WholeTask) -> Case:
    """A workload's sizes, with the data of the task's own benchmark."""
    whole = dims or dict.fromkeys(task.dims, 1)
    return Case(dict(whole), dict(task.benches[0].data))
