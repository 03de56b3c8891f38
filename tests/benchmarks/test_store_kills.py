"""The benchmark of killed writers: real processes and real kills, on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.home import Home
from agent.store.address import VARIABLE
from benchmarks.store_kills import kill_writers
from tests.postgres import cluster


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_what_was_acknowledged_is_there_after_kills_and_nothing_is_by_halves(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if engine == "postgresql":
        monkeypatch.setenv(VARIABLE, cluster().database())
    damage = kill_writers(Home(tmp_path), kills=4, seed=1)
    assert (damage.engine, damage.kills, damage.lost, damage.halves) == (engine, 4, 0, 0)
    assert damage.written > 10
