"""Problems become tasks whose references agree with the modules; what cannot is named."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest

from agent.importing.graphs.importer import Imported, Importer, NotImported, UserBaseline
from agent.importing.problems.kernelbench import problems, read_problem, task_name
from sandbox.isolation.choose import choose_isolation
from sandbox.reference.service import References
from sandbox.torch_graphs.graph import ExportCall
from sandbox.torch_graphs.service import TorchGraphs
from tests.exhaustive import EXHAUSTIVE
from tools.tasks.drafting import files_of, read_draft

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")

FOLDER = Path(__file__).parents[4] / "benchmarks/importing/problems"
CHOSEN = (
    "level1/conv_transposed_2d", "level2/conv_group_norm_pool_clamp", "level2/largest_less_mean_gelu",
    "level2/linear_dropout_softmax",
)  # fmt: skip
MASKED = """\
import torch


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.tril(torch.ones(64, 64)))

    def forward(self, x):
        t = x.size(1)
        return x.masked_fill(self.seen[:t, :t] == 0, -1.0)


def get_inputs():
    return [torch.rand(8, 48, 48)]
"""
UNKNOWN = """\
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        return torch.fft.fft(x).abs()


def get_inputs():
    return [torch.rand(64, 64)]
"""
OF_PYTORCH = {
    "middle": UNKNOWN.replace(
        "torch.fft.fft(x).abs()",
        "torch.median(torch.nansum(x, 0, dtype=torch.float32) + x, 1 - x.dim() // 2)",
    ).replace("torch.rand(64, 64)", "torch.rand(4, 64, 48).half()"),
    "drawn": UNKNOWN.replace("torch.fft.fft(x).abs()", "x + torch.poisson(x)"),
    "unset": UNKNOWN.replace("torch.fft.fft(x).abs()", "x + torch.empty_like(x)"),
    "counted": UNKNOWN.replace("torch.fft.fft(x).abs()", "torch.where(torch.special.i1(x) > 0)[0]"),
}
"""Problems that a user brings a baseline for, none of which NumPy has words for."""
Found = dict[str, Imported | NotImported]


@pytest.fixture(scope="module")
def found() -> Found:
    """By file, and under `unknown` that of an operator without a translation; one worker exports them all."""
    files = problems(FOLDER) if EXHAUSTIVE else [FOLDER / f"{name}.py" for name in CHOSEN]

    async def work() -> Found:
        isolation = choose_isolation()
        async with TorchGraphs(isolation) as graphs, References(isolation) as references:
            importer = Importer(graphs, references)
            made = {file.stem: await importer.make(read_problem(file), task_name(file)) for file in files}
            made["masked"] = await importer.make(ExportCall(MASKED, "masked.py"), "masked")
            made |= {
                name: await importer.make(ExportCall(text, f"{name}.py"), name, own=UserBaseline("mine"))
                for name, text in OF_PYTORCH.items()
            }
            return {**made, "unknown": await importer.make(ExportCall(UNKNOWN, "unknown.py"), "unknown")}

    return asyncio.run(work())


def imported(found: Found, name: str) -> Imported:
    made = found[name]
    assert isinstance(made, Imported), made
    return made


def test_every_problem_becomes_a_task_that_loads_and_was_held_against_its_module(found: Found) -> None:
    for name in found.keys() - {"unknown", *OF_PYTORCH}:
        made = imported(found, name)
        task = read_draft(files_of(made.task))
        assert task.tests, name
        assert made.compared >= 2


def test_sizes_that_groups_divide_are_limits_and_the_example_is_the_benchmark(found: Found) -> None:
    task = imported(found, "conv_group_norm_pool_clamp").task
    assert [(one.min, one.multiple_of) for one in task.limits.values() if one.multiple_of] == [(8, 8)]
    assert [case.dims["batch_size"] for case in task.benches] == [16]
    assert all(max(case.dims.values()) < 100 for case in task.tests)


def test_an_output_that_nobody_need_compute_is_declared_trivial(found: Found) -> None:
    made = imported(found, "largest_less_mean_gelu")
    assert made.notes == ("out is 0 whatever the inputs are: a kernel that writes this constant is right",)
    assert [one.trivial for one in made.task.arguments if one.is_output] == [True]


def test_dropout_does_nothing_and_that_is_said(found: Found) -> None:
    made = imported(found, "linear_dropout_softmax")
    assert "dropout =" not in made.task.reference
    assert made.notes[0].startswith("dropout is random in training")


def test_a_mask_in_a_buffer_bounds_the_length(found: Found) -> None:
    task = imported(found, "masked").task
    assert "np.where(np.tril(np.ones((64, 64), dtype=bool)), 1, 0)" in task.reference
    assert [(name, one.max) for name, one in task.limits.items()] == [("x_1", 48)]


def test_an_operator_without_a_translation_is_named_with_its_line(found: Found) -> None:
    assert found["unknown"] == NotImported("operator fft_fft: it has no translation into NumPy", 6)


def test_with_a_users_baseline_pytorchs_own_operators_are_the_reference(found: Found) -> None:
    made = imported(found, "middle")
    assert [one.operator for one in made.kept] == ["nansum.default", "median.dim"]
    assert 'aten("nansum.default", x, [0], dtype="float32")\n' in made.task.reference
    assert (made.baseline, made.task.baseline) == ("user", "mine")
    assert len(made.task.dims) == 3
    assert [one.dtype for one in made.task.arguments] == ["float16", "float32", "int64"]


def test_what_pytorch_draws_leaves_unset_or_counts_is_refused_with_a_users_baseline_too(found: Found) -> None:
    for name, operator in (("drawn", "poisson"), ("unset", "empty_like"), ("counted", "where")):
        made = found[name]
        assert isinstance(made, NotImported), name
        assert made.reason.startswith(f"operator {operator}: "), made.reason
        assert made.line == 6
