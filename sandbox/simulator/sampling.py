"""Which blocks of a launch are executed to count what it does, and when all of them are.

A sample stands for the grid where every block does about as much as any other. It is drawn at random, in pairs of
neighbours, one pair from each part of the grid, the first blocks and the last ones among them. Where blocks take
tickets from a counter, whoever comes first or last does more; where some do far more than others, a sample says
little; where none of them writes anything, the work lies elsewhere; where blocks wait for others, they do not end
without them. Then more blocks are counted, or the whole launch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from sandbox.budget import Work
from sandbox.device import Array
from sandbox.plan import LaunchMode
from sandbox.simulator.cost.counting import Counter
from sandbox.simulator.execute.effort import Effort
from sandbox.simulator.execute.interleaving import finished
from sandbox.simulator.execute.launching import LaunchSetup, batches
from sandbox.simulator.execute.limits import MAX_WHOLE
from sandbox.simulator.execute.scheduler import Scheduler
from sandbox.simulator.execute.turns import Turns
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.lanes import LANES_PER_BATCH
from sandbox.simulator.machine.state import Machine
from sandbox.verdict import Verdict

SAMPLE_LANES = 8192
SAMPLE_BLOCKS = 32

_PROBE = 2
_FEW = 0.25
"""Where blocks after the sample do less than this of what one of the sample did, that did their work too."""

_TURNS = 2
"""Who takes work from a counter comes back at least once, to hear that there is none."""

_DIFFERENT = 1.5
"""Where one block does this many times the work of the average, more are counted."""

_MORE = 8
"""How many times as many."""

_UNEVEN = 4.0
"""Where one of those does this many times the work of the average, they are too uneven to stand for the grid."""

_WHOLE = Work(2_000_000_000, 60_000)
"""What counting a launch whole, because a sample says too little, may be expected to cost: some 20 s on one core."""

_MOST = Work(2 * _WHOLE.thread_instructions, 2 * _WHOLE.steps)
"""What it may cost."""

_SEARCHED = Work(_MOST.thread_instructions, 40_000)
"""What finding those may cost that do the work, where the sample stored nothing."""

_PASSED = 30
"""Instructions in a row besides, for each batch of blocks that do little."""

_LANES_TO_SEARCH = 4096
"""Threads at a time meanwhile: others need not keep step with whichever few blocks work."""


class Share(Enum):
    """How much of a launch is counted: a sample where it says enough, all that is affordable, or all of it."""

    SAMPLE = 0
    WHOLE = 1
    EVERY = 2


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
    before: Work = field(init=False)
    turns: Turns = field(init=False)

    def __post_init__(self) -> None:
        geometry = self.setup.geometry
        self.before = self.effort.work
        draw = self.setup.surroundings.sample(self.setup.number, 0)
        self.turns = Turns(draw, -(-geometry.blocks // geometry.blocks_per_batch))

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

    @property
    def affordable(self) -> bool:
        """Whether all blocks may be counted, if they do about what those do that were."""
        blocks, spent = self.setup.geometry.blocks, self.effort.work
        per_block = (spent.thread_instructions - self.before.thread_instructions) / self.counted
        batches = -(-blocks // self.setup.geometry.blocks_per_batch)
        steps = (spent.steps - self.before.steps) / len(self.started) * batches
        return (
            blocks <= MAX_WHOLE and per_block * blocks < _WHOLE.thread_instructions and steps < _WHOLE.steps
        )

    def is_queue(self, mean: float) -> bool:
        """Whether those that were counted did the work of others, who find nothing left; counts a few of those.

        Blocks that take turn after turn from a counter share the work out as they are free, on a device all of them.

        Args:
            mean: Thread-instructions of those that were counted, each.
        """
        again = self.counter.turns >= _TURNS * self.counted
        probe = self.left()[: _PROBE * self.setup.geometry.cluster_size]
        return self.run(probe) < _FEW * mean * len(probe) and again and bool(self.remaining)

    def complete(self) -> None:
        """Count all blocks that are left.

        Raises:
            FaultError: UNDECIDED where they do far more than those that were counted.
        """
        sampled = self.counted
        try:
            if self.counter.stores:
                most, lanes = _MOST, LANES_PER_BATCH
            else:
                lanes = _LANES_TO_SEARCH
                batches = self.setup.geometry.blocks * self.setup.geometry.threads // lanes
                most = Work(_SEARCHED.thread_instructions, _SEARCHED.steps + _PASSED * batches)
            with self.effort.at_most(most):
                self.run(self.left(), lanes)
        except FaultError as error:
            if error.fault.verdict is not Verdict.TIMEOUT:
                raise
            what = (
                f"{sampled} of {self.setup.geometry.blocks} blocks that were sampled do not stand for the others, "
                f"which do far more: {error.fault.message}"
            )
            raise FaultError(replace(error.fault, verdict=Verdict.UNDECIDED, message=what)) from error

    def batches(self, blocks: Array, lanes: int = LANES_PER_BATCH) -> Iterator[_Under]:
        """Begin these blocks, as many at a time as run in lock step."""
        for some in batches(self.setup, blocks, lanes=lanes):
            machine = self.setup.machine(some, (self.counter,))
            self.counter.start_batch(machine, self.counted)
            self.started.append(some)
            yield _Under(Scheduler(self.setup, machine, self.counter.enter, self.effort), machine)

    def _watched(self, batches: Iterator[_Under]) -> Iterator[_Under]:
        waits = self.setup.code.uses.waits and self.setup.launch.mode is not LaunchMode.COOPERATIVE
        return self.turns.watch(batches) if waits else batches

    def run(self, blocks: Array, lanes: int = LANES_PER_BATCH) -> float:
        """Count these blocks, and all others where they wait for some of those; their thread-instructions.

        Args:
            blocks: Linear indices.
            lanes: Threads at a time.
        """
        before = self.effort.work.thread_instructions

        def begun() -> Iterator[_Under]:
            yield from self._watched(self.batches(blocks, lanes))
            if self.stalled and self.remaining:
                yield from self.batches(self.left())

        with np.errstate(all="ignore"):
            for under in finished(begun(), self.setup.resident_lanes):
                self.counter.end_batch(under.machine, times=self.turns.counts.get(id(under), 1))
                self.ended += 1
        return self.effort.work.thread_instructions - before


def count_blocks(
    setup: LaunchSetup, sample: Array, counter: Counter, effort: Effort, share: Share = Share.SAMPLE
) -> int:
    """Count a sample of a launch's blocks, or all of them where a sample says too little.

    Args:
        setup: The launch.
        sample: From `chosen_blocks`.
        counter: Fresh.
        effort: What it costs.
        share: Count all of them, if that does not cost too much, or whatever it costs.

    Returns:
        How many blocks the counts are of: as many as were executed.

    Raises:
        FaultError: A lane faulted, or counting may cost no more.
    """
    counting = _Counting(setup, counter, effort)
    mean = counting.run(sample) / len(sample)
    if not counting.remaining:
        return counting.counted
    _count_rest(counting, sample, mean, share)
    counter.chains.in_turn = counting.turns.share
    return counting.counted


def _count_rest(counting: _Counting, sample: Array, mean: float, share: Share) -> None:
    """Count more blocks where a sample, whose blocks do so many thread-instructions each, says too little."""
    setup, counter, affordable = counting.setup, counting.counter, counting.affordable
    code = setup.code
    if code.takes and counting.is_queue(mean):
        counter.chains.share_out()
        counting.run(counting.left())
    elif share is Share.EVERY:
        counting.run(counting.left())
    elif affordable and (
        share is Share.WHOLE or counter.idle or code.uses.flags or setup.loaded.governing(code).decides
    ):
        counting.complete()
    elif code.uses.flags:
        counting.turns.stand_in = 0
        counting.run(counting.left()[: 3 * len(sample)], SAMPLE_LANES)
    elif counter.most_work() > _DIFFERENT * mean:
        more = np.setdiff1d(_drawn(setup, _MORE), sample)
        mean = counting.run(more) / max(len(more), 1)
        if counting.remaining and affordable and counter.most_work() > _UNEVEN * mean:
            counting.complete()


def chosen_blocks(setup: LaunchSetup) -> Array:
    """The blocks to run first: a sample of them, or of whole clusters.

    A cooperative grid runs whole, because its blocks wait for each other. Where blocks wait for flags of others
    (look-back, tickets) the first ones run: those wait for none but each other.
    """
    geometry = setup.geometry
    if setup.launch.mode is LaunchMode.COOPERATIVE:
        return geometry.cluster_blocks(np.arange(geometry.blocks // geometry.cluster_size)).reshape(-1)
    sample = _drawn(setup)
    if setup.code.uses.flags:
        return geometry.cluster_blocks(np.arange(len(sample) // geometry.cluster_size)).reshape(-1)
    return sample


def _drawn(setup: LaunchSetup, times: int = 1) -> Array:
    geometry, size = setup.geometry, setup.geometry.cluster_size
    count = max(2, min(max(2, SAMPLE_BLOCKS // size), SAMPLE_LANES // (geometry.threads * size)))
    draw = setup.surroundings.sample(setup.number, times)
    return geometry.cluster_blocks(sample_blocks(geometry.blocks // size, count * times, draw)).reshape(-1)


def sample_blocks(total: int, count: int, draw: np.random.Generator) -> Array:
    """Linear indices of the blocks to run: all if they are few, else pairs of neighbours.

    Pairs, so that what neighbours share can be seen; one at random from each of as many equal parts of the grid, but
    from the first part its first and from the last one its last.

    Args:
        total: Blocks of the grid.
        count: How many to choose, at least 2; an odd one is left out.
        draw: Where the random numbers come from.
    """
    if total <= count:
        return np.arange(total, dtype=np.int64)
    parts = count // 2
    edges = np.arange(parts + 1) * total // parts
    first = edges[:-1] + (draw.random(parts) * (np.diff(edges) - 1)).astype(np.int64)
    if parts > 1:
        first[0], first[-1] = 0, total - 2
    return np.stack([first, first + 1], axis=1).reshape(-1)
