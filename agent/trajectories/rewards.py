"""The reward of a kernel: how far it came, then how fast it is; a wrong one never gets more than a right one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from sandbox.verdict import Verdict

NAME = "stage_then_speed/1"
"""Changes with the definition, so that lines of two definitions are told apart."""
DEFINITION = (
    "For a kernel that passed 1 + log2(1 + speedup over the task's baseline), 1 where it was not timed. For one that"
    " failed, by how far it came: 0 rejected, 0.1 does not compile, 0.2 does not launch or takes more than there is,"
    " 0.3 faults, races, deadlocks or reads what nothing wrote, 0.4 ends with wrong results. What no machine could"
    " judge has no reward, and is in no line."
)
_PASSED = 1.0
_FAILED = {
    Verdict.REJECTED: 0.0,
    Verdict.COMPILE_ERROR: 0.1,
    Verdict.LAUNCH_ERROR: 0.2,
    Verdict.RESOURCE_LIMIT: 0.2,
    Verdict.MEMORY_FAULT: 0.3,
    Verdict.UNINITIALIZED: 0.3,
    Verdict.RACE: 0.3,
    Verdict.BARRIER_DIVERGENCE: 0.3,
    Verdict.TIMEOUT: 0.3,
    Verdict.INPUT_MODIFIED: 0.4,
    Verdict.WRONG_RESULT: 0.4,
    Verdict.NONDETERMINISTIC: 0.4,
}


@dataclass(frozen=True)
class Rewarded:
    """A judged kernel; `speedup` is over the baseline, None where it was not timed."""

    verdict: Verdict
    speedup: float | None
    reward: float


def reward(verdict: Verdict, speedup: float | None) -> float | None:
    """Return the reward that `DEFINITION` says; None for what was not judged.

    Args:
        verdict: The last one on the kernel.
        speedup: Latency of the baseline over that of the kernel; None where it was not timed.
    """
    if verdict is not Verdict.PASS:
        return _FAILED.get(verdict)
    return _PASSED if speedup is None else _PASSED + math.log2(1.0 + speedup)


def out_of_order(judged: Iterable[Rewarded]) -> list[tuple[Rewarded, Rewarded]]:
    """Return neighbours whose rewards contradict their verdicts; none where rewards order as verdicts do.

    Right kernels stand above wrong ones, faster ones above slower ones and both above those that were not timed.
    """
    ranked = sorted(judged, key=lambda one: (one.verdict is Verdict.PASS, one.speedup or 0.0))
    wrong = [one for one in ranked if one.verdict is not Verdict.PASS]
    right = [one for one in ranked if one.verdict is Verdict.PASS]
    found = [(low, high) for low, high in pairwise(right) if low.reward > high.reward]
    if wrong and right:
        highest = max(wrong, key=lambda one: one.reward)
        lowest = min(right, key=lambda one: one.reward)
        found += [(highest, lowest)] if highest.reward >= lowest.reward else []
    return found
