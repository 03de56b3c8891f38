"""Captured tensors as test data of a task: all of them where they are few, else as many as every test may run on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agent.importing.graphs import costs
from agent.importing.graphs.drafts import GraphDraft, data_of
from agent.importing.graphs.holding import Holding, NotImported
from agent.importing.graphs.sizes import halved
from agent.importing.modules.captured_inputs import CapturedInputs
from sandbox.device import Array
from sandbox.dtypes import DTYPE_BYTES, numpy_dtype
from sandbox.errors import UsageError
from sandbox.torch_graphs.graph import (
    EvaluateCall,
    ExportCall,
    ExportFault,
    InputOrigin,
    SizesCall,
    TorchGraph,
)
from sandbox.torch_graphs.service import TorchGraphs
from tools.expressions import parse
from tools.reports import sizes_text
from tools.tasks.captured import MAX_BYTES, array_problem, captured_case
from tools.tasks.generators import generate
from tools.tasks.task import CapturedCase, WholeTask, argument_size

FILE = "captured.npz"
"""What the data are called in a task's folder."""
_WORK = 2_000_000
"""Floating point operations, or elements, of a case: a simulator runs it with every kernel."""
_TRIED = 16
_HEADERS = 64 << 10
"""Bytes of a .npz file beside the numbers, more than it takes."""


