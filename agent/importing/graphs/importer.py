"""A PyTorch function or module becomes a task: exported, translated, held against the module, given a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from agent.composer import Composer
from agent.importing.graphs import costs, operators
from agent.importing.graphs.comparing import all_finite, trivial
from agent.importing.graphs.drafts import GraphDraft, draft
from agent.importing.graphs.holding import Holding, NotImported, somewhere
from agent.importing.graphs.kept import KeptOperator, baseline_hint, baseline_wanted
from agent.importing.graphs.sizes import MOST_WORK, candidates
from agent.importing.graphs.translation import NotTranslated
from sandbox.errors import UsageError
from sandbox.reference.service import References
from sandbox.torch_graphs.graph import (
    ExportCall,
    ExportFault,
    InputOrigin,
    SizesCall,
    TorchGraph,
)
from sandbox.torch_graphs.service import TorchGraphs
from tools.tasks.task import Case, DimLimits, WholeTask

__all__ = ["Imported", "Importer", "NotImported"]

assert operators, "the table of operators is filled by importing them"

_SEEDS = (11, 12)
_WEAK = (
    "with values like the example's an output is one constant, which a kernel could write without computing: inputs "
    "are wider here"
)


@dataclass(frozen=True)
class Imported:
    """A task that was made.

    Attributes:
        baseline: Who wrote its baseline: `composer`, or `user`.
        notes: What the reader should know: what was left out, what is trivial.
        compared: At how many inputs the reference was held against the module.
    """

    task: WholeTask
    baseline: str
    operators: tuple[str, ...]
    notes: tuple[str, ...]
    compared: int
    kept: tuple[KeptOperator, ...] = ()


@dataclass(frozen=True)
class UserBaseline:
    """Says that a user may bring the baseline, so that operators without a meaning in NumPy may stay PyTorch's own.

    Attributes:
        text: The kernel file; empty where none was brought.
    """

    text: str = ""


class Importer:
    """Makes tasks of PyTorch functions and modules, in workers of its own."""

    def __init__(self, graphs: TorchGraphs, references: References) -> None:
        """Use these workers; whoever made them ends them."""
        self._graphs = graphs
        self.holding = Holding(graphs, references)

    async def make(
        self, call: ExportCall, name: str, summary: str = "", own: UserBaseline | None = None
    ) -> Imported | NotImported:
        """Make a task.

        Args:
            call: What to export.
            name: Of the task.
            summary: One sentence; by default the operators, in order.
            own: Allows a baseline of the user's; by default the composer writes it.

        Raises:
            WorkerError: The environment failed.
        """
        call, graph = await self._exported(call)
        if isinstance(graph, ExportFault):
            return NotImported(graph.message, graph.line)
        said = summary or _summary(graph)
        try:
            made = draft(graph, said, keeps=own is not None)
        except NotTranslated as error:
            return NotImported(str(error), error.line or None)
        given = "" if own is None else own.text
        if made.kept and not given:
            wanted = baseline_wanted(made.kept, made.arguments, list(made.sizes))
            return NotImported(wanted, made.kept[0].line or None)
        sizes = await self._sizes(call, made)
        if isinstance(sizes, NotImported):
            return sizes
        task = _task(made, name, said, sizes)
        try:
            task = replace(task, baseline=given) if given else _with_baseline(task)
        except UsageError as error:
            hint = f"; or give {baseline_hint(task.arguments, task.dims)}" if own is not None else ""
            return NotImported(f"{error}{hint}")
        found = await self._compared(call, graph, made, task)
        return replace(found, baseline="user") if given and isinstance(found, Imported) else found

    async def _exported(self, call: ExportCall) -> tuple[ExportCall, TorchGraph | ExportFault]:
        """Export with sizes free; with those of the example where that takes too long."""
        graph = await self._graphs.export(call)
        if isinstance(graph, ExportFault) and not call.fixed and "did not finish" in graph.message:
            call = replace(call, fixed=True)
            graph = await self._graphs.export(call)
        return call, graph

    async def make_part(
        self, call: ExportCall, graph: TorchGraph, part: TorchGraph, name: str
    ) -> Imported | NotImported:
        """Make a task of a part of a graph, and hold it against that part of the module.

        Args:
            call: What was exported.
            graph: All of it.
            part: Some of its nodes, with the values from outside as inputs.
            name: Of the task.

        Raises:
            WorkerError: The environment failed.
        """
        try:
            made = draft(part, _summary(part))
        except NotTranslated as error:
            return NotImported(str(error), error.line or None)
        sizes = await self._fitting(call, made, graph)
        if isinstance(sizes, NotImported):
            return sizes
        try:
            task = _with_baseline(_task(made, name, _summary(part), sizes))
        except UsageError as error:
            return NotImported(str(error))
        example = {symbol: one.size for symbol, one in graph.symbols.items()}
        found = await self.holding.both(call, made, task, part.outputs, example)
        if isinstance(found, NotImported):
            return found
        return Imported(task, "composer", made.operators, made.notes, len(found))

    async def _fitting(
        self, call: ExportCall, made: GraphDraft, graph: TorchGraph
    ) -> list[dict[str, int]] | NotImported:
        """Sizes of a draft to test at, which the whole graph takes too."""
        wanted = candidates(made.dims, lambda sizes: costs.value(made.flops, sizes))
        example = {symbol: one.size for symbol, one in graph.symbols.items()}
        asked = tuple({**example, **made.symbol_sizes(one)} for one in wanted)
        fitting = await self._graphs.fitting(SizesCall(call, asked))
        if isinstance(fitting, ExportFault):
            return NotImported(fitting.message, fitting.line)
        return [one for one, fits in zip(wanted, fitting.fits, strict=True) if fits] or [made.sizes]

    async def _sizes(self, call: ExportCall, made: GraphDraft) -> list[dict[str, int]] | NotImported:
        """Sizes to test at, which the graph takes."""

        def work(sizes: Mapping[str, int]) -> int:
            return costs.value(made.flops, sizes)

        wanted = candidates(made.dims, work)
        least = min(map(work, wanted))
        if least > MOST_WORK:
            return NotImported(
                f"its smallest sizes take {least:.1e} floating point operations, and the simulator judges up to "
                f"{MOST_WORK:.0e}"
            )
        fitting = await self._graphs.fitting(SizesCall(call, tuple(map(made.symbol_sizes, wanted))))
        if isinstance(fitting, ExportFault):
            return NotImported(fitting.message, fitting.line)
        return [one for one, fits in zip(wanted, fitting.fits, strict=True) if fits] or [made.sizes]

    async def _compared(
        self, call: ExportCall, graph: TorchGraph, made: GraphDraft, task: WholeTask
    ) -> Imported | NotImported:
        """Hold the reference against the module, and look at what the outputs are."""
        stronger = _stronger(task, graph, made)
        found = await self.holding.both(call, made, stronger)
        if stronger is not task and (isinstance(found, NotImported) or not all_finite(found)):
            stronger = task
            found = await self.holding.both(call, made, task)
        if isinstance(found, NotImported):
            return found
        whole, notes = trivial(stronger, found)
        if notes and any(one.trivial for one in whole.arguments):
            wider = _wider(stronger)
            again = await self.holding.both(call, made, wider)
            if not isinstance(again, NotImported) and all_finite(again):
                other, said = trivial(wider, again)
                if not any(one.trivial for one in other.arguments):
                    found, whole, notes = again, other, [_WEAK, *said]
        said = (*made.notes, *notes)
        return Imported(whole, "composer", made.operators, said, len(found), made.kept)


def _summary(graph: TorchGraph) -> str:
    names = [node.plain_operator for node in graph.nodes]
    said = [
        name
        for name in dict.fromkeys(names)
        if name not in ("getitem", "view", "reshape", "contiguous", "size")
    ]
    shown = ", ".join(said[:8]) + (" and more" if len(said) > 8 else "")
    shown = shown or "a copy"
    return f"{shown[0].upper()}{shown[1:]}, as PyTorch computes it."


def _task(made: GraphDraft, name: str, summary: str, sizes: Sequence[dict[str, int]]) -> WholeTask:
    if made.dims[0].name == "one" and not made.symbols:
        sizes = [{"one": 1}]
    limits = {
        one.name: DimLimits(
            min=one.least if one.least > 1 else None,
            max=one.size if one.largest else None,
            multiple_of=one.step if one.step > 1 else None,
        )
        for one in made.dims
    }
    return WholeTask(
        name=name,
        summary=summary,
        dims=tuple(one.name for one in made.dims),
        arguments=made.arguments,
        tests=tuple(Case(dict(one)) for one in sizes),
        benches=(Case(made.sizes),),
        flops=made.flops,
        bytes=made.bytes,
        deterministic=True,
        limits={name: one for name, one in limits.items() if one != DimLimits()},
        reference=made.reference,
        baseline="",
    )


def _with_baseline(task: WholeTask) -> WholeTask:
    """Add the composer's kernel without any feature.

    Raises:
        UsageError: The composer does not express the reference.
    """
    return replace(task, baseline=Composer().space(somewhere(task)).text(()))


def _stronger(task: WholeTask, graph: TorchGraph, made: GraphDraft) -> WholeTask:
    """The task with inputs of either sign where the example has positive ones only; the benchmark keeps those."""
    by_name = {one.name: one for one in graph.inputs}
    weak = {
        one.name: one.data
        for one in task.arguments
        if one.data
        and one.data.startswith("uniform(0,")
        and by_name[made.inputs[one.name]].origin is InputOrigin.GIVEN
    }
    if not weak:
        return task
    arguments = tuple(
        replace(one, data="normal(0, 1)") if one.name in weak else one for one in task.arguments
    )
    benches = tuple(replace(one, data=dict(weak)) for one in task.benches)
    tests = tuple(
        replace(one, data=dict(weak)) if place == 1 else one for place, one in enumerate(task.tests)
    )
    return replace(task, arguments=arguments, benches=benches, tests=tests)


def _wider(task: WholeTask) -> WholeTask:
    """The task with floating point inputs so wide that activations are reached on both sides."""
    arguments = tuple(
        replace(one, data="normal(0, 8)") if one.data and one.data.startswith("normal(") else one
        for one in task.arguments
    )
    return replace(task, arguments=arguments)
