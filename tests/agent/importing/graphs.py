"""Graphs as a worker sends them, put together by hand: no PyTorch is needed."""

from __future__ import annotations

from typing import Any

from sandbox.torch_graphs.graph import (
    ArgumentKind,
    GraphArgument,
    GraphInput,
    GraphNode,
    GraphTensor,
    InputOrigin,
    SizeSymbol,
    TorchGraph,
)


class Named(str):
    """The name of a value."""


def argument(value: Any) -> GraphArgument:
    match value:
        case None:
            return GraphArgument(ArgumentKind.NOTHING)
        case Named():
            return GraphArgument(ArgumentKind.VALUE, str(value))
        case bool():
            return GraphArgument(ArgumentKind.TRUTH, str(value))
        case int():
            return GraphArgument(ArgumentKind.SIZE, str(value))
        case float():
            return GraphArgument(ArgumentKind.REAL, repr(value))
        case list():
            return GraphArgument(ArgumentKind.LIST, items=tuple(map(argument, value)))
        case _:
            return GraphArgument(ArgumentKind.TEXT, str(value))


def node(
    name: str, operator: str, *arguments: Any, shape: str, dtype: str = "float32", line: int = 7
) -> GraphNode:
    sides = tuple(part.strip() for part in shape.split(",") if part.strip())
    given = tuple(map(argument, arguments))
    return GraphNode(name, f"aten.{operator}", given, {}, (GraphTensor(dtype, sides),), line)


def given(name: str, shape: str, dtype: str = "float32", data: str = "normal(0, 1)") -> GraphInput:
    sides = tuple(part.strip() for part in shape.split(",") if part.strip())
    return GraphInput(name, name, InputOrigin.GIVEN, GraphTensor(dtype, sides), data)


def graph(inputs: list[GraphInput], nodes: list[GraphNode], outputs: list[str], **symbols: int) -> TorchGraph:
    sizes = {name: SizeSymbol(size) for name, size in symbols.items()}
    return TorchGraph(tuple(inputs), tuple(nodes), tuple(outputs), sizes, {"rows": 64})
