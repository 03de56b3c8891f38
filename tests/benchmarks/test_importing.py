"""Coverage of imports: what became of each problem, and what that adds up to."""

from __future__ import annotations

from benchmarks.importing.__main__ import PROBLEMS, Outcome, told, totals
from sandbox.verdict import Verdict


def test_problems_are_counted_by_level_with_their_baselines() -> None:
    found = [
        Outcome("level1", "relu", 1.0, verdict=Verdict.PASS, operators=("relu",)),
        Outcome("level1", "fft", 1.0, "line 6: operator fft_fft: it has no translation into NumPy"),
        Outcome(
            "level2", "both", 2.0, verdict=Verdict.WRONG_RESULT, message="x", operators=("relu", "linear")
        ),
    ]
    assert totals(found) == [
        "level1: 1 of 2 problems are tasks, 1 of 1 baselines of the composer pass",
        "level2: 1 of 1 problems are tasks, 0 of 1 baselines of the composer pass",
        "all: 2 of 3 problems are tasks, 1 of 2 baselines of the composer pass",
        "operators of ATen in them: 2",
    ]
    assert told(found[1]).endswith("no task: line 6: operator fft_fft: it has no translation into NumPy")


def test_our_problems_are_more_than_thirty_of_three_levels() -> None:
    counts = {level: len([*(PROBLEMS / level).glob("*.py")]) for level in ("level1", "level2", "level3")}
    assert min(counts.values()) >= 15
    assert sum(counts.values()) > 60
