"""Which sizes an imported task is tested at: small and awkward ones, within what a simulator can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

WORK = 60_000
"""Floating point operations of one test case, where the graph's own sizes allow so few."""
MOST_WORK = 60_000_000
"""Beyond this no case is small enough to be tested on the simulator."""

_STEPS = ((0, 0, 0), (2, 6, 1), (6, 2, 4), (15, 3, 7), (4, 16, 32), (32, 12, 5), (1, 256, 15), (96, 1, 30))
"""How far above its least each dim is, in turn, in units of what must divide it."""


@dataclass(frozen=True)
class DimChoice:
    """A dim, and what it may be.

    Attributes:
        size: Of the example.
        least: The least size.
        step: What divides all sizes.
        largest: Whether nothing larger than the example's size is meant.
    """

    name: str
    size: int
    least: int
    step: int
    largest: bool = False


Work = Callable[[Mapping[str, int]], int]


def candidates(dims: tuple[DimChoice, ...], work: Work) -> list[dict[str, int]]:
    """Return sizes to test at, cheap and far from square; the first is the least of all dims."""
    found: list[dict[str, int]] = []
    limit = max(WORK, 4 * work({one.name: one.least for one in dims}))
    for row in _STEPS:
        sizes = {one.name: _size(one, row[place % len(row)]) for place, one in enumerate(dims)}
        sizes = _cheaper(dims, sizes, work, limit)
        if sizes not in found:
            found.append(sizes)
    return found


def _size(dim: DimChoice, steps: int) -> int:
    most = max((dim.size - dim.least) // dim.step, 0)
    return dim.least + dim.step * min(steps, most)


def _cheaper(dims: tuple[DimChoice, ...], sizes: dict[str, int], work: Work, limit: int) -> dict[str, int]:
    """Halve what is farthest from its least until the work is small."""
    while work(sizes) > limit and (smaller := halved(dims, sizes)) is not None:
        sizes = smaller
    return sizes


def halved(dims: tuple[DimChoice, ...], sizes: Mapping[str, int]) -> dict[str, int] | None:
    """Return sizes of which the one that is farthest from its least is half as far; None where all are the least."""
    far = {one: (sizes[one.name] - one.least) // one.step for one in dims}
    largest = max(far, key=lambda one: far[one] * one.step, default=None)
    if largest is None or not far[largest]:
        return None
    return {**sizes, largest.name: largest.least + largest.step * (far[largest] // 2)}
