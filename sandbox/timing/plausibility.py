"""What no kernel can be: faster than the memory and the arithmetic of its GPU, or than the clock on the wall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

SLACK = 0.95
"""A time may be this part of the least one: peaks are rounded, and an event tells half a microsecond."""

_MEMO = 0.8


@dataclass(frozen=True)
class Ceilings:
    """The most that a GPU does: bytes and operations a second, and where the numbers are from.

    Attributes:
        cache_bytes: What may lie in its caches already: so many bytes need not move.
    """

    bytes_per_s: float
    flops_per_s: float
    source: str
    cache_bytes: int = 0


def least_us(bytes_moved: float, flops: float, ceilings: Ceilings) -> float:
    """Return the least possible time, microseconds: the longer of moving the bytes and doing the operations."""
    moved = max(0.0, bytes_moved - ceilings.cache_bytes)
    return 1e6 * max(moved / ceilings.bytes_per_s, flops / ceilings.flops_per_s)


def implausible(time_us: float, bytes_moved: float, flops: float, ceilings: Ceilings) -> str | None:
    """Return why a time cannot be, with the arithmetic; None where it can.

    Args:
        time_us: Median over cold runs, microseconds.
        bytes_moved: Least bytes that the task reads and writes.
        flops: Least operations of the task.
        ceilings: Of the GPU.
    """
    least = least_us(bytes_moved, flops, ceilings)
    if time_us >= SLACK * least:
        return None
    moved = 1e6 * max(0.0, bytes_moved - ceilings.cache_bytes) / ceilings.bytes_per_s
    if moved >= 1e6 * flops / ceilings.flops_per_s:
        why = (
            f"the task moves at least {bytes_moved:.4g} bytes, {ceilings.cache_bytes:.4g} of which caches may hold; "
            f"at {ceilings.bytes_per_s:.4g} bytes a second the rest takes {moved:.4g} us"
        )
    else:
        why = (
            f"the task takes at least {flops:.4g} operations; at {ceilings.flops_per_s:.4g} a second that is "
            f"{least:.4g} us"
        )
    return f"{time_us:.4g} us cannot be: {why} ({ceilings.source})"


def faster_than_the_wall(times_us: Sequence[float], wall_s: float) -> str | None:
    """Return a complaint where the samples together took longer than the clock on the wall says; else None."""
    total = sum(times_us) / 1e6
    return f"samples of {total:.4g} s in all were taken within {wall_s:.4g} s" if total > wall_s else None


def remembers(times: Sequence[float]) -> str | None:
    """Return a warning where later samples are far faster than the first ones, as if results were kept; else None."""
    third = len(times) // 3
    if not third:
        return None
    first, last = median(times[:third]), median(times[-third:])
    if last >= _MEMO * first:
        return None
    return f"later runs took {last:.4g} us where the first took {first:.4g} us: are results kept from run to run?"
