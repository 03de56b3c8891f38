"""`export-trajectories` from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

from agent.home import Home
from agent.store import Store
from tests.agent.report.stored_search import search
from tests.agent.search_fakes import write_task

Warpwright = Callable[..., Result]


def test_what_was_written_and_left_out_is_said(warpwright: Warpwright, home: Path, tmp_path: Path) -> None:
    run = search(Store(Home(home)), write_task(tmp_path / "twice"), 6)
    result = warpwright("export-trajectories", tmp_path / "out", run, "--format", "sft")
    assert result.exit_code == 0, result.output
    assert f"{tmp_path / 'out' / 'sft'}.jsonl: 0 lines" in result.stdout
    assert "whose questions an earlier version did not keep" in result.stdout
    told = json.loads(warpwright("export-trajectories", tmp_path / "more", "--json").stdout)
    assert (told["runs"], told["conversations"]) == (1, 0)


def test_runs_that_are_not_there_are_one_message(warpwright: Warpwright, tmp_path: Path) -> None:
    none = warpwright("export-trajectories", tmp_path / "out")
    assert (none.exit_code, "there are no runs yet" in none.output) == (2, True)
    unknown = warpwright("export-trajectories", tmp_path / "out", "x")
    assert (unknown.exit_code, "no run named 'x'" in unknown.output) == (2, True)
    assert not (tmp_path / "out").exists()
