"""The benchmark of killed writers: real processes and real kills, on both engines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.store.address import VARIABLE
from tests.postgres import cluster

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_what_was_acknowledged_is_there_after_kills_and_nothing_is_by_halves(engine: str) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    if engine == "postgresql":
        environment[VARIABLE] = cluster().database()
    # A process of its own: writers are forked, and this one may have threads of libraries that other tests loaded.
    command = [sys.executable, "-m", "benchmarks.store_kills", "--kills", "4", "--seed", "1", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    damage = json.loads(done.stdout)
    assert (damage["engine"], damage["kills"], damage["lost"], damage["halves"]) == (engine, 4, 0, 0)
    assert damage["written"] > 10
