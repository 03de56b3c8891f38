"""The benchmark runs, and what it measures is fast enough to search with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def measured() -> dict[str, dict[str, float]]:
    options = ["--kernel", "matmul", "--repeats", "1", "--no-numba", "--json"]
    command = [sys.executable, "-m", "benchmarks.simulator", *options]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=True)
    return {row["kernel"]: row for row in json.loads(finished.stdout)["kernels"]}


def test_the_work_of_a_launch_is_counted(measured: dict[str, dict[str, float]]) -> None:
    # 512^3 multiply-adds, two shared loads each, and what surrounds them.
    assert 3 * 512**3 < measured["matmul"]["thread_instructions"] < 6 * 512**3


def test_a_tiled_matmul_runs_at_a_hundred_million_thread_instructions_a_second_even_on_a_busy_machine(
    measured: dict[str, dict[str, float]],
) -> None:
    assert measured["matmul"]["checked"] > 100
    # Half again as fast when nothing else runs; each is one run by the clock on the wall, and others may run beside it.
    assert measured["matmul"]["unchecked"] > 0.7 * measured["matmul"]["checked"]


def test_without_numba_no_ratio_is_made_up(measured: dict[str, dict[str, float]]) -> None:
    assert all(row["same_launch"] is None and row["same_work"] is None for row in measured.values())
