"""Shows the suite's rates at the end of a test run, whatever pytest captures and in whichever process a test ran."""

from __future__ import annotations

from collections import Counter

import pytest

WORDS = {"hostile": "caught", "honest": "passed"}
"""A property that the tests record, {kind: (right, all)}, and what to call the right ones."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    right: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    for report in (
        one for outcome in ("passed", "failed") for one in terminalreporter.stats.get(outcome, ())
    ):
        for kind, counts in getattr(report, "user_properties", ()) if report.when == "call" else ():
            if kind in WORDS:
                right[kind] += counts[0]
                judged[kind] += counts[1]
    if judged:
        terminalreporter.section("hostile kernels")
        for kind, word in WORDS.items():
            terminalreporter.line(f"{kind}: {word} {right[kind]} / {judged[kind]}")
