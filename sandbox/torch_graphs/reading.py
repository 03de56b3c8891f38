"""An exported program as data; in the worker."""

from __future__ import annotations

import importlib
import re
from typing import Any, cast

from sandbox.reference.torch_operators import overload_of, why_not
from sandbox.torch_graphs.exporting import ExportedProgram, base_name, is_in_place, operator_name
from sandbox.torch_graphs.expressions import NoExpressionError, text_of
from sandbox.torch_graphs.graph import (
    ArgumentKind,
    GraphArgument,
    GraphInput,
    GraphNode,
    GraphTensor,
    InputOrigin,
    TorchGraph,
)
from sandbox.torch_graphs.loading import FileFault, Given, Held, constant
from sandbox.torch_graphs.sizing import Sizing

torch: Any = importlib.import_module("torch")
symbolic_shapes: Any = importlib.import_module("torch.fx.experimental.symbolic_shapes")

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_FRAME = re.compile(r'File "([^"]*)", line (\d+)')


def read(exported: ExportedProgram, sizing: Sizing, file: str, *, whole: bool = False) -> TorchGraph:
    """Return the graph of a program.

    Args:
        exported: The program.
        sizing: Its sizes.
        file: The name by which lines are looked for.
        whole: Inputs that nothing reads are among the inputs.

    Raises:
        FileFault: It has a size that the language of tasks cannot say, or an output that is no tensor.
    """
    return _GraphReader(exported, sizing, file).graph(whole)


