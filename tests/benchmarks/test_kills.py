"""The benchmark of killed searches: real processes, real kills, and nothing that was stored asked for again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.exhaustive import EXHAUSTIVE

ROOT = Path(__file__).parents[2]
STRATEGIES = ["auto", "fsr", "elites", "tree"] if EXHAUSTIVE else ["auto"]
"""What a search goes on from is the same for each: they are folds over what is stored."""


def test_searches_that_are_killed_at_random_points_end_as_they_should() -> None:
    command = [sys.executable, "-m", "benchmarks.kills", "--points", "1", "--rounds", "1", "--json"]
    command += [word for name in STRATEGIES for word in ("--strategy", name)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    finished = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert finished.returncode == 0, finished.stderr
    tallies = json.loads(finished.stdout)
    assert [tally["strategy"] for tally in tallies] == STRATEGIES
    for tally in tallies:
        assert tally["kills"] >= 1
        assert tally["questions"] > 2
        assert (tally["asked_again"], tally["overshot"], tally["unfinished"]) == (0, 0, 0)
