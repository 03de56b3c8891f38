"""An account as Markdown: the page's figures without its plots."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from jinja2 import Environment

from agent.report.account import (
    Account,
    CheckAccount,
    ChecksAccount,
    ComparisonAccount,
    Figure,
    KernelAccount,
    RunAccount,
)
from agent.report.environment import text_environment
from agent.report.figures import amount
from agent.report.filters import SHARED
from agent.report.listing import difference
from agent.report.task_suite_account import TaskSuiteAccount
from agent.report.task_suite_figures import figure_alone
from agent.report.visible import shortened, visible

_LONGEST_CELL = 400
_SPECIAL = re.compile(r"[\\`*{}\[\]<>#|~!&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
"""What Markdown or HTML would read; neither minds an underscore within a word."""


def markdown(account: Account | TaskSuiteAccount) -> str:
    """Return an account as Markdown; what strangers wrote is escaped, or fenced."""
    match account:
        case RunAccount():
            return _page("run.md", run=account)
        case ComparisonAccount():
            return _page("comparison.md", pair=account)
        case CheckAccount():
            return _page("check.md", check=account, kernel=account.kernel)
        case TaskSuiteAccount():
            return _page("task_suite.md", suite=account)
        case ChecksAccount():
            return _page("checks.md", checks=account, right=sum(one.ok for one in account.kernels))


def _page(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    filters: Any = {
        **SHARED,
        "cell": cell,
        "fenced": _fenced,
        "fig": _figure,
        "diffed": _diffed,
        "value": figure_alone,
    }
    return text_environment("agent.report", filters)


def cell(text: object) -> str:
    """Return a stranger's text on one line, with everything escaped that Markdown or HTML would read."""
    line = " ".join(visible(shortened(str(text), _LONGEST_CELL)).split())
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", line)


def _fenced(text: str, language: str) -> str:
    shown = visible(text).rstrip("\n")
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def _figure(one: Figure | None) -> str:
    return "" if one is None else f"{amount(one.value, one.unit)} ({one.provenance})"


def _diffed(before: KernelAccount | None, after: KernelAccount | None) -> str:
    if before is None or after is None or before.text is None or after.text is None:
        return "One of the texts is not kept."
    lines = "\n".join(line.text for line in difference(before.text, after.text))
    return _fenced(lines, "diff") if lines else "They are the same."
