"""Which launches of a plan their samples say too little of, judged by what the launches do together.

A sample of blocks is enough as long as later launches do not go by what it left undone, and as long as the blocks
that were not run do what the sampled ones do. Every element of an output must be written by somebody: where the
samples, scaled to their grids, write far less, others write it. Where outputs are few, inputs must be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.plan import Plan, Role
from sandbox.simulator.cost.counting import Counter
from sandbox.simulator.cost.traffic import LaunchShape

_COVERED = 0.75
"""The part of an output that the samples must account for."""

_FEW = 0.125
"""Where outputs have less than this of the inputs' bytes, it is the inputs that must be accounted for."""


@dataclass(frozen=True)
class Counted:
    """A launch of which a sample was executed: all that an estimate is made from.

    Attributes:
        governing: Loads that say what its blocks do.
    """

    counter: Counter
    shape: LaunchShape
    governing: frozenset[int] = frozenset()

    @property
    def whole(self) -> bool:
        """Whether every block was executed."""
        return self.shape.sampled == self.shape.blocks

    def buffers(self, kinds: frozenset[str], only: frozenset[int] | None = None) -> set[str]:
        """Names of the buffers that accesses of these kinds reached.

        Args:
            kinds: "load", "store", "atomic".
            only: Identities of instructions; None for all.
        """
        return {
            name
            for site in self.counter.sites.values()
            if site.space == "global"
            and site.kind in kinds
            and (only is None or id(site.instruction) in only)
            for name in site.buffers
        }


_READS, _WRITES = frozenset({"load", "atomic"}), frozenset({"store", "atomic"})


def incomplete(plan: Plan, counted: Sequence[Counted]) -> frozenset[int]:
    """The numbers of the launches that must be counted whole; none where the samples say enough."""
    sampled = {number for number, one in enumerate(counted) if not one.whole}
    if not sampled:
        return frozenset()
    return frozenset(_awaited(counted, sampled) | (sampled if _lacking(plan, counted) else set()))


def _awaited(counted: Sequence[Counted], sampled: set[int]) -> set[int]:
    """Launches whose results a later one goes by: directly, or through what others make of them."""
    needed: set[int] = set()
    for later in range(len(counted) - 1, 0, -1):
        one = counted[later]
        read = one.buffers(_READS, None if later in needed else one.governing)
        needed |= {n for n in range(later) if read & counted[n].buffers(_WRITES)}
    return needed & sampled


def _lacking(plan: Plan, counted: Sequence[Counted]) -> bool:
    """Whether some output is written, or some input read where outputs are few, by blocks that were not sampled."""
    sizes = {buffer.name: buffer.nbytes for buffer in plan.buffers}
    roles = {role: [b.name for b in plan.buffers if b.role is role] for role in Role}
    outputs = roles[Role.OUT]
    if any(_touched(name, counted, _WRITES) < _COVERED * sizes[name] for name in outputs):
        return True
    inputs = roles[Role.IN]
    if sum(sizes[name] for name in outputs) > _FEW * sum(sizes[name] for name in inputs):
        return False
    return any(_touched(name, counted, _READS) < _COVERED * sizes[name] for name in inputs)


def _touched(name: str, counted: Sequence[Counted], kinds: frozenset[str]) -> float:
    """Bytes of a buffer that the launches reach, by what was sampled of them."""
    total = 0.0
    for one in counted:
        reach = one.shape.reach.get(name)
        sites = [
            site
            for site in one.counter.sites.values()
            if site.space == "global" and site.kind in kinds and name in site.buffers
        ]
        moved = sum(site.lanes * site.size for site in sites) * one.shape.scale
        total += min(moved, reach.all_bytes) if reach is not None else 0.0
    return total
