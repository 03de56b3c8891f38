"""`backup`, `restore` and `prune` from the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from agent.home import Home
from agent.results import RunState, Stop
from agent.store import Store
from tests.agent.store.test_backups import filled

Warpwright = Callable[..., Result]


def test_a_backup_is_written_restored_elsewhere_and_refused_where_runs_are(
    warpwright: Warpwright, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, file = asyncio.run(filled(Home(home))), tmp_path / "kept.tar.gz"
    written = warpwright("backup", str(file))
    assert written.stdout == f"1 runs (10 rows, 3 files) kept in {file}\n", written.output
    refused = warpwright("restore", str(file))
    assert refused.exit_code == 2
    assert "has runs already" in refused.output
    monkeypatch.setenv("WARPWRIGHT_HOME", str(tmp_path / "new"))
    told = json.loads(warpwright("restore", str(file), "--json").stdout)
    assert told == {"runs": 1, "rows": 10, "files": 3}
    assert Store(Home(tmp_path / "new")).get_run(run).task == "mine"


def test_runs_are_forgotten_by_age_and_only_when_it_is_meant(warpwright: Warpwright, home: Path) -> None:
    store = Store(Home(home))
    run = asyncio.run(filled(Home(home)))
    store.runs.end(run, RunState.COMPLETED, Stop.DEPTH, seconds=1.0)
    assert "0 runs would be forgotten" in warpwright("prune", "--older-than", "1d", "--dry-run").stdout
    would = json.loads(warpwright("prune", "--older-than", "0h", "--dry-run", "--json").stdout)
    assert would["runs"] == [run]
    assert len(store.list_runs()) == 1
    assert warpwright("prune", "--older-than", "0h").stdout.splitlines()[0] == run
    assert store.list_runs() == []
    wrong = warpwright("prune", "--older-than", "soon")
    assert wrong.exit_code == 2
    assert "expected a number of hours, days or weeks" in wrong.output
