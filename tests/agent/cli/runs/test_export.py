"""`export` from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from agent.export import exporting
from agent.home import Home
from agent.store import Store
from tests.agent.quick_task import quick_task
from tests.agent.report.stored_search import search
from tests.agent.search_fakes import write_task
from tests.compiling import InProcess

Warpwright = Callable[..., Result]


class Here(InProcess):
    """The compiler of an export, in this process."""

    def __init__(self, *_: object, **__: object) -> None: ...

    async def __aenter__(self) -> Here:
        return self

    async def __aexit__(self, *_: object) -> None: ...


@pytest.fixture(autouse=True)
def compiled_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "Compiler", Here)


def test_an_exported_kernel_file_passes_again_with_the_task_beside_it(
    warpwright: Warpwright, good: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    task = quick_task(tmp_path)
    result = warpwright("export", good, "--task", task, "--to", "cuda", "--output", folder)
    assert result.exit_code == 0, result.output
    told = (folder / "VERIFICATION.md").read_text()
    assert "### Judged on sim:h200 for sm_90: pass" in told
    assert "No GPU ran these kernels" in told
    assert "(estimated)" in told
    assert "written by whoever wrote that file" in told
    again = warpwright("check", folder / "kernels/kernel.cu", "--task", folder / "task")
    assert (again.exit_code, "pass" in again.output) == (0, True), again.output


def test_what_does_not_pass_is_not_exported(warpwright: Warpwright, wrong: Path, tmp_path: Path) -> None:
    result = warpwright("export", wrong, "--task", "vector_add", "--to", "cuda", "-o", tmp_path / "out")
    assert (result.exit_code, "not exported: wrong_result on sim:h200" in result.output) == (1, True)
    assert not (tmp_path / "out").exists()


def test_a_run_is_exported_as_it_was_judged_and_says_who_wrote_it(
    warpwright: Warpwright, home: Path, tmp_path: Path
) -> None:
    run = search(Store(Home(home)), write_task(tmp_path / "twice"), 6)
    result = warpwright("export", run, "--to", "cuda", "-o", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["task"], told["architectures"], told["kernels"]) == ("twice", ["sm_90"], ["kernel.cu"])
    assert f"Origin: run {run}, candidate" in (tmp_path / "out/VERIFICATION.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody", "--to", "cuda"), "no run named 'nobody'"),
        (("KERNEL", "--to", "cuda", "--arch", "90"), "--arch takes names like sm_80"),
        (("KERNEL", "--to", "cuda", "--size", "n"), "--size takes sizes like"),
        (("KERNEL", "--to", "cuda", "--size", "m=2"), "--size takes a size for each of n"),
        (("KERNEL", "--to", "cuda", "-o", "."), "not empty"),
    ],
)
def test_what_cannot_be_used_is_one_message(
    warpwright: Warpwright, good: Path, arguments: tuple[str, ...], said: str
) -> None:
    named = [str(good) if one == "KERNEL" else one for one in arguments]
    result = warpwright("export", *named, "--task", "vector_add")
    assert (result.exit_code, said in result.output) == (2, True), result.output
