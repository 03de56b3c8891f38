"""Parts of a graph that one kernel may replace: a product with what follows it, or what stands between products."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.importing.node_times import is_heavy, values_in
from sandbox.torch_graphs.graph import GraphInput, GraphNode, GraphTensor, InputOrigin, TorchGraph


@dataclass(frozen=True)
class GraphPart:
    """A part of a graph as a graph of its own.

    Attributes:
        graph: Its inputs are the whole's, and values that come from outside it.
        nodes: Names of the whole's nodes that it replaces.
        time_us: Their estimated time, each a kernel of its own.
    """

    graph: TorchGraph
    nodes: frozenset[str]
    time_us: float


def whole(graph: TorchGraph, times: Mapping[str, float]) -> GraphPart:
    """Return all of a graph as a part."""
    return GraphPart(graph, frozenset(node.name for node in graph.nodes), sum(times.values()))


def parts(graph: TorchGraph, times: Mapping[str, float]) -> list[GraphPart]:
    """Return the parts that a graph falls into, the one that takes longest first.

    A node's level is the number of products on the longest way to it; nodes of one level that hang together are a
    part: nothing that leaves it comes back to it, so that one call can stand in its place.
    """
    levels = _levels(graph)
    groups = _connected(graph, levels)
    made = [
        GraphPart(_graph_of(graph, names), names, sum(times[name] for name in names))
        for names in groups
        if any(times[name] for name in names)
    ]
    return sorted(made, key=lambda part: -part.time_us)


def _levels(graph: TorchGraph) -> dict[str, int]:
    levels = dict.fromkeys((one.name for one in graph.inputs), 0)
    for node in graph.nodes:
        before = max((levels[name] for name in values_in(node)), default=0)
        levels[node.name] = before + is_heavy(node)
    return levels


def _connected(graph: TorchGraph, levels: Mapping[str, int]) -> list[frozenset[str]]:
    nodes = {node.name for node in graph.nodes}
    root = {name: name for name in nodes}

    def find(name: str) -> str:
        while root[name] != name:
            name = root[name]
        return name

    for node in graph.nodes:
        for name in values_in(node):
            if name in nodes and levels[name] == levels[node.name]:
                root[find(name)] = find(node.name)
    groups: dict[str, set[str]] = {}
    for name in nodes:
        groups.setdefault(find(name), set()).add(name)
    return [frozenset(group) for group in groups.values()]


def _graph_of(graph: TorchGraph, names: frozenset[str]) -> TorchGraph:
    inside = [node for node in graph.nodes if node.name in names]
    known = {one.name: one for one in graph.inputs}
    results = {node.name: node.results for node in graph.nodes}
    needed = dict.fromkeys(name for node in inside for name in values_in(node) if name not in names)
    inputs = [known.get(name) or _boundary(name, results[name][0]) for name in needed]
    return TorchGraph(
        tuple(inputs),
        tuple(inside),
        tuple(_leaving(graph, inside)),
        graph.symbols,
        graph.integers,
        graph.notes,
    )


def _boundary(name: str, tensor: GraphTensor) -> GraphInput:
    """A value that another part computes, as an input."""
    data = "normal(0, 1)" if "float" in tensor.dtype else "integers(0, 1)"
    return GraphInput(name, name, InputOrigin.GIVEN, tensor, data)


def _leaving(graph: TorchGraph, inside: Iterable[GraphNode]) -> list[str]:
    names = {node.name for node in inside}
    outside = {name for node in graph.nodes if node.name not in names for name in values_in(node)}
    return [node.name for node in inside if node.name in outside or node.name in graph.outputs]


def amdahl(share: float, speedup: float) -> float:
    """Return how much faster the whole becomes where this share of its time becomes so much faster.

    Amdahl, "Validity of the single processor approach to achieving large scale computing capabilities" (1967); an
    infinite speedup gives the limit.
    """
    return 1.0 / ((1.0 - share) + (share / speedup))
