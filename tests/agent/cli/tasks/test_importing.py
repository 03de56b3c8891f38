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
        f"{folder / '4_Broken.py'}:9: operator special_airy_ai: it has no translation into NumPy\n"
        in made.stdout
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


def test_what_is_no_file_is_said(warpwright: Warpwright, tmp_path: Path) -> None:
    made = warpwright("import-kernelbench", tmp_path / "missing.py")
    assert made.exit_code == 2
    assert "missing.py: expected a file FILE.py, or a folder of them" in made.stderr
