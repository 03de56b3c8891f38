"""`warpwright check --device cuda:0`: the whole stack over the real PyCUDA, before a driver's library without a GPU."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli.app import app
from tests.sandbox.cuda.standing_in import keep_rates

TASK = Path(__file__).parents[3] / "examples/tasks/vector_add"


@pytest.fixture
def task(stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The task, with as little to run as there may be: its kernels run on the CPU."""
    keep_rates(stand_in)
    monkeypatch.setenv("WARPWRIGHT_HOME", str(tmp_path / "home"))
    folder = tmp_path / "vector_add"
    shutil.copytree(TASK, folder)
    head = (folder / "task.toml").read_text().partition("[[test]]")[0]
    cases = "[[test]]\ndims = { n = 97 }\n[[bench]]\ndims = { n = 65536 }\n"
    (folder / "task.toml").write_text(head + cases)
    return folder


def test_a_kernel_is_judged_and_timed_beside_the_baseline(task: Path) -> None:
    given = ["check", str(task / "baseline.cu"), "--task", str(task), "--device", "cuda:0", "--json"]
    result = CliRunner().invoke(app, given, prog_name="warpwright")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["verdict"], report["device"], report["provenance"]) == ("pass", "cuda:0", "measured")
    assert report["profile"]["latency_us"] == pytest.approx(2.262, rel=1e-3)


def test_a_kernel_whose_results_are_wrong_on_the_gpu_fails(task: Path) -> None:
    wrong = task / "wrong.cu"
    wrong.write_text((task / "baseline.cu").read_text().replace("vector_add", "add_wrong"))
    result = CliRunner().invoke(
        app, ["check", str(wrong), "--task", str(task), "--device", "cuda:0"], prog_name="warpwright"
    )
    assert result.exit_code == 1, result.output
    assert "wrong_result" in result.stdout
