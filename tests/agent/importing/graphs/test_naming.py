"""Names for sizes: the file's, else an axis's; a name that is given away is no other input's axis."""

from __future__ import annotations

from agent.importing.graphs.naming import dim_names
from sandbox.torch_graphs.graph import GraphInput, GraphTensor, InputOrigin, SizeSymbol, TorchGraph


def test_an_axis_of_a_second_image_is_called_after_that_input() -> None:
    sides = {"s0": 2, "s1": 3, "s2": 32, "s3": 48, "s4": 33, "s5": 49}
    inputs = (
        GraphInput("x", "x", InputOrigin.GIVEN, GraphTensor("float32", ("s0", "s1", "s2", "s3"))),
        GraphInput("grid", "grid", InputOrigin.GIVEN, GraphTensor("float32", ("s0", "s4", "s5", "2"))),
    )
    symbols = {name: SizeSymbol(size) for name, size in sides.items()}
    graph = TorchGraph(inputs, (), (), symbols, {"batch_size": 2})
    assert list(dim_names(graph).values()) == [
        "batch_size",
        "channels",
        "height",
        "width",
        "grid_1",
        "grid_2",
    ]
