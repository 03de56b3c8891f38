"""From a graph to all of a task but its baseline and its test cases."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.importing.graphs import costs
from agent.importing.graphs.constants import constant_text
from agent.importing.graphs.indexed import indexed_sizes
from agent.importing.graphs.kept import KeptOperator, kept_notes
from agent.importing.graphs.naming import argument_names, dim_names, output_names
from agent.importing.graphs.sizes import DimChoice
from agent.importing.graphs.translation import NotTranslated, Operand, Translator
from sandbox.dtypes import DTYPE_BYTES
from sandbox.torch_graphs.graph import GraphInput, InputOrigin, TorchGraph
from tools.tasks.task import TaskArgument

MOST_DIMS = 8
"""Of more sizes the smallest are taken for constants."""
_MOST_ARGUMENTS = 32
_UPPER = re.compile(r"integers\(0, (\d+)\)")


@dataclass(frozen=True)
class GraphDraft:
    """What follows from a graph.

    Attributes:
        symbols: The dim of each symbol that is free, by the graph's name.
        inputs: The graph's name of each argument that is no output.
        outputs: Names of the outputs, in the graph's order.
        notes: What the reader should know.
        kept: Operators that the reference asks PyTorch for.
    """

    dims: tuple[DimChoice, ...]
    symbols: Mapping[str, str]
    pinned: Mapping[str, int]
    arguments: tuple[TaskArgument, ...]
    inputs: Mapping[str, str]
    outputs: tuple[str, ...]
    reference: str
    flops: str
    bytes: str
    operators: tuple[str, ...]
    notes: tuple[str, ...]
    kept: tuple[KeptOperator, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """The example's size of each dim."""
        return {one.name: one.size for one in self.dims}

    def symbol_sizes(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """Return a size for each symbol of the graph."""
        return {**self.pinned, **{symbol: sizes[name] for symbol, name in self.symbols.items()}}


def draft(graph: TorchGraph, summary: str, *, keeps: bool = False) -> GraphDraft:
    """Translate a graph.

    Args:
        graph: The graph.
        summary: What the reference says of itself.
        keeps: Whether an operator without a meaning in NumPy stays PyTorch's own, where it is a function.

    Raises:
        NotTranslated: An operator has no meaning in NumPy here, or the graph is beyond what tasks hold.
    """
    names = dim_names(graph)
    pinned = _pinned(graph)
    free = {symbol: name for symbol, name in names.items() if symbol not in pinned}
    translator = Translator({**free, **{symbol: str(size) for symbol, size in pinned.items()}}, keeps=keeps)
    translator.taken |= set(free.values())
    arguments, given = _inputs(graph, translator, free)
    work: list[str] = []
    for node in graph.nodes:
        translator.translate(node)
        work.append(costs.work_of(translator, node))
    outputs = _outputs(graph, translator, arguments)
    if len(arguments) + len(outputs) > _MOST_ARGUMENTS:
        raise NotTranslated(
            f"it has {len(arguments) + len(outputs)} arguments, parameters among them: a task holds {_MOST_ARGUMENTS}"
        )
    dims, free = _dims(graph, free, [*arguments, *outputs])
    sizes = {one.name: one.size for one in dims}
    whole = (*arguments, *outputs)
    return GraphDraft(
        dims,
        free,
        pinned,
        whole,
        given,
        tuple(one.name for one in outputs),
        _reference(translator, summary, arguments, [one.name for one in dims], outputs, graph),
        costs.total(work, sizes),
        costs.bytes_of(whole, sizes),
        tuple(node.plain_operator for node in graph.nodes),
        (*graph.notes, *translator.notes, *kept_notes(translator.kept)),
        tuple(translator.kept),
    )


def _pinned(graph: TorchGraph) -> dict[str, int]:
    """Sizes that stay the example's: what labels count up to, what indices point into, the smallest of too many."""
    pinned = indexed_sizes(graph)
    for one in graph.inputs:
        bound = _UPPER.fullmatch(one.data)
        if one.origin is InputOrigin.GIVEN and bound and one.tensor.dtype != "bool":
            count = int(bound[1]) + 1
            own = set(one.tensor.shape)
            pinned |= {
                symbol: count
                for symbol, known in graph.symbols.items()
                if known.size == count and symbol not in own
            }
    free = sorted(
        (symbol for symbol in graph.symbols if symbol not in pinned), key=lambda one: graph.symbols[one].size
    )
    return pinned | {symbol: graph.symbols[symbol].size for symbol in free[: max(len(free) - MOST_DIMS, 0)]}


def _inputs(
    graph: TorchGraph, translator: Translator, free: Mapping[str, str]
) -> tuple[list[TaskArgument], dict[str, str]]:
    names = argument_names(
        [one for one in graph.inputs if one.origin is not InputOrigin.CONSTANT], free.values()
    )
    translator.taken |= set(names.values())
    arguments: list[TaskArgument] = []
    for one in sorted(graph.inputs, key=lambda one: one.origin is not InputOrigin.GIVEN):
        shape = translator.shape(one.tensor)
        if one.tensor.dtype not in DTYPE_BYTES:
            raise NotTranslated(f"{one.path} has dtype {one.tensor.dtype}, which tasks do not have")
        if one.origin is InputOrigin.CONSTANT:
            text = None if one.values is None else constant_text(one.values)
            if text is None:
                raise NotTranslated(f"{one.path} holds {'x'.join(shape)} values that have no simple form")
            name = translator.let(one.path.replace("lifted_tensor", "constant"), text)
            translator.values[one.name] = Operand(name, one.tensor.dtype, shape)
            continue
        name = names[one.name]
        role = "in" if shape else "scalar"
        arguments.append(TaskArgument(name, role, one.tensor.dtype, shape, data_of(one)))
        translator.values[one.name] = Operand(name, one.tensor.dtype, shape)
    return arguments, {
        names[one.name]: one.name for one in graph.inputs if one.origin is not InputOrigin.CONSTANT
    }


def data_of(one: GraphInput) -> str:
    """Return what fills an argument: what the example had, or values as learnt ones are."""
    if one.origin is InputOrigin.GIVEN:
        if one.data:
            return one.data
        return "normal(0, 1)" if "float" in one.tensor.dtype else "integers(0, 1)"
    if "float" not in one.tensor.dtype:
        return "integers(0, 1)" if one.tensor.dtype == "bool" else "integers(0, 100)"
    last = one.path.rpartition(".")[2]
    if last == "running_var" or ("Norm" in one.owner and last == "weight"):
        return "uniform(0.5, 1.5)"
    if last == "running_mean" or "Norm" in one.owner:
        return "uniform(-0.5, 0.5)"
    if not one.owner:
        return "normal(0, 1)"
    return "uniform(-0.5, 0.5)" if len(one.tensor.shape) < 2 else "normal(0, 0.25)"


def _outputs(
    graph: TorchGraph, translator: Translator, arguments: Sequence[TaskArgument]
) -> list[TaskArgument]:
    taken = {*translator.taken, *(one.name for one in arguments)}
    names = output_names(len(graph.outputs), taken)
    found: list[TaskArgument] = []
    for name, node in zip(names, graph.outputs, strict=True):
        value = translator.operand(node)
        if value.dtype not in DTYPE_BYTES:
            raise NotTranslated(f"an output has dtype {value.dtype}, which tasks do not have")
        found.append(TaskArgument(name, "out", value.dtype, value.shape or ("1",)))
    return found


def _dims(
    graph: TorchGraph, free: Mapping[str, str], arguments: Sequence[TaskArgument]
) -> tuple[tuple[DimChoice, ...], dict[str, str]]:
    """The dims that arguments use; a task has one at least."""
    used = {name for one in arguments for side in one.shape for name in re.findall(r"[A-Za-z_]\w*", side)}
    kept = {symbol: name for symbol, name in free.items() if name in used}
    known = {name: graph.symbols[symbol] for symbol, name in kept.items()}
    dims = [DimChoice(name, one.size, one.least, one.multiple_of, one.largest) for name, one in known.items()]
    return tuple(dims) or (DimChoice("one", 1, 1, 1),), kept


def _reference(
    t: Translator,
    summary: str,
    arguments: Sequence[TaskArgument],
    dims: Sequence[str],
    outputs: Sequence[TaskArgument],
    graph: TorchGraph,
) -> str:
    named = ", ".join([*(one.name for one in arguments), *dims])
    returned = [
        f'"{one.name}": {_output(t.operand(node))}' for one, node in zip(outputs, graph.outputs, strict=True)
    ]
    imports = [
        "import numpy as np",
        *(["from torch_operators import aten"] if t.kept else []),
        *([f"from special import {', '.join(sorted(t.special))}"] if t.special else []),
    ]
    body = [*t.lines, f"return {{{', '.join(returned)}}}"]
    return "\n".join([
        f'"""{summary}"""',
        "",
        *imports,
        "",
        "",
        f"def reference({named}):",
        '    """Compute it, operator by operator."""',
        *(f"    {line}" for line in body),
        "",
    ])  # fmt: skip


def _output(value: Operand) -> str:
    return str(value) if value.shape else f"np.reshape({value}, (1,))"
