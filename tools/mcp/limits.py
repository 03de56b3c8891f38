"""How much an answer holds: every limit on what a candidate, a task or a device can make long."""

from __future__ import annotations

from typing import Annotated, cast

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from tools.judge.explanation import shorten

ITEMS = 16
"""Of any list that is not named here."""
HOT_LINES = 8
"""Of a launch."""
METRICS = 48
"""Of a launch, unless all are asked for."""
ALL_METRICS = 400
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


def _cut_metrics(value: object, info: ValidationInfo) -> object:
    return _cut(value, cast("dict[str, int]", info.context or {}).get("metrics", ALL_METRICS))


Few = BeforeValidator(lambda value: _cut(value, ITEMS))
FewHotLines = BeforeValidator(lambda value: _cut(value, HOT_LINES))
FewMetrics = BeforeValidator(_cut_metrics)
"""As many as the context of validation says under `metrics`, and never more than `ALL_METRICS`."""
Message = Annotated[str, AfterValidator(lambda text: shorten(text, MESSAGE))]
StageMessage = Annotated[str, AfterValidator(lambda text: shorten(text, SUMMARY))]