class _GraphReader:
    def __init__(self, exported: ExportedProgram, sizing: Sizing, file: str) -> None:
        self._program = exported.program
        self._loaded = exported.loaded
        self._sizing = sizing
        self._file = file

    def graph(self, whole: bool) -> TorchGraph:
        nodes = list(self._program.graph.nodes)
        outputs = self._outputs(nodes[-1])
        needed = _needed(nodes, outputs)
        inputs = [one for one in self._inputs(nodes) if whole or one.name in needed]
        called = [node for node in nodes if node.op == "call_function" and node.name in needed]
        notes = [*self._loaded.notes, *self._changes(nodes)]
        return TorchGraph(
            tuple(inputs),
            tuple(self._node(node) for node in called if not self._is_size(node)),
            tuple(node.name for node in outputs),
            self._sizing.symbols,
            self._loaded.integers,
            tuple(notes),
            tuple(one.name for one in self._loaded.given),
        )

    def _changes(self, nodes: list[Any]) -> list[str]:
        """Say which tensors it changes that it is given, or holds: a task's reference leaves that out."""
        specs = self._program.graph_signature.output_specs
        changed = {spec.target for spec in specs if spec.kind.name.endswith("MUTATION")}
        changed |= {
            node.args[0].name
            for node in nodes
            if node.op == "call_function" and is_in_place(node) and node.args[0].op == "placeholder"
        }
        paths = [one.path for one in self._inputs(nodes) if one.name in changed]
        statistics = [path for path in paths if path.rpartition(".")[2] in _STATISTICS]
        others = [path for path in paths if path not in statistics]
        notes = ["it updates running statistics of batches: that is left out"] if statistics else []
        return [*notes, *(f"it changes {path}, which the task leaves as it is" for path in others)]

    def _outputs(self, last: Any) -> list[Any]:
        specs = self._program.graph_signature.output_specs
        found = [
            node for node, spec in zip(last.args[0], specs, strict=True) if spec.kind.name == "USER_OUTPUT"
        ]
        if not found or not all(
            isinstance(getattr(one, "meta", {}).get("val"), torch.Tensor) for one in found
        ):
            raise FileFault("expected tensors as its outputs")
        return found

    def _inputs(self, nodes: list[Any]) -> list[GraphInput]:
        """The placeholders: constants that the code holds, then what it holds, then what it is given."""
        tensors = [one for one in self._loaded.given if isinstance(one.value, torch.Tensor)]
        named: list[Held | Given] = [*self._loaded.held, *tensors]
        places = [node for node in nodes if node.op == "placeholder"]
        signature = self._program.graph_signature.input_specs
        found: list[GraphInput] = []
        rest = iter(named)
        for node, spec in zip(places, signature, strict=True):
            tensor = self._tensor(node.meta["val"])
            if spec.kind.name != "USER_INPUT":
                values = constant(self._program.constants[spec.target], spec.target)
                found.append(GraphInput(node.name, spec.target, InputOrigin.CONSTANT, tensor, values=values))
                continue
            one = next(rest)
            if isinstance(one, Held):
                found.append(GraphInput(node.name, one.path, one.origin, tensor, "", one.owner, one.values))
            else:
                found.append(GraphInput(node.name, one.name, InputOrigin.GIVEN, tensor, one.data))
        return found

    def _node(self, node: Any) -> GraphNode:
        value: Any = node.meta.get("val")
        results = cast("list[Any]", value if isinstance(value, tuple | list) else [value])
        name = operator_name(node)
        if is_in_place(node):
            name = name.replace(f"aten.{base_name(node)}.", f"aten.{base_name(node)[:-1]}.")
        return GraphNode(
            node.name,
            name,
            tuple(self._argument(one) for one in node.args),
            {word: self._argument(one) for word, one in node.kwargs.items()},
            tuple(self._tensor(one) for one in results if isinstance(one, torch.Tensor)),
            self._line(node),
            self._is_repeatable(name, results),
            isinstance(value, tuple | list),
        )

    def _is_repeatable(self, name: str, results: list[Any]) -> bool:
        """Whether an operator is ATen's, a function of its arguments alone, and the shapes follow from sizes."""
        if not name.startswith("aten.") or why_not(overload_of(name)):
            return False
        return not any(symbolic_shapes.free_unbacked_symbols(one) for one in results)

    def _is_size(self, node: Any) -> bool:
        value = node.meta.get("val")
        return value is None or isinstance(
            value, int | float | bool | torch.SymInt | torch.SymFloat | torch.SymBool
        )

    def _tensor(self, value: Any) -> GraphTensor:
        return GraphTensor(_dtype(value.dtype), tuple(self._size(side) for side in value.shape))

    def _size(self, value: Any) -> str:
        try:
            return text_of(self._sizing.settled(value))
        except NoExpressionError as error:
            raise FileFault(f"{error}, which tasks have no expression for") from None

    def _argument(self, value: Any) -> GraphArgument:
        if isinstance(value, torch.fx.Node):
            found = value.meta.get("val")
            if isinstance(found, int | torch.SymInt):
                return GraphArgument(ArgumentKind.SIZE, self._size(found))
            return GraphArgument(ArgumentKind.VALUE, value.name)
        match value:
            case None:
                return GraphArgument(ArgumentKind.NOTHING)
            case bool():
                return GraphArgument(ArgumentKind.TRUTH, str(value))
            case int():
                return GraphArgument(ArgumentKind.SIZE, str(value))
            case float():
                return GraphArgument(ArgumentKind.REAL, repr(value))
            case tuple() | list():
                items = tuple(map(self._argument, cast("list[Any]", value)))
                return GraphArgument(ArgumentKind.LIST, items=items)
            case torch.dtype():
                return GraphArgument(ArgumentKind.TEXT, _dtype(value))
            case _:
                return GraphArgument(ArgumentKind.TEXT, str(value))

    def _line(self, node: Any) -> int:
        frames = _FRAME.findall(node.meta.get("stack_trace") or "")
        return next((int(line) for file, line in reversed(frames) if file == self._file), 0)


def _dtype(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def _needed(nodes: list[Any], outputs: list[Any]) -> set[str]:
    """Names of what the outputs are computed from."""
    needed = {node.name for node in outputs}
    for node in reversed(nodes):
        if node.name in needed:
            needed |= {one.name for one in node.all_input_nodes}
    return needed
