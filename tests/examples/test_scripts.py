"""The scripts among the examples run as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.agent.quick_task import quick_task

ROOT = Path(__file__).parents[2]


def test_a_kernel_is_judged_profiled_and_searched_for_from_python(tmp_path: Path) -> None:
    task = quick_task(tmp_path / "tasks")
    command = [sys.executable, str(ROOT / "examples/scripts/check_and_search.py"), "--task", str(task)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WARPWRIGHT_HOME": str(tmp_path / "home")}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "vector_add: pass." in found.stdout
    assert "us estimated, bound by" in found.stdout
    assert "2 candidates in 1 round" in found.stdout
