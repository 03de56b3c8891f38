"""`import-kernelbench`: a folder that checks at once, or one line that says why there is none."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Warpwright = Callable[..., Result]
PROBLEM = """\
import torch
from torch import nn

rows, cols = 32, 24


class Model(nn.Module):
    def forward(self, x):
        return torch.tanh(x) * 2


def get_inputs():
    return [torch.randn(rows, cols)]


def get_init_inputs():
    return []
"""
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")


@needs_torch
def test_a_problem_becomes_a_folder_that_checks_at_once(warpwright: Warpwright, tmp_path: Path) -> None:
    folder = tmp_path / "problems"
    folder.mkdir()
    (folder / "3_Twice.py").write_text(PROBLEM)
    (folder / "4_Broken.py").write_text(PROBLEM.replace("torch.tanh(x)", "torch.special.airy_ai(x)"))
    made = warpwright("import-kernelbench", folder, "--into", tmp_path / "tasks")
    assert made.exit_code == 1, made.output
    assert f"{tmp_path / 'tasks/twice_3'} is a task: Tanh, mul, as PyTorch computes it.\n" in made.stdout
    assert (
        f"{folder / '4_Broken.py'}:9: operator special_airy_ai: it has no translation into NumPy. PyTorch's own operator,"
        " in float64, would be the reference; the baseline cannot be written here then, and must be yours: --baseline"
        " KERNEL.cu, a plain kernel whose launch directive takes x (in, float32[rows, cols]), out (out, float32[rows,"
        " cols]) and the sizes rows, cols\n" in made.stdout
    )
    assert made.stdout.endswith("1 of 2 problems are tasks now\n")
    passed = warpwright("check", tmp_path / "tasks/twice_3")
    assert passed.exit_code == 0, passed.output


@needs_torch
def test_a_folder_that_is_there_is_left_alone(warpwright: Warpwright, tmp_path: Path) -> None:
    (tmp_path / "twice.py").write_text(PROBLEM)
    (tmp_path / "twice").mkdir()
    (tmp_path / "twice/mine").write_text("kept")
    made = warpwright("import-kernelbench", tmp_path / "twice.py", "--into", tmp_path, "--json")
    assert made.exit_code == 1
    (told,) = json.loads(made.stdout)
    assert told["folder"] is None
    assert "is there and not empty; nothing in it was changed" in told["reason"]
    assert [one.name for one in (tmp_path / "twice").iterdir()] == ["mine"]


COPIED = """\
#include "sign.cuh"
//@ launch copied<<<ceil_div(rows * cols, 64), 64>>>(x, out, rows * cols)

extern "C" __global__ void copied(const float* x, float* out, int count) {
    int i = blockIdx.x * 64 + threadIdx.x;
    if (i < count) out[i] = 2.0f * with_sign(fabsf(x[i]), 1.0f - x[i]);
}
"""
SIGN = "__device__ float with_sign(float x, float of) { return of < 0.0f ? -x : x; }\n"


@pytest.fixture
def unspoken(tmp_path: Path) -> Path:
    """A folder with a problem whose operator NumPy has no words for here, and kernels: right, beside a header."""
    (tmp_path / "signs.py").write_text(PROBLEM.replace("torch.tanh(x)", "torch.copysign(x, 1 - x)"))
    (tmp_path / "sign.cuh").write_text(SIGN)
    (tmp_path / "mine.cu").write_text(COPIED)
    (tmp_path / "wrong.cu").write_text(COPIED.replace("1.0f - x[i]", "0.5f - x[i]"))
    return tmp_path


@needs_torch
def test_with_a_kernel_of_ones_own_pytorchs_operator_is_what_is_right(
    warpwright: Warpwright, unspoken: Path
) -> None:
    given = (
        "import-kernelbench",
        unspoken / "signs.py",
        "--into",
        unspoken / "tasks",
        "--json",
        "--baseline",
    )
    (refused,) = json.loads(warpwright(*given, unspoken / "wrong.cu").stdout)
    assert refused["folder"] is None
    assert refused["reason"].startswith("its baseline is not correct (wrong_result)")
    assert not (unspoken / "tasks").exists()
    made = warpwright(*given, unspoken / "mine.cu")
    assert made.exit_code == 0, made.output
    (told,) = json.loads(made.stdout)
    assert (told["baseline"], told["in_pytorch"], told["compared"]) == ("user", ["copysign.Tensor"], 6)
    assert "asks PyTorch's own operators, in float64, for copysign.Tensor: wherever" in told["notes"][0]
    assert "reference.py line 10: PyTorch's own operator `copysign.Tensor`" in told["notes"][-1]
    folder = unspoken / "tasks/signs"
    assert 'copysign = aten("copysign.Tensor", x, rsub)\n' in (folder / "reference.py").read_text()
    assert SIGN in (folder / "baseline.cu").read_text()
    passed = warpwright("check", unspoken / "mine.cu", "--task", folder)
    assert passed.exit_code == 0, passed.output
    failed = warpwright("check", unspoken / "wrong.cu", "--task", folder)
    assert failed.exit_code == 1, failed.output


@needs_torch
def test_a_kernel_of_ones_own_serves_where_the_reference_was_translated_too(
    warpwright: Warpwright, unspoken: Path
) -> None:
    (unspoken / "signs.py").write_text(
        PROBLEM.replace("torch.tanh(x)", "torch.where(x > 1, -x.abs(), x.abs())")
    )
    given = (
        "import-kernelbench",
        unspoken / "signs.py",
        "--into",
        unspoken,
        "--baseline",
        unspoken / "mine.cu",
    )
    made = warpwright(*given)
    assert made.exit_code == 0, made.output
    assert "torch" not in (unspoken / "signs/reference.py").read_text()
    assert (unspoken / "signs/baseline.cu").read_text().startswith(COPIED)


def test_a_baseline_for_a_folder_of_problems_is_refused(warpwright: Warpwright, unspoken: Path) -> None:
    made = warpwright("import-kernelbench", unspoken, "--baseline", unspoken / "mine.cu")
    assert made.exit_code == 2
    assert (
        f"--baseline is the kernel of one problem, and {unspoken} is a folder: name one file of it"
        in made.stderr
    )


def test_what_is_no_file_is_said(warpwright: Warpwright, tmp_path: Path) -> None:
    made = warpwright("import-kernelbench", tmp_path / "missing.py")
    assert made.exit_code == 2
    assert "missing.py: expected a file FILE.py, or a folder of them" in made.stderr
