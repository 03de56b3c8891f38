"""`suite` over folders of small tasks."""

from __future__ import annotations

import asyncio
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import Result

from agent.cli.searching.suites_view import LiveSuite, PlainSuite, show_suite_account
from agent.events import BaselineJudged, CandidateJudged, RunFinished, RunStarted
from agent.report.task_suite_account import TaskSuiteAccount
from agent.suites import running
from agent.suites.record import SuiteSearch
from sandbox.verdict import Provenance, Verdict

Warpwright = Callable[..., Result]
AsJson = Callable[..., tuple[int, Any]]
SMALL = ("--candidates", 2, "--depth", 1)


@pytest.fixture
def tasks(tmp_path: Path, quick: str) -> Path:
    folder = tmp_path / "mine"
    shutil.copytree(quick, folder / "add")
    return folder


def in_a_terminal(suite: TaskSuiteAccount, width: int) -> str:
    out = io.StringIO()
    show_suite_account(Console(file=out, width=width, force_terminal=True, color_system=None), suite)
    return out.getvalue()


def test_a_folder_of_tasks_is_searched_and_its_results_are_written_in_every_format(
    warpwright: Warpwright, home: Path, tasks: Path
) -> None:
    result = warpwright("suite", tasks, *SMALL)
    assert result.exit_code == 0, result.output
    assert "add: baseline" in result.stdout
    assert "geometric mean" in result.stdout
    assert "estimate" in result.stdout
    assert "fast_p" in result.stdout
    suite = next(iter((home / "suites").iterdir()))
    assert suite.name in result.stdout
    assert {path.name for path in suite.iterdir()} == {
        "suite.json", "results.html", "results.md", "results.json",
    }  # fmt: skip
    kept = json.loads((suite / "results.json").read_text())
    run = kept["rows"][0]["runs"][0]
    assert run in warpwright("runs").stdout, "searches of a suite are ordinary runs"
    shown = in_a_terminal(TaskSuiteAccount.model_validate(kept), 80)
    assert "…" not in shown
    assert "left out, in the report: SOL" in shown
    assert "left out" not in in_a_terminal(TaskSuiteAccount.model_validate(kept), 160)
    again = warpwright("suite", suite.name, "--json")
    assert json.loads(again.stdout)["rows"][0]["runs"] == [run]


def test_why_a_task_has_no_kernel_is_a_line_of_its_own(warpwright: Warpwright, tasks: Path) -> None:
    shutil.copytree(tasks / "add", tasks / "turned")
    toml = tasks / "turned" / "task.toml"
    text = toml.read_text().replace('"vector_add"', '"turned"')
    for large, small in (
        ("4099", "99"),
        ("1025", "98"),
        ("65536", "512"),
    ):  # its reference takes them one by one
        text = text.replace(large, small)
    toml.write_text(text)
    (tasks / "turned" / "reference.py").write_text(
        "import numpy as np\n\n\ndef reference(x, y, n):\n"
        "    return {'out': np.array([a + b for a, b in zip(x, y, strict=True)])}\n"
    )
    result = warpwright("suite", tasks, *SMALL)
    assert result.exit_code == 1
    assert re.search(r"^turned: the composer .*$", result.stdout, re.MULTILINE)
    assert re.search(r"^turned .* none *$", result.stdout, re.MULTILINE), result.stdout
    assert "1 of 2 tasks" in result.stdout


def test_an_interrupted_suite_says_how_to_go_on(
    warpwright: Warpwright, home: Path, tasks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cancelled(*given: object, **more: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(running, "work", cancelled)
    result = warpwright("suite", tasks, *SMALL)
    assert result.exit_code == 143
    suite = next(iter((home / "suites").iterdir())).name
    assert f"go on with: warpwright suite {suite}" in result.stderr


@pytest.mark.parametrize("name", ["nonesuch", "fsr2"])
def test_an_unknown_suite_is_one_message(warpwright: Warpwright, name: str) -> None:
    result = warpwright("suite", name)
    assert result.exit_code == 2
    assert re.search(r"no suite or folder is called .*Known suites: fsr20", result.stderr)
    assert "Traceback" not in result.output


SEARCH = SuiteSearch(task="relu", seed=1)
OTHER = SuiteSearch(task="sort", seed=2)
STARTED = RunStarted(
    run="relu-1", task="relu", device="sim:h200", isolation="none", model="composer", candidates=1, depth=1
)
BASELINE = BaselineJudged(run="relu-1", latency_us=20.0, provenance=Provenance.ESTIMATED)
JUDGED = CandidateJudged(
    run="relu-1", round=1, candidate=1, features=["x"], verdict=Verdict.PASS, message="", latency_us=10.0,
    provenance=Provenance.ESTIMATED, speedup=2.0, is_best=True,
)  # fmt: skip
FINISHED = RunFinished(run="relu-1", stopped="depth", best_latency_us=10.0)


def test_a_live_table_has_a_line_for_each_search_and_never_a_latency_without_its_provenance() -> None:
    console = Console(width=120, force_terminal=True, file=None, record=True)
    live = LiveSuite(console, [SEARCH, OTHER])
    for said in (STARTED, BASELINE, JUDGED, FINISHED):
        live(SEARCH, said)
    live(OTHER, "no family\nfor this")
    with console.capture() as shown:
        console.print(live.render())
    text = shown.get()
    assert "estimated us" in text
    assert "2.00x" in text
    assert "sort (seed 2)" in text
    assert "no family" in text
    assert "2 of 2 searches ended" in text


def test_a_pipe_gets_a_line_for_what_begins_and_ends() -> None:
    console = Console(width=120, force_terminal=False)
    with console.capture() as shown:
        plain = PlainSuite(console)
        for said in (STARTED, BASELINE, JUDGED, FINISHED):
            plain(SEARCH, said)
        plain(OTHER, "no family for this")
    lines = shown.get().splitlines()
    assert lines == [
        "relu: relu-1 started",
        "relu: baseline 20.0 us (estimated)",
        "relu: stopped: depth; 10.0 us (estimated), 2.00x; 1 candidates",
        "sort (seed 2): no family for this",
    ]
