"""The environment for verifiers, but for what needs verifiers itself, which cannot be installed beside warpwright."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.agent.quick_task import quick_task

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples/environments/verifiers/warpwright_verifiers"


@pytest.fixture(scope="module")
def command() -> ModuleType:
    spec = importlib.util.spec_from_file_location("warpwright_verifiers_command", FOLDER / "command.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(quick_task(tmp_path_factory.mktemp("tasks")))


@pytest.fixture(autouse=True)
def this_warpwright(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WARPWRIGHT_COMMAND", f"{sys.executable} -m warpwright")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("WARPWRIGHT_HOME", str(tmp_path))


async def test_an_answer_is_judged_by_the_command_line_and_has_its_reward(
    command: ModuleType, quick: str
) -> None:
    baseline = Path(quick, "baseline.cu").read_text()
    right = await command.judge(f"First this.\n```cuda\n{baseline}```\nThat is it.", quick)
    assert (right.verdict, right.reward > 1.5, right.speedup > 0) == ("pass", True, True)
    nothing = await command.judge("I would rather not.", quick)
    assert (nothing.verdict, nothing.reward) == ("rejected", 0.0)


async def test_what_was_not_judged_has_no_reward(
    command: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(command.CannotJudgeError, match="none_such"):
        await command.judge("```cuda\n__global__ void k() {}\n```", "none_such")
    monkeypatch.setenv("WARPWRIGHT_COMMAND", "/nowhere/warpwright")
    with pytest.raises(command.CannotJudgeError, match="cannot be run"):
        await command.judge("", "relu")
    with pytest.raises(command.CannotJudgeError, match="gives no tasks"):
        command.task_folders()


def test_every_task_has_a_prompt_with_its_files(command: ModuleType) -> None:
    folders = command.task_folders()
    assert {"softmax", "matmul"} <= set(folders)
    prompt = command.prompt_of(folders["softmax"], "sim:h200")
    for name in ("task.toml", "reference.py", "baseline.cu"):
        assert (folders["softmax"] / name).read_text() in prompt


def test_the_kernel_is_the_last_block_that_is_one(command: ModuleType) -> None:
    answer = (
        "```cuda\n__global__ void a() {}\n```\nor\r\n~~~cpp\n__global__ void b() {}\n~~~\n```sh\nnvcc\n```\n"
    )
    assert command.kernel_in(answer) == "__global__ void b() {}\n"
    assert command.kernel_in("__global__ void c() {}") == "__global__ void c() {}"
