"""Judge a kernel, say what bounds it, and search for a faster one: warpwright from Python.

    python examples/scripts/check_and_search.py [KERNEL.cu] [--task relu]

In a notebook the last value of a cell shows its whole report.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import warpwright


def main() -> None:
    """Judge, profile and search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kernel", type=Path, nargs="?", help="By default the task's own baseline.")
    parser.add_argument("--task", default="relu")
    asked = parser.parse_args()

    task = warpwright.Task(asked.task)
    kernel = asked.kernel or task.baseline
    verdict = warpwright.check(kernel, task)
    print(f"{task.name}: {verdict.verdict}. {verdict.message}")  # noqa: T201
    if not verdict.passed:
        raise SystemExit(1)
    found = warpwright.profile(kernel, task)
    print(f"{found.latency_us:.4g} us {found.provenance}, bound by {found.bottleneck}")  # noqa: T201
    best = warpwright.optimize(task, candidates=2, depth=1)
    print(best)  # noqa: T201


if __name__ == "__main__":
    main()
