"""Whether a warm-up has come to its end."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

WINDOW = 5
_TOLERANCE = 0.02


def stable(times: Sequence[float], *, window: int = WINDOW, tolerance: float = _TOLERANCE) -> bool:
    """Say whether the last `window` times agree with the window before: medians within `tolerance`, relative.

    Fewer than two windows of samples are never stable.
    """
    if len(times) < 2 * window:
        return False
    before, last = median(times[-2 * window : -window]), median(times[-window:])
    return abs(last - before) <= tolerance * before
