"""Batches of one launch, one after another; those whose lanes wait for other blocks go on when these have acted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from sandbox.simulator.execute.scheduler import Scheduler
from sandbox.simulator.machine.faults import FaultError


class Batched(Protocol):
    """Something with the scheduler of a batch."""

    @property
    def scheduler(self) -> Scheduler:
        """Runs the batch."""
        ...


T = TypeVar("T", bound=Batched)


def finished(batches: Iterable[T], most: int) -> Iterator[T]:
    """Run batches of blocks and yield each when it has ended.

    Args:
        batches: Made one at a time, for each holds registers and shared memory.
        most: Threads that may wait at once: no more fit the device, so others do not start before these have ended.

    Raises:
        FaultError: A lane faulted, the run may cost no more, or all that can run wait for what nobody writes.
    """
    parked: list[tuple[T, int]] = []
    done = 0
    for batch in batches:
        if batch.scheduler.run():
            done += batch.scheduler.deeds
            yield batch
        else:
            parked.append((batch, -1))
        if parked:
            for ended in _resume(parked, done):
                done += ended.scheduler.deeds
                yield ended
            if sum(one.scheduler.lanes for one, _ in parked) >= most:
                break
    if parked:
        fault = parked[0][0].scheduler.stalled
        for one, _ in parked:
            one.scheduler.close()
        assert fault is not None, "what is parked has stalled"
        raise FaultError(fault)


def _resume(parked: list[tuple[T, int]], done: int) -> Iterator[T]:
    """Let parked batches go on until none has anything new to see; yields and removes those that end."""
    moved = True
    while moved:
        moved = False
        for position, (batch, seen) in reversed(list(enumerate(parked))):
            others = done + sum(one.scheduler.deeds for one, _ in parked) - batch.scheduler.deeds
            if others == seen:
                continue
            moved = True
            if batch.scheduler.run():
                del parked[position]
                done += batch.scheduler.deeds
                yield batch
            else:
                parked[position] = (batch, others)
