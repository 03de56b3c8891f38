"""Files that define PyTorch modules run confined: what they do wrong comes back with its line, and harms nobody."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from sandbox.isolation.choose import choose_isolation
from sandbox.torch_graphs.graph import EvaluateCall, Evaluated, ExportCall, ExportFault, TorchGraph
from sandbox.torch_graphs.service import TorchGraphs

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")

MODULE = """\
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        {body}


def get_inputs():
    return [torch.randn(64, 32) * 2]
"""
GOOD = MODULE.format(body="return torch.relu(x) + 1")
SHRUNK = MODULE.format(
    body="return torch.nn.functional.conv_transpose1d(x[:, None], torch.ones(1, 1, 2), stride=2, padding=1)"
)
BRANCH = MODULE.format(body="return x * 2 if x.shape[0] > 40 else x")
CHANGE = MODULE.format(body="return x.add_(1) * 2")
FAULTS: tuple[tuple[str, str, int | None], ...] = (
    (MODULE.format(body="return x if x.sum() > 0 else -x"), "exporting Model: GuardOnDataDependent", 6),
    (
        MODULE.format(body="self.training = not self.training; return x * 2"),
        "its attribute training changes",
        None,
    ),
    (MODULE.format(body="return x, 3"), "expected tensors as its outputs", None),
    ("class Model(:", "running the file: SyntaxError", 1),
    ("import torch\nraise KeyError('x')", "running the file: KeyError", 2),
    ("import torch", "expected Model, found torch", None),
    ("import torch\nclass Model(torch.nn.Module): pass", "expected get_inputs", None),
    ("import socket\nsocket.create_connection(('127.0.0.1', 80))", "running the file: PermissionError", 2),
    ("open('/root/.netrc')", "running the file: ", 1),
    ("open('/tmp/x', 'w')", "running the file: PermissionError", 1),
    ("import subprocess\nsubprocess.run(['/bin/true'])", "running the file: ", 2),
    ("import os\nos._exit(3)", "its code ended the worker", None),
)


async def test_what_a_file_does_wrong_is_said_with_its_line_and_the_next_file_is_exported() -> None:
    async with TorchGraphs(choose_isolation()) as graphs:
        for text, said, line in FAULTS:
            fault = await graphs.export(ExportCall(text, "problem.py"))
            assert isinstance(fault, ExportFault), text
            assert said in fault.message
            assert fault.line == line, text
        await a_graph_is_data_and_computes(graphs)
        # A window of two with one taken from either end leaves nothing of one column.
        shrunk = await exported(graphs, SHRUNK)
        assert sorted(symbol.least for symbol in shrunk.symbols.values()) == [1, 2]
        branch = await exported(graphs, BRANCH)
        assert sorted(symbol.least for symbol in branch.symbols.values()) == [1, 41]
        change = await exported(graphs, CHANGE)
        assert change.notes == ("it changes x, which the task leaves as it is",)


async def exported(graphs: TorchGraphs, text: str) -> TorchGraph:
    graph = await graphs.export(ExportCall(text, "problem.py"))
    assert isinstance(graph, TorchGraph)
    return graph


async def a_graph_is_data_and_computes(graphs: TorchGraphs) -> None:
    graph = await exported(graphs, GOOD)
    assert [node.operator for node in graph.nodes] == ["aten.relu.default", "aten.add.Tensor"]
    assert [node.line for node in graph.nodes] == [6, 6]
    assert graph.inputs[0].data == "normal(0, 2)"
    assert sorted(symbol.size for symbol in graph.symbols.values()) == [32, 64]
    x = np.array([[-1.0, 0.5, 3.0]])
    sizes = dict(zip(graph.inputs[0].tensor.shape, x.shape, strict=True))
    call = EvaluateCall(ExportCall(GOOD, "problem.py"), sizes, {graph.inputs[0].name: x})
    found = await graphs.evaluate(call)
    assert isinstance(found, Evaluated)
    assert found.outputs[0].tolist() == [[1.0, 1.5, 4.0]]


async def test_a_file_that_computes_without_end_ends() -> None:
    async with TorchGraphs(choose_isolation(), cpu_s=1.0) as graphs:
        fault = await graphs.export(ExportCall("while True: pass", "problem.py"))
    assert fault == ExportFault("it did not finish within 1 s of processor time", None)
