"""The plugin for pytest, in a pytest of its own: kernels of a folder are tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.agent.quick_task import quick_task

WRONG = """\
//@ launch add<<<ceil_div(n, 128), 128>>>(x, y, out, n)
extern "C" __global__ void add(const float* x, const float* y, float* out, int n) {
    int i = blockIdx.x * 128 + threadIdx.x;
    if (i < n) out[i] = x[i] - y[i];
}
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one task, its baseline and a wrong kernel."""
    folder = quick_task(tmp_path / "kernels")
    (folder / "wrong.cu").write_text(WRONG)
    return tmp_path


def test_kernels_beside_a_task_are_tests_that_pass_and_fail_in_words(repository: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "warpwright.testing",
        "-p",
        "no:cacheprovider",
        "-v",
        "kernels",
    ]
    environment = {**os.environ, "WARPWRIGHT_HOME": str(repository / "home"), "PYTEST_ADDOPTS": ""}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    found = subprocess.run(
        command, cwd=repository, env=environment, capture_output=True, text=True, timeout=180, check=False
    )
    assert found.returncode == 1, found.stdout + found.stderr
    assert "1 failed, 1 passed" in found.stdout
    assert "baseline.cu PASSED" in found.stdout
    assert "wrong.cu: wrong_result: " in found.stdout
    assert "Traceback" not in found.stdout
