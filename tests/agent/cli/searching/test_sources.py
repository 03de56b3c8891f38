"""A kernel of a user's own as the beginning of a search: a task is drafted, kept, and said; or one message says why not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

Warpwright = Callable[..., Result]
AsJson = Callable[..., tuple[int, Any]]
TWICE = """\
__global__ void twice(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = 2 * x[i];
}
"""
SMALL = ("--candidates", 2, "--depth", 1, "--seed", 3)


def test_a_kernel_becomes_a_task_that_its_run_finds_again_and_the_search_begins_with_it(
    warpwright: Warpwright, as_json: AsJson, tmp_path: Path, home: Path
) -> None:
    (tmp_path / "twice.cu").write_text(TWICE)
    made = warpwright("optimize", tmp_path / "twice.cu", *SMALL)
    assert made.exit_code == 0, made.output
    assert "shapes are guessed" in made.stdout
    assert "candidate 1 [start]: pass" in made.stdout
    (folder,) = (home / "imported").iterdir()
    assert f"--task {folder}" in made.stdout
    (run,) = [one["run"] for one in as_json("runs")[1]]
    assert as_json("resume", run)[0] == 0
    assert f"--task {folder}" in warpwright("show", run).stdout
    assert warpwright("init", tmp_path / "mine", "--like", folder).exit_code == 0
    best = made.stdout.partition("judge again  warpwright check ")[2].split()[0]
    assert warpwright("check", best, "--task", tmp_path / "mine").exit_code == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TWICE.replace("int i", "__shared__ float s[2]; int i"), "write k/reference.py, then"),
        (TWICE + TWICE.replace("twice", "thrice"), "2 kernels (twice, thrice)"),
        (TWICE.replace("if (i < n)", "for (int k = 0; k < 3; k++)"), "the composer cannot write"),
        (f"//@ launch twice<<<1, 256>>>(x, y)\n{TWICE}", "line 1: twice takes 3 arguments"),
        (f"//@ launch twice<<<1, n>>>(x, y, n)\n{TWICE}", "line 1: the block depends on a size"),
        (
            TWICE.replace(", int n", "").replace("i < n", "i < 8"),
            "twice takes no whole number that could be a size",
        ),
        ("int x;", "no __global__ function"),
    ],
)
def test_what_cannot_be_guessed_is_one_message_and_no_run(
    text: str, said: str, warpwright: Warpwright, tmp_path: Path
) -> None:
    (tmp_path / "k.cu").write_text(text)
    result = warpwright("optimize", tmp_path / "k.cu", *SMALL)
    assert result.exit_code == 2
    assert re.search(re.escape(said), result.stderr), result.stderr
    assert "no runs yet" in warpwright("runs").stdout
