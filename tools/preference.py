"""Which of two right kernels is preferred where an estimate cannot tell their latencies apart."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TypeVar

from sandbox.verdict import Provenance
from tools.reports import CompileReport, ProfileReport

T = TypeVar("T")

RESOLUTION = 0.03
"""Of two estimates that differ by less than this part of the smaller one the leaner kernel is chosen.

It is less than an estimate's error, because kernels for one task err alike: 96 of 100 published pairs that differ by
more than 5 percent stand in the right order (docs/cost-model.md, "Confidence").
"""


@dataclass(frozen=True)
class Merit:
    """What a choice between right kernels looks at.

    Attributes:
        latency_us: Over the benchmark shapes, microseconds.
        estimated: Whether that is an estimate; what a GPU measured is taken as it is.
        leanness: Bytes of registers spilled, registers a thread, launches: less is better, in this order.
    """

    latency_us: float
    estimated: bool
    leanness: tuple[int, int, int]


def merit(profile: ProfileReport, compiled: CompileReport | None) -> Merit:
    """Return the merit of a kernel that was timed.

    Args:
        profile: With a latency.
        compiled: What the assembler says of it; None where nobody knows, which counts as nothing spilled.
    """
    assert profile.latency_us is not None, "only what was timed has a merit"
    resources = () if compiled is None else compiled.resources
    spilled = sum(one.spill_bytes for one in resources)
    registers = max((one.registers for one in resources), default=0)
    launches = max((len(shape.launches) for shape in profile.shapes), default=0)
    estimated = profile.provenance is not Provenance.MEASURED
    return Merit(profile.latency_us, estimated, (spilled, registers, launches))


def preferred(candidates: Sequence[T], of: Callable[[T], Merit]) -> list[T]:
    """Order candidates, the one to choose first.

    The fastest comes first, unless others are as fast as far as an estimate can tell: then the leanest of these,
    and of equally lean ones the fastest. The same is asked again of those that are left.

    Args:
        candidates: In any order; of equal ones the earlier comes first.
        of: The merit of each.
    """
    merits = [of(one) for one in candidates]
    by_time = sorted(range(len(candidates)), key=lambda at: merits[at].latency_us)
    waiting = {kind: deque(at for at in by_time if merits[at].estimated is kind) for kind in (False, True)}
    tied: dict[bool, list[tuple[tuple[int, int, int], float, int]]] = {False: [], True: []}
    taken, order = set[int](), list[T]()
    for fastest in by_time:
        while fastest not in taken:
            merit = merits[fastest]
            limit = merit.latency_us * (1 + RESOLUTION) if merit.estimated else merit.latency_us
            left, lean = waiting[merit.estimated], tied[merit.estimated]
            while left and merits[left[0]].latency_us <= limit:
                at = left.popleft()
                heappush(lean, (merits[at].leanness, merits[at].latency_us, at))
            chosen = heappop(lean)[-1]
            taken.add(chosen)
            order.append(candidates[chosen])
    return order


def indistinct(profile: ProfileReport) -> bool:
    """Whether the estimates of a kernel and of its baseline are too close to say which is faster."""
    return profile.speedup is not None and too_close(profile, profile.speedup)


def too_close(profile: ProfileReport, ratio: float) -> bool:
    """Whether an estimate's error, or the resolution of choices where that is unknown, is larger than a difference.

    Args:
        profile: Of one of two kernels.
        ratio: The time of either over that of the other.
    """
    if profile.provenance is Provenance.MEASURED:
        return False
    error = max(RESOLUTION, profile.error or 0.0)
    return 1 / (1 + error) < ratio < 1 + error
