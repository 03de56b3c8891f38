"""How much an answer holds: every limit on what a candidate, a task or a device can make long."""

from __future__ import annotations

from typing import Annotated, cast

from pydantic import AfterValidator, BeforeValidator

from tools.judge.explanation import shorten

ITEMS = 16
"""Of any list that is not named here."""
HOT_LINES = 5
"""Of a launch."""
LAUNCHES = 4
"""Whose metrics and lines are told."""
METRICS = 12
"""Of a launch; the others are in the profile that its answer links to."""
FILE = 32 * 1024
"""Characters of a task's reference and of its baseline."""
SUMMARY = 300
"""Characters of a task's summary in a list, and of a stage's or a candidate's message."""
MESSAGE = 400
"""Characters of a compiler's message, and of a message on one kernel among several."""
CANDIDATES = 40
"""Of a search, the latest."""


def _cut(value: object, count: int) -> object:
    return cast("list[object]", value)[:count] if isinstance(value, list | tuple) else value


Few = BeforeValidator(lambda value: _cut(value, ITEMS))
FewHotLines = BeforeValidator(lambda value: _cut(value, HOT_LINES))
FourDigits = Annotated[float, AfterValidator(lambda value: float(f"{value:.4g}"))]
"""A number as models read it: more digits mean nothing, and each costs a token."""
Message = Annotated[str, AfterValidator(lambda text: shorten(text, MESSAGE))]
StageMessage = Annotated[str, AfterValidator(lambda text: shorten(text, SUMMARY))]
