"""What a what-if foretells beside what was measured once its cause was gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.published.dataset import Change
from benchmarks.published.observing import Published
from sandbox.simulator.cost.constants import USED
from sandbox.simulator.cost.what_if import latencies_without


@dataclass(frozen=True)
class Effect:
    """How many times as fast a change made, or would make, a kernel.

    Attributes:
        measured: Of the published times.
        foretold: By the what-if of the kernel before the change.
        estimated: By the estimates of both kernels.
    """

    change: Change
    measured: float
    foretold: float
    estimated: float


def effects(changes: Sequence[Change], observed: Sequence[Published]) -> list[Effect]:
    """Compare those changes of which both kernels were observed, by the constants in use."""
    kernels = {(one.family.name, one.variant): one for one in observed}
    found: list[Effect] = []
    for change in changes:
        before, after = (kernels.get((change.family, name)) for name in (change.before, change.after))
        if before is not None and after is not None:
            found.append(_effect(change, before, after))
    return found


def _effect(change: Change, before: Published, after: Published) -> Effect:
    now = before.estimate(USED).latency_us
    without = latencies_without(before.demand, before.shape, before.family.gpu)
    return Effect(
        change,
        before.measured_us / after.measured_us,
        now / without.get(change.cause, now),
        now / after.estimate(USED).latency_us,
    )
