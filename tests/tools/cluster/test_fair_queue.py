"""Who is next: what comes free goes to the tenant that holds least of it."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from sandbox.errors import MissingDependencyError
from tools.cluster.fair_queue import FairQueue


async def settled() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


def asks(queue: FairQueue[int], tenant: str, times: int, served: list[str]) -> list[asyncio.Task[int]]:
    async def one() -> int:
        thing = await queue.take(tenant)
        served.append(tenant)
        return thing

    return [asyncio.create_task(one()) for _ in range(times)]


async def test_a_tenant_that_asks_for_much_leaves_an_even_share_to_one_that_asks_for_little():
    queue: FairQueue[int] = FairQueue()
    served: list[str] = []
    tasks = asks(queue, "greedy", 20, served)
    await settled()
    tasks += asks(queue, "modest", 4, served)
    await settled()
    for thing in range(8):
        queue.give(thing)
    await settled()
    assert Counter(served) == {"greedy": 4, "modest": 4}
    for task in tasks:
        task.cancel()


async def test_a_tenant_alone_has_all_there_is_and_what_comes_back_evens_out():
    queue: FairQueue[int] = FairQueue()
    served: list[str] = []
    tasks = asks(queue, "first", 10, served)
    for thing in range(4):
        queue.give(thing)
    await settled()
    assert Counter(served) == {"first": 4}
    tasks += asks(queue, "second", 10, served)
    await settled()
    for thing in (0, 1):
        queue.give(thing, "first")
    await settled()
    assert Counter(served) == {"first": 4, "second": 2}  # two each in their hands now
    for task in tasks:
        task.cancel()


async def test_what_was_handed_to_somebody_who_left_goes_to_the_next():
    queue: FairQueue[int] = FairQueue()
    served: list[str] = []
    left, *_ = asks(queue, "a", 1, served)
    await settled()
    queue.give(7)
    left.cancel()  # handed over, and not yet taken
    await settled()
    assert queue.free == (7,)
    assert await queue.take("b") == 7


async def test_who_waits_is_told_that_nothing_will_come():
    queue: FairQueue[int] = FairQueue()
    waiting = asks(queue, "a", 2, [])
    await settled()
    queue.fail(MissingDependencyError("no node can judge"))
    for task in waiting:
        with pytest.raises(MissingDependencyError, match="no node can judge"):
            await task
    assert queue.waiting == 0
