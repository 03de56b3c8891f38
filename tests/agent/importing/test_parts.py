"""Parts of a model's graph: what one kernel may replace, and how much of the model's time that is."""

from __future__ import annotations

import math

import pytest

from agent.importing.node_times import MachineRates, node_times
from agent.importing.parts import amdahl, parts, whole
from sandbox.timing.plausibility import Ceilings
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

RATES = MachineRates(Ceilings(1e12, 1e13, "assumed", 0), 2.0)
SIZES = {"n": 1000}


def value(name: str) -> GraphArgument:
    return GraphArgument(ArgumentKind.VALUE, name)


def node(name: str, operator: str, shape: tuple[str, ...], *given: str) -> GraphNode:
    result = GraphTensor("float32", shape)
    return GraphNode(name, f"aten.{operator}", tuple(map(value, given)), {}, (result,), 0)


def given(name: str, *shape: str) -> GraphInput:
    return GraphInput(name, name, InputOrigin.GIVEN, GraphTensor("float32", shape), "uniform(0, 1)")


@pytest.fixture
def graph() -> TorchGraph:
    """A residual block: x + w2(relu(w1(x * x))), then a softmax."""
    wide, narrow = ("n", "512"), ("n", "256")
    return TorchGraph(
        (given("x", *narrow), given("w1", "256", "512"), given("w2", "512", "256")),
        (
            node("square", "mul.Tensor", narrow, "x", "x"),
            node("first", "mm.default", wide, "square", "w1"),
            node("active", "relu.default", wide, "first"),
            node("turned", "t.default", ("512", "n"), "active"),
            node("back", "t.default", wide, "turned"),
            node("second", "mm.default", narrow, "back", "w2"),
            node("sum", "add.Tensor", narrow, "second", "x"),
            node("soft", "_softmax.default", narrow, "sum"),
        ),
        ("soft",),
        {"n": SizeSymbol(1000)},
        {},
    )


def test_a_product_and_what_follows_it_are_a_part_that_nothing_comes_back_to(graph: TorchGraph) -> None:
    found = {part.nodes: part for part in parts(graph, node_times(graph, SIZES, RATES))}
    assert set(found) == {
        frozenset({"square"}),
        frozenset({"first", "active", "turned", "back"}),
        frozenset({"second", "sum", "soft"}),
    }
    last = found[frozenset({"second", "sum", "soft"})].graph
    assert [one.name for one in last.inputs] == ["back", "w2", "x"]
    assert (last.inputs[0].tensor.shape, last.inputs[2].data) == (("n", "512"), "uniform(0, 1)")
    assert last.outputs == ("soft",)
    assert found[frozenset({"first", "active", "turned", "back"})].graph.outputs == ("back",)


def test_times_are_of_bytes_or_arithmetic_and_views_take_none(graph: TorchGraph) -> None:
    times = node_times(graph, SIZES, RATES)
    assert times["turned"] == 0
    assert times["square"] == pytest.approx(2 * 4 * 256_000 / 1e6 + 2)
    assert times["first"] == pytest.approx(max(2 * 1000 * 512 * 256 / 1e7, 0) + 2)
    everything = whole(graph, times)
    assert everything.time_us == pytest.approx(sum(part.time_us for part in parts(graph, times)))


def test_the_whole_gains_no_more_than_the_share_that_is_replaced() -> None:
    assert amdahl(0.5, math.inf) == 2
    assert amdahl(0.5, 2) == pytest.approx(4 / 3)
    assert amdahl(1.0, 3) == pytest.approx(3)
