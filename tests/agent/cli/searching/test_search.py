"""`optimize`, `resume`, `runs` and `show` over real searches, small ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

Warpwright = Callable[..., Result]
AsJson = Callable[..., tuple[int, Any]]
INTERRUPTIBLE = """\
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""Becomes a command that listens to Ctrl-C, which a shell's background job and all below it are told to ignore."""

SMALL = ("--candidates", 2, "--depth", 1, "--seed", 7)


def test_a_search_prints_lines_then_the_best_kernel_with_its_provenance(
    warpwright: Warpwright, quick: str
) -> None:
    result = warpwright("optimize", quick, *SMALL)
    assert result.exit_code == 0, result.output
    assert "baseline: " in result.stdout
    assert "best kernel" in result.stdout
    assert "(estimated)" in result.stdout
    assert "measured" not in result.stdout


def test_optimize_json_is_one_object_and_its_best_kernel_is_correct(as_json: AsJson, quick: str) -> None:
    status, found = as_json("optimize", quick, *SMALL)
    assert status == 0
    assert found["verdict"] == "pass"
    assert found["best"]["provenance"] == "estimated"
    assert found["stopped"]
    assert found["rounds"] == 1
    assert len(found["candidates"]) == 2
    status, judged = as_json("check", found["best"]["path"], "--task", quick)
    assert (status, judged["verdict"]) == (0, "pass")


def test_runs_are_listed_and_shown_and_a_finished_one_resumes_at_once(
    warpwright: Warpwright, as_json: AsJson, quick: str
) -> None:
    assert "no runs yet" in warpwright("runs").stdout
    _, found = as_json("optimize", quick, *SMALL)
    run = found["run"]
    assert run in warpwright("runs").stdout
    status, listed = as_json("runs")
    assert (status, [line["run"] for line in listed]) == (0, [run])
    shown = warpwright("show", run)
    assert shown.exit_code == 0
    assert "completed" in shown.stdout
    assert "estimated us" in shown.stdout
    status, again = as_json("resume", run)
    assert (status, again["best"]) == (0, found["best"])


def test_what_features_earned_is_kept_across_runs_and_told_with_its_provenance(
    warpwright: Warpwright, as_json: AsJson, quick: str
) -> None:
    assert "nothing is earned yet" in warpwright("stats").stdout
    _, found = as_json("optimize", quick, *SMALL, "--strategy", "elites")
    assert found["strategy"] == "elites"
    assert found["exploration"]["judged"] == 2
    status, stats = as_json("stats")
    assert status == 0
    tried = {name for one in found["candidates"] for name in one["features"]}
    assert {one["feature"] for one in stats["features"]} == tried
    assert all(one["kind"] == "elementwise" and one["architecture"] == "sm_90" for one in stats["features"])
    assert [(one["name"], one["runs"]) for one in stats["models"]] == [("composer", 1)]
    told = warpwright("stats").stdout
    assert "estimated gain" in told
    assert "measured" not in told
    refused = warpwright("adopt", next(iter(tried)))
    assert (refused.exit_code, "in the library already" in refused.output) == (2, True)


@pytest.mark.parametrize("command", ["show", "resume"])
def test_a_run_that_does_not_exist_is_a_usage_error(command: str, as_json: AsJson) -> None:
    status, answer = as_json(command, "nothing-1")
    assert status == 2
    assert "nothing-1" in answer["error"]


def test_a_model_without_a_key_says_what_is_missing(as_json: AsJson) -> None:
    status, answer = as_json("optimize", "vector_add", "--model", "some-model")
    assert status == 3
    assert "OPENAI_API_KEY" in answer["error"]


def test_a_task_that_does_not_exist_is_a_usage_error(as_json: AsJson) -> None:
    status, answer = as_json("optimize", "no_such_task")
    assert status == 2
    assert "no_such_task" in answer["error"]


@pytest.mark.parametrize("arguments", [(), ("softmax", "--depth", "0"), ("softmax", "--no-such-option")])
def test_wrong_arguments_exit_2(arguments: tuple[str, ...], warpwright: Warpwright) -> None:
    result = warpwright("optimize", *arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_search_says_how_to_go_on_and_does(
    number: signal.Signals, status: int, as_json: AsJson, home: Path
) -> None:
    command = [sys.executable, "-c", INTERRUPTIBLE, "-m", "warpwright", "optimize", "softmax", "--depth", "8"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        run = process.stdout.readline().partition(" ")[0]
        process.send_signal(number)
        assert process.wait(30) == status
        assert f"warpwright resume {run}" in process.stderr.read()
    _, stored = as_json("show", run)
    assert stored["state"] == "cancelled"
    assert stored["run"] == run


def test_exit_statuses_reach_the_shell(wrong: Path, quick: str) -> None:
    def status(*arguments: object) -> int:
        command = [sys.executable, "-m", "warpwright", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode

    assert status("check", wrong, "--task", quick) == 1
    assert status("check", "-", "--task", quick) == 2
    assert status("check", wrong, "--task", quick, "--device", "cuda:0") == 3


def test_a_reader_that_stops_reading_ends_the_command_without_a_traceback(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "warpwright", "tasks", "--json"]
    finished = subprocess.run(
        command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    os.close(writing)
    assert "Traceback" not in finished.stderr


def test_nothing_but_json_reaches_standard_output(home: Path, quick: str) -> None:
    command = [
        sys.executable,
        "-m",
        "warpwright",
        "optimize",
        quick,
        "--candidates",
        "1",
        "--depth",
        "1",
        "--json",
    ]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["task"] == "vector_add"
    assert "round 1 candidate" in finished.stderr


def test_the_own_model_of_an_mcp_client_is_not_for_the_command_line(
    warpwright: Warpwright, quick: str
) -> None:
    refused = warpwright("optimize", quick, "--model", "m", "--coder-model", "client")
    assert (refused.exit_code, "start_search takes it, not this command" in refused.output) == (2, True)


def test_with_a_coders_command_composer_still_means_the_composer(
    as_json: AsJson, quick: str, home: Path
) -> None:
    home.mkdir(exist_ok=True)
    (home / "warpwright.toml").write_text('[models]\ncoder_command = "no-such-program"\n')
    status, found = as_json("optimize", quick, "--model", "composer", "--candidates", 1, "--depth", 1)
    assert (status, found["model"]) == (0, "composer")
    refused, said = as_json("optimize", quick, "--candidates", 1, "--depth", 1)
    assert (refused, "there is no program 'no-such-program'" in said["error"]) == (2, True)
