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
FAULTS = {
    "class Model(:": ("running the file: SyntaxError", 1),
    "import torch\nraise KeyError('x')": ("running the file: KeyError", 2),
    "import torch": ("expected Model, found torch", None),
    "import torch\nclass Model(torch.nn.Module): pass": ("expected get_inputs", None),
    "import socket\nsocket.create_connection(('127.0.0.1', 80))": ("running the file: PermissionError", 2),
    "open('/etc/passwd')": ("running the file: FileNotFoundError", 1),
    "open('/tmp/x', 'w')": ("running the file: PermissionError", 1),
    "import subprocess\nsubprocess.run(['/bin/true'])": ("running the file: ", 2),
    "bytearray(1 << 45)": ("it needs more than 12 GiB of memory", None),
    "import os\nos._exit(3)": ("its code ended the worker", None),
    MODULE.format(body="return x if x.sum() > 0 else -x"): ("data-dependent", 6),
    MODULE.format(body="return x, 3"): ("expected tensors as its outputs", None),
    MODULE.format(body="self.training = not self.training; return x * 2"): (
        "its attribute training changes",
        None,
    ),
}


async def test_what_a_file_does_wrong_is_said_with_its_line_and_the_next_file_is_exported() -> None:
    async with TorchGraphs(choose_isolation()) as graphs:
        for text, (said, line) in FAULTS.items():
            fault = await graphs.export(ExportCall(text, "problem.py"))
            assert isinstance(fault, ExportFault), text
            assert said in fault.message
            assert fault.line == line, text
        call = ExportCall(GOOD, "problem.py")
        graph = await graphs.export(call)
        assert isinstance(graph, TorchGraph)
        assert [node.operator for node in graph.nodes] == ["aten.relu.default", "aten.add.Tensor"]
        assert [node.line for node in graph.nodes] == [6, 6]
        assert graph.inputs[0].data == "normal(0, 2)"
        assert sorted(symbol.size for symbol in graph.symbols.values()) == [32, 64]
        x = np.array([[-1.0, 0.5, 3.0]])
        sizes = dict(zip(graph.inputs[0].tensor.shape, x.shape, strict=True))
        found = await graphs.evaluate(EvaluateCall(call, sizes, {graph.inputs[0].name: x}))
        assert isinstance(found, Evaluated)
        assert found.outputs[0].tolist() == [[1.0, 1.5, 4.0]]


async def test_branches_on_sizes_and_changes_of_inputs_are_found() -> None:
    branch = MODULE.format(body="return x * 2 if x.shape[0] > 40 else x")
    change = MODULE.format(body="return x.add_(1) * 2")
    async with TorchGraphs(choose_isolation()) as graphs:
        found = await graphs.export(ExportCall(branch, "branch.py"))
        assert isinstance(found, TorchGraph)
        assert sorted(symbol.least for symbol in found.symbols.values()) == [1, 41]
        found = await graphs.export(ExportCall(change, "change.py"))
        assert isinstance(found, TorchGraph)
        assert found.notes == ("it changes x, which the task leaves as it is",)


async def test_a_file_that_computes_without_end_ends() -> None:
    async with TorchGraphs(choose_isolation(), cpu_s=1.0) as graphs:
        fault = await graphs.export(ExportCall("while True: pass", "problem.py"))
    assert fault == ExportFault("it did not finish within 1 s of processor time", None)
