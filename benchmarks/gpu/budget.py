"""How the time is divided: parts have shares, kernels a part of what is left; what does not fit is named."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

from sandbox.errors import UsageError, WorkerError

T = TypeVar("T")

ITEM_S = 60.0
"""The most that one thing may take of the time."""
SLACK = 1.5
"""One thing may take so many times its even share: most take less, and what they leave is shared anew."""
LEAST_S = 1.0
"""With less than this nothing is begun."""


class Clock:
    """Gives out time: a part ends when its share, and what earlier parts left over, is used up."""

    def __init__(self, seconds: float) -> None:
        """Start."""
        self._start = time.monotonic()
        self._seconds = seconds
        self._until = 0.0

    @property
    def passed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def part(self, share: float) -> None:
        """Begin a part with this share of the whole."""
        self._until += share * self._seconds

    @property
    def left(self) -> float:
        """Seconds left for the part."""
        return self._until - self.passed


def shares(clock: Clock, weights: Sequence[float]) -> Iterator[float]:
    """Yield for each thing in turn the seconds that it may take, given what those before it have left.

    Args:
        clock: Of the part.
        weights: How much each thing is thought to need, in any unit.
    """
    to_come = sum(weights)
    for weight in weights:
        yield min(ITEM_S, clock.left, SLACK * clock.left * weight / to_come)
        to_come -= weight


async def within(limit_s: float, skipped: list[str], what: str, work: Callable[[], Awaitable[T]]) -> T | None:
    """Do one thing within its time; None where there was none, or where it failed, which is noted."""
    if limit_s <= LEAST_S:
        skipped.append(f"{what}: out of time")
        return None
    try:
        async with asyncio.timeout(limit_s):
            return await work()
    except TimeoutError:
        skipped.append(f"{what}: not done within {limit_s:.0f} s")
    except (WorkerError, UsageError) as error:
        skipped.append(f"{what}: {str(error)[:300]}")
    return None
