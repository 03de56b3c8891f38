"""`tasks` and `doctor`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from agent.cli.machine import deep_doctor, doctor
from sandbox.facts import Fact

Warpwright = Callable[..., Result]
AsJson = Callable[..., tuple[int, Any]]
BUNDLED = {"vector_add", "relu", "sigmoid", "softmax", "reduction", "dot_product", "transpose", "matmul"}


def test_the_bundled_tasks_are_listed(warpwright: Warpwright, as_json: AsJson) -> None:
    status, listed = as_json("tasks")
    assert status == 0
    assert {task["name"] for task in listed} >= BUNDLED
    assert "softmax" in warpwright("tasks").stdout


def test_doctor_tells_what_this_machine_has(warpwright: Warpwright, as_json: AsJson) -> None:
    result = warpwright("doctor")
    assert result.exit_code == 0
    assert "NVRTC" in result.stdout
    status, report = as_json("doctor")
    assert (status, report["ok"]) == (0, True)
    assert {"warpwright", "isolation", "devices", "home"} <= {fact["name"] for fact in report["facts"]}


def test_doctor_never_prints_a_key(warpwright: Warpwright, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    output = warpwright("doctor").output
    assert "OPENAI_API_KEY is set" in output
    assert "sk-secret" not in output


def test_doctor_exits_3_and_gives_advice_where_there_is_no_compiler(
    warpwright: Warpwright, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = Fact("CUDA compiler", False, "not found", "pip install nvidia-cuda-nvrtc")
    monkeypatch.setattr(doctor, "_facts", lambda: [missing])
    result = warpwright("doctor")
    assert result.exit_code == 3
    assert "pip install nvidia-cuda-nvrtc" in result.stdout


def test_a_home_that_cannot_be_written_is_a_message_and_exits_3(
    as_json: AsJson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WARPWRIGHT_HOME", str(tmp_path / "file" / "home"))
    status, answer = as_json("runs")
    assert status == 3
    assert "Not a directory" in answer["error"]


async def test_doctor_tries_what_it_claims() -> None:
    judged, held = await deep_doctor.tried()
    assert judged.ok, judged
    assert "vector_add on sim:h200: pass" in judged.value
    assert held.ok, held


def test_a_deep_look_that_fails_is_status_3(warpwright: Warpwright, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tried() -> list[Fact]:
        return [Fact("kernel judged", False, "no", "the worker did not start")]

    monkeypatch.setattr(deep_doctor, "tried", tried)
    result = warpwright("doctor", "--deep")
    assert result.exit_code == 3
    assert "kernel judged: the worker did not start" in result.stdout
