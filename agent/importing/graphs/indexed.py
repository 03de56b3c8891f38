"""Sizes that drawn whole numbers point into: they stay what they are, or the numbers would point beyond them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sandbox.torch_graphs.graph import (
    ArgumentKind,
    GraphArgument,
    GraphNode,
    GraphTensor,
    InputOrigin,
    TorchGraph,
)

_SAME_VALUES = frozenset(
    {"_to_copy", "to", "view", "reshape", "unsqueeze", "squeeze", "expand", "permute", "transpose", "t", "alias",
     "clone", "contiguous", "slice", "select", "flatten"}
)  # fmt: skip
_AT_AN_AXIS = frozenset({"gather", "index_select", "take_along_dim"})


def indexed_sizes(graph: TorchGraph) -> dict[str, int]:
    """Return the size of each symbol that values of an input point into, as indices do."""
    drawn = {
        one.name
        for one in graph.inputs
        if one.origin is InputOrigin.GIVEN and one.data.startswith("integers(") and one.tensor.dtype != "bool"
    }
    tensors = {one.name: one.tensor for one in graph.inputs}
    pinned: dict[str, int] = {}
    for node in graph.nodes:
        name, first = node.plain_operator, node.arguments[0] if node.arguments else None
        if name in _SAME_VALUES and first is not None and first.text in drawn:
            drawn.add(node.name)
        sides = (side for indices, side in _indexed(node, tensors) if indices in drawn)
        pinned |= {side: graph.symbols[side].size for side in sides if side in graph.symbols}
        if node.results:
            tensors[node.name] = node.results[0]
    return pinned


def _indexed(node: GraphNode, tensors: Mapping[str, GraphTensor]) -> Iterator[tuple[str, str]]:
    """What a node takes for indices, and the side that they point into."""
    name, given = node.plain_operator, node.arguments
    if len(given) < 2 or given[0].text not in tensors:
        return
    shape = tensors[given[0].text].shape
    if name == "embedding":
        yield given[1].text, shape[0]
    elif name == "index":
        yield from ((one.text, side) for one, side in zip(given[1].items, shape, strict=False))
    elif name in _AT_AN_AXIS and len(given) > 2 and shape:
        axes = [one for one in given[1:3] if one.kind is ArgumentKind.SIZE]
        yield from ((one.text, _side(shape, axes[0])) for one in given[1:3] if axes and one is not axes[0])


def _side(shape: tuple[str, ...], axis: GraphArgument) -> str:
    return shape[int(axis.text)]
