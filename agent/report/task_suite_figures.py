"""What a suite's tables say in their cells."""

from __future__ import annotations

from agent.report.account import Figure
from agent.report.figures import amount, microseconds
from agent.report.task_suite_account import SuiteRow, TaskSuiteAccount
from tools.reports import not_judged_text


def figure_alone(one: Figure | None) -> str:
    """Return a figure for a column that names its unit and says where it comes from; nothing of none."""
    if one is None:
        return ""
    match one.unit:
        case "us":
            return microseconds(one.value)
        case "of roofline":
            return f"{one.value:.0%}"
        case _:
            return amount(one.value, one.unit)


def two_digits(value: float | None) -> str:
    """Return a mean of speedups, or nothing."""
    return "" if value is None else f"{value:.2f}"


LIBRARIES = 0.6
"""Of the roofline: what good libraries reach in most tasks; a kernel below it leaves them room."""


def behind(suite: TaskSuiteAccount) -> str:
    """Return the tasks whose best kernel a library may still beat, as in `conv2d 7% (bound by l1)`."""
    rows = [row for row in suite.rows if row.roofline is not None and row.roofline.value < LIBRARIES]
    return ", ".join(f"{row.task} {figure_alone(row.roofline)} (bound by {row.bottleneck})" for row in rows)


def outcome(row: SuiteRow) -> str:
    """Return what became of a suite's task in a few words: a verdict, or why there is no kernel."""
    if row.latency is not None:
        return str(row.verdict) + not_judged_text(row.verdict, row.not_judged)
    return row.message or row.state
