"""What a suite's tables say in their cells."""

from __future__ import annotations

from agent.report.account import Figure
from agent.report.figures import amount, microseconds
from agent.report.suite_account import SuiteRow
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


def outcome(row: SuiteRow) -> str:
    """Return what became of a suite's task in a few words: a verdict, or why there is no kernel."""
    if row.latency is not None:
        return str(row.verdict) + not_judged_text(row.verdict, row.not_judged)
    return row.message or row.state