@dataclass(frozen=True)
class CapturedModule:
    """What a task was made of, and the tensors captured of it.

    Attributes:
        graph: All of the module.
        part: What the task is about; the same where that is all of it.
        drafted: The part, drafted.
    """

    call: ExportCall
    captured: CapturedInputs
    graph: TorchGraph
    part: TorchGraph
    drafted: GraphDraft

    def symbol_sizes(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """Return a size for each symbol of the whole graph."""
        example = {symbol: one.size for symbol, one in self.graph.symbols.items()}
        return {**example, **self.drafted.symbol_sizes(sizes)}


@dataclass(frozen=True)
class CapturedData:
    """A task with captured data, where there are any, and what to say of them."""

    task: WholeTask
    notes: tuple[str, ...]


class Capturing:
    """Adds captured tensors to tasks of modules."""

    def __init__(self, graphs: TorchGraphs, holding: Holding) -> None:
        """Use these workers; whoever made them ends them."""
        self._graphs = graphs
        self._holding = holding

    async def added(self, task: WholeTask, module: CapturedModule) -> CapturedData:
        """Add a case with the tensors, at the largest sizes that every test may have.

        Args:
            task: Of the module or of a part of it; what enters a part is computed from the tensors.
            module: What it was made of.

        Raises:
            UsageError: A tensor is NaN somewhere, or the task's reference is not right on the tensors.
            WorkerError: The environment failed.
        """
        sizes = await self._sizes(task, module)
        if sizes is None:
            return CapturedData(task, (_left_out(module, "they are too much for a test at every size"),))
        found = await self._arrays(module, sizes)
        if isinstance(found, ExportFault):
            if sizes == module.drafted.sizes:
                raise UsageError(f"{module.captured.file}: {found.message}")
            said = (
                f"they are too much for a test, and of their first elements the module says: {found.message}"
            )
            return CapturedData(task, (_left_out(module, said),))
        case, content = _case(task, found, sizes, module.captured.file)
        held = replace(task, captured=(case,), captured_files={FILE: content})
        outputs = () if module.part is module.graph else module.part.outputs
        tried = replace(held, tests=())
        wrong = await self._holding.both(
            module.call, module.drafted, tried, outputs, module.symbol_sizes(sizes)
        )
        if isinstance(wrong, NotImported):
            raise UsageError(f"{module.captured.file}: {wrong.reason}")
        return CapturedData(held, tuple(_said(module, case, sizes, sorted(found))))

    async def _sizes(self, task: WholeTask, module: CapturedModule) -> dict[str, int] | None:
        """The largest sizes, from the tensors' own down, that are cheap and that the module takes."""
        tried: list[dict[str, int]] = []
        sizes: dict[str, int] | None = module.drafted.sizes
        while sizes is not None and len(tried) < _TRIED:
            if _affordable(task, module.drafted, sizes):
                tried.append(sizes)
            sizes = halved(module.drafted.dims, sizes)
        if not tried:
            return None
        asked = SizesCall(module.call, tuple(map(module.symbol_sizes, tried)))
        fitting = await self._graphs.fitting(asked)
        if isinstance(fitting, ExportFault):
            raise UsageError(f"{module.call.file}: {fitting.message}")
        return next((one for one, fits in zip(tried, fitting.fits, strict=True) if fits), None)

    async def _arrays(
        self, module: CapturedModule, sizes: Mapping[str, int]
    ) -> dict[str, Array] | ExportFault:
        """What the task is given, by argument: captured tensors, and what the module computes from them."""
        symbols = module.symbol_sizes(sizes)
        whole = _cropped(module, symbols)
        inside = {one.name for one in module.graph.inputs}
        computed = tuple(one.name for one in module.part.inputs if one.name not in inside)
        given = {**_drawn(module, symbols, whole), **whole}
        # Of all the module nothing is needed, but whether it takes these values.
        call = EvaluateCall(module.call, symbols, given, computed)
        answer = await self._graphs.evaluate(call)
        if isinstance(answer, ExportFault):
            return answer
        dtypes = {one.name: numpy_dtype(one.tensor.dtype) for one in module.part.inputs}
        if computed:
            with np.errstate(over="ignore"):
                whole |= {
                    name: values.astype(dtypes[name])
                    for name, values in zip(computed, answer.outputs, strict=True)
                }
        return {name: whole[node] for name, node in module.drafted.inputs.items() if node in whole}


def _affordable(task: WholeTask, drafted: GraphDraft, sizes: Mapping[str, int]) -> bool:
    shapes = [(one, math.prod(argument_size(one, sizes))) for one in task.arguments]
    stored = sum(DTYPE_BYTES[one.dtype] * size for one, size in shapes if one.data is not None)
    work = max(costs.value(drafted.flops, sizes), sum(size for _, size in shapes))
    return work <= _WORK and stored + _HEADERS <= MAX_BYTES


def _cropped(module: CapturedModule, symbols: Mapping[str, int]) -> dict[str, Array]:
    """The first elements of the tensors along every axis, by the graph's names of its inputs."""
    tensors = module.captured.by_path(module.graph)
    found: dict[str, Array] = {}
    for one in module.graph.inputs:
        if one.path in tensors and one.origin is not InputOrigin.CONSTANT:
            values, shape = (
                tensors[one.path].values,
                [parse(side).evaluate(symbols) for side in one.tensor.shape],
            )
            window = values[tuple(slice(side) for side in shape)]
            found[one.name] = np.ascontiguousarray(window.astype(numpy_dtype(one.tensor.dtype)))
            if not shape:
                found[one.name] = found[one.name].reshape(())
    return found


def _drawn(
    module: CapturedModule, symbols: Mapping[str, int], captured: Mapping[str, Array]
) -> dict[str, Array]:
    """Values for the module's other inputs, parameters as layers begin."""
    rng = np.random.default_rng(0)
    found: dict[str, Array] = {}
    for one in module.graph.inputs:
        if one.name not in captured and one.origin is not InputOrigin.CONSTANT:
            shape = tuple(parse(side).evaluate(symbols) for side in one.tensor.shape)
            found[one.name] = generate(data_of(one), shape, one.tensor.dtype, rng)
    return found


def _case(
    task: WholeTask, arrays: Mapping[str, Array], sizes: Mapping[str, int], file: str
) -> tuple[CapturedCase, str]:
    arguments = {one.name: one for one in task.arguments}
    for name, array in arrays.items():
        if problem := array_problem(arguments[name], array, sizes):
            raise UsageError(f"{file}: {problem}")
    drawn = {one.name: one.data for one in task.arguments if one.data is not None and one.name not in arrays}
    return captured_case(FILE, sizes, arrays, drawn)


def _said(
    module: CapturedModule, case: CapturedCase, sizes: Mapping[str, int], names: Sequence[str]
) -> list[str]:
    at, file = sizes_text(sizes), module.captured.file
    whole = module.part is module.graph
    origin = f"as captured in {file}" if whole else f"computed from what was captured in {file}"
    what = f"every kernel is judged on {', '.join(names)} {origin}"
    own = module.drafted.sizes
    if sizes == own:
        what += f", all of it ({at})"
    else:
        full = sizes_text(own)
        what += (
            f": the first elements along every axis ({at}), for a test on all of it ({full}) takes too long"
        )
    notes = [f"{what}; it lies in the task as {FILE}"]
    if case.data:
        notes.append(f"not captured, and drawn: {', '.join(case.data)}")
    return notes


def _left_out(module: CapturedModule, why: str) -> str:
    return f"no captured tensors of {module.captured.file} are test data: {why}; inputs are drawn like them"
