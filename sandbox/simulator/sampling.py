"""Which blocks of a launch are executed to count what it does, and when all of them are.

A sample stands for the grid where every block does about as much as any other. Where blocks take tickets from a
counter, the first ones that run do the work of all; where some do far more than others, a sample says little; where
blocks wait for others, they never end without them. Then the whole launch is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from sandbox.device import Array
from sandbox.plan import LaunchMode
from sandbox.simulator.cost.counting import Counter
from sandbox.simulator.execute.effort import Effort
from sandbox.simulator.execute.interleaving import finished
from sandbox.simulator.execute.launching import LaunchSetup, batches
from sandbox.simulator.execute.scheduler import Scheduler
from sandbox.simulator.machine.state import Machine

SAMPLE_LANES = 8192
SAMPLE_BLOCKS = 32

_PROBE = 2
_FEW = 0.25
"""Where blocks after the sample do less than this of what one of the sample did, that did their work too."""

_UNEVEN = 4.0
"""Where one block does this many times the work of the average, the sample is too uneven to stand for the grid."""

_WHOLE_WORK = 5e8
"""Thread-instructions that are counted at most because a sample is uneven."""


@dataclass(frozen=True)
class _Under:
    """A batch that is being counted."""

    scheduler: Scheduler
    machine: Machine


@dataclass
class _Counting:
    """Counts batches of one launch, which may wait for each other."""

    setup: LaunchSetup
    counter: Counter
    effort: Effort
    started: list[Array] = field(default_factory=list[Array])
    ended: int = 0

    @property
    def counted(self) -> int:
        """How many blocks were begun."""
        return sum(map(len, self.started))

    @property
    def stalled(self) -> bool:
        """Whether some of them wait for others."""
        return self.ended < len(self.started)

    @property
    def remaining(self) -> int:
        """How many blocks were not begun."""
        return self.setup.geometry.blocks - self.counted

    def left(self) -> Array:
        """The blocks that were not begun; an array as long as they are many."""
        begun = np.zeros(self.setup.geometry.blocks, dtype=np.bool_)
        begun[np.concatenate(self.started)] = True
        return np.flatnonzero(~begun)

    def batches(self, blocks: Array) -> Iterator[_Under]:
        """Begin these blocks, as many at a time as run in lock step."""
        for some in batches(self.setup, blocks):
            machine = self.setup.machine(some, (self.counter,))
            self.counter.start_batch(machine, self.counted)
            self.started.append(some)
            yield _Under(Scheduler(self.setup, machine, self.counter.enter, self.effort), machine)

    def run(self, blocks: Array) -> float:
        """Count these blocks, and all others where they wait for some of those; their thread-instructions."""
        before = self.effort.work.thread_instructions

        def begun() -> Iterator[_Under]:
            yield from self.batches(blocks)
            if self.stalled and self.remaining:
                yield from self.batches(self.left())

        with np.errstate(all="ignore"):
            for under in finished(begun(), self.setup.resident_lanes):
                self.counter.end_batch(under.machine)
                self.ended += 1
        return self.effort.work.thread_instructions - before


def count_blocks(setup: LaunchSetup, sample: Array, counter: Counter, effort: Effort) -> int:
    """Count a sample of a launch's blocks, or all of them where a sample says too little.

    Args:
        setup: The launch.
        sample: From `chosen_blocks`.
        counter: Fresh.
        effort: What it costs.

    Returns:
        How many blocks the counts are of: as many as were executed.

    Raises:
        FaultError: A lane faulted, or counting may cost no more.
    """
    counting = _Counting(setup, counter, effort)
    total = setup.geometry.blocks
    work = counting.run(sample)
    if not counting.remaining:
        return total
    mean = work / len(sample)
    if setup.code.takes:
        probe = counting.left()[: _PROBE * setup.geometry.cluster_size]
        if counting.run(probe) < _FEW * mean * len(probe) and counting.remaining:
            counting.run(counting.left())
    elif counter.most_work() > _UNEVEN * mean and mean * total < _WHOLE_WORK:
        counting.run(counting.left())
    return counting.counted


def chosen_blocks(setup: LaunchSetup) -> Array:
    """The blocks to run: a sample of them, or of whole clusters.

    A cooperative grid runs whole, because its blocks wait for each other. Where blocks wait for flags of others
    (look-back, tickets) the first ones run: those wait for none but each other.
    """
    geometry = setup.geometry
    if setup.launch.mode is LaunchMode.COOPERATIVE:
        return geometry.cluster_blocks(np.arange(geometry.blocks // geometry.cluster_size)).reshape(-1)
    size = geometry.cluster_size
    sample = sample_blocks(geometry.blocks // size, geometry.threads * size, max(2, SAMPLE_BLOCKS // size))
    if setup.code.uses.flags:
        sample = np.arange(len(sample), dtype=np.int64)
    return geometry.cluster_blocks(sample).reshape(-1)


def sample_blocks(total: int, threads: int, most: int = SAMPLE_BLOCKS) -> Array:
    """Linear indices of the blocks to run: all if they are few, else evenly spread pairs of neighbours.

    Pairs, so that what neighbours share can be seen; the first and the last block are among them.
    """
    count = max(2, min(most, SAMPLE_LANES // threads))
    if total <= count:
        return np.arange(total, dtype=np.int64)
    first = np.linspace(0, total - 2, count // 2).astype(np.int64)
    return np.unique(np.stack([first, first + 1], axis=1).reshape(-1))
