"""How long each operator of a graph takes when it is a kernel of its own: estimated from what it moves and computes.

An operator reads its tensors, writes its results, and multiplies where it is a product; a perfect machine takes the
longer of both, and a launch. Views take nothing. It is a model's limit that is wanted, no latency of PyTorch's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sandbox.dtypes import DTYPE_BYTES
from sandbox.timing.plausibility import Ceilings
from sandbox.torch_graphs.graph import ArgumentKind, GraphArgument, GraphNode, GraphTensor, TorchGraph
from tools.expressions import parse

_VIEWS = frozenset(
    {
        *(
            "view",
            "_unsafe_view",
            "reshape",
            "permute",
            "transpose",
            "t",
            "expand",
            "unsqueeze",
            "squeeze",
            "alias",
        ),
        *(
            "slice",
            "select",
            "detach",
            "split",
            "split_with_sizes",
            "chunk",
            "unbind",
            "getitem",
            "lift_fresh_copy",
        ),
        *("sym_size", "scalar_tensor", "contiguous", "diagonal", "unfold", "flatten"),
    }
)
_PRODUCTS = frozenset({"mm", "bmm", "addmm", "baddbmm", "linear", "matmul", "mv", "dot", "addmv"})
_CONVOLUTIONS = frozenset({"convolution", "conv1d", "conv2d", "conv3d", "conv_transpose2d"})
_ATTENTIONS = frozenset(
    {
        *("scaled_dot_product_attention", "_scaled_dot_product_attention_math"),
        "_scaled_dot_product_flash_attention_for_cpu",
    }
)


@dataclass(frozen=True)
class MachineRates:
    """What a machine can do: its ceilings, and microseconds of a launch."""

    ceilings: Ceilings
    launch_us: float


def is_heavy(node: GraphNode) -> bool:
    """Whether it sums products, so that what comes after it is best written with it or apart from it."""
    return node.plain_operator in _PRODUCTS | _CONVOLUTIONS | _ATTENTIONS


def node_times(graph: TorchGraph, sizes: Mapping[str, int], rates: MachineRates) -> dict[str, float]:
    """Return estimated microseconds of every node, by its name.

    Args:
        graph: The graph.
        sizes: Of every symbol.
        rates: Of the machine.
    """
    known: dict[str, tuple[GraphTensor, ...]] = {one.name: (one.tensor,) for one in graph.inputs}
    known |= {node.name: node.results for node in graph.nodes}
    return {node.name: _time(node, known, sizes, rates) for node in graph.nodes}


def values_in(node: GraphNode) -> Iterator[str]:
    """Return the names of the values that a node takes, each time it does."""
    for argument in (*node.arguments, *node.keywords.values()):
        yield from _values(argument)


def _values(argument: GraphArgument) -> Iterator[str]:
    if argument.kind is ArgumentKind.VALUE:
        yield argument.text
    for item in argument.items:
        yield from _values(item)


def _time(
    node: GraphNode,
    known: Mapping[str, tuple[GraphTensor, ...]],
    sizes: Mapping[str, int],
    rates: MachineRates,
) -> float:
    if node.plain_operator in _VIEWS:
        return 0.0
    read = [tensor for name in dict.fromkeys(values_in(node)) for tensor in known[name][:1]]
    moved = sum(_elements(one, sizes) * DTYPE_BYTES.get(one.dtype, 4) for one in (*read, *node.results))
    flops = _flops(node, read, sizes)
    ceilings = rates.ceilings
    return 1e6 * max(moved / ceilings.bytes_per_s, flops / ceilings.flops_per_s) + rates.launch_us


def _flops(node: GraphNode, read: list[GraphTensor], sizes: Mapping[str, int]) -> float:
    written = sum(_elements(one, sizes) for one in node.results)
    name = node.plain_operator
    if name in _PRODUCTS and read:
        left = read[-2] if name in ("addmm", "baddbmm", "addmv") else read[0]
        return 2.0 * written * _side(left, -1, sizes)
    if name in _CONVOLUTIONS and len(read) > 1:
        return 2.0 * written * _elements(read[1], sizes) / max(1, _side(read[1], 0, sizes))
    if name in _ATTENTIONS and len(read) > 1:
        return 4.0 * _elements(read[0], sizes) * _side(read[1], -2, sizes)
    return float(written)


def _elements(tensor: GraphTensor, sizes: Mapping[str, int]) -> int:
    return math.prod(parse(side).evaluate(sizes) for side in tensor.shape)


def _side(tensor: GraphTensor, axis: int, sizes: Mapping[str, int]) -> int:
    return parse(tensor.shape[axis]).evaluate(sizes) if tensor.shape else 1
