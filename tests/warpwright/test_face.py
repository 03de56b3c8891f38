"""The Python face: five names, typed, cheap to import, the same in a notebook."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import warpwright
from agent import toolboxes
from tests.sandbox.simulator import in_process

ROOT = Path(__file__).parents[2]
WRONG = """\
//@ launch relu<<<ceil_div(n, 256), 256>>>(x, y, n)
extern "C" __global__ void relu(const float* x, float* y, int n) {
    int i = blockIdx.x * 256 + threadIdx.x;
    if (i < n) y[i] = x[i];
}
"""


@pytest.fixture(autouse=True)
def in_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARPWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(toolboxes, "open_toolbox", lambda *_: in_process.toolbox(in_process.frozen_once()))


@pytest.fixture
def task(tmp_path: Path) -> warpwright.Task:
    """ReLU, timed at a size that costs nothing."""
    folder = tmp_path / "relu"
    folder.mkdir()
    for file in (ROOT / "examples/tasks/relu").iterdir():
        if file.is_file():
            (folder / file.name).write_text(file.read_text().replace("n = 16777216", "n = 4096"))
    return warpwright.Task(folder)


def test_five_names_are_public_and_importing_them_imports_nothing_else() -> None:
    assert set(warpwright.__all__) == {"Task", "Verdict", "check", "optimize", "profile"}
    shown = {
        name
        for name, one in vars(warpwright).items()
        if not name.startswith("_") and not inspect.ismodule(one)
    }
    assert shown - {"annotations", "main"} == set(warpwright.__all__)
    probe = (
        "import sys, warpwright; "
        "print(sorted({'numpy', 'rich', 'typer', 'pydantic', 'mcp', 'agent', 'asyncio'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=True
    )
    assert found.stdout.strip() == "[]"


def test_every_public_name_is_documented_and_typed() -> None:
    for name in warpwright.__all__:
        one = getattr(warpwright, name)
        assert len(inspect.getdoc(one) or "") > 80, name
    for call in (warpwright.check, warpwright.profile, warpwright.optimize):
        signature = inspect.signature(call)
        assert signature.return_annotation == "Verdict"
        assert all(one.annotation is not inspect.Parameter.empty for one in signature.parameters.values())
    assert (ROOT / "warpwright/py.typed").exists()


def test_a_right_kernel_passes_and_has_an_estimate(task: warpwright.Task) -> None:
    verdict = warpwright.check(task.baseline, task)
    assert verdict.passed
    assert verdict.provenance == "estimated"
    assert verdict.latency_us is not None
    assert verdict.report["stages"][0]["name"] == "compile"
    assert "pass: " in str(verdict)


def test_a_wrong_kernel_is_a_verdict_and_no_exception(task: warpwright.Task, tmp_path: Path) -> None:
    file = tmp_path / "wrong.cu"
    file.write_text(WRONG)
    verdict = warpwright.check(file, task)
    assert (verdict.verdict, verdict.passed, verdict.latency_us) == ("wrong_result", False, None)
    page = verdict._repr_html_()  # pyright: ignore[reportPrivateUsage]
    assert page.startswith("<pre")
    assert "wrong_result" in page


async def test_where_a_loop_runs_both_forms_work(task: warpwright.Task) -> None:
    blocking = await asyncio.to_thread(warpwright.profile, task.baseline, task)
    here, awaited = warpwright.profile(task.baseline, task), await warpwright.profile.aio(task.baseline, task)
    assert blocking.latency_us == here.latency_us == awaited.latency_us
    assert awaited.bottleneck


def test_a_task_tells_what_it_is_and_a_mistake_is_a_value_error(
    task: warpwright.Task, tmp_path: Path
) -> None:
    assert (task.name, task.benches) == ("relu", ({"n": 4096},))
    assert "def reference" in task.reference
    assert warpwright.Task("softmax").folder.name == "softmax"
    with pytest.raises(ValueError, match="Did you mean softmax"):
        warpwright.Task("sofmax")
    with pytest.raises(ValueError, match="does not exist"):
        warpwright.check(tmp_path / "nothing.cu", task)


def test_a_program_with_a_package_of_our_names_is_told_so() -> None:
    probe = (
        "import sys, types; sys.modules['tools'] = types.ModuleType('tools'); import warpwright\n"
        "try: warpwright.Task('relu')\nexcept ImportError as error: print(error)"
    )
    found = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=True
    )
    assert "package 'tools' of its own" in found.stdout
