"""What templates of pages and of Markdown both say of facts: the same words, whatever escapes them afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent.exploration import exploration_text
from agent.report.figures import named, pairs
from agent.report.task_suite_figures import behind, outcome, two_digits

SHARED: Mapping[str, Callable[[Any], str]] = {
    "pairs": pairs,
    "named": named,
    "explored": exploration_text,
    "two": two_digits,
    "outcome": outcome,
    "behind": behind,
}
