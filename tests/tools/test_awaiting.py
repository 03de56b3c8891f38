"""Waiting: several at once, once more, once for many."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.errors import WorkerDiedError
from tools.awaiting import Memo, once_more, together


async def test_results_come_in_the_order_of_the_calls() -> None:
    async def answer(number: int) -> int:
        await asyncio.sleep(0.01 * (3 - number))
        return number

    assert await together(answer(number) for number in range(3)) == [0, 1, 2]


async def test_the_first_exception_leaves_nothing_running() -> None:
    ended: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        await together([waits(), fails(), waits()])
    assert ended == ["cancelled", "cancelled"]


async def test_a_cancelled_call_ends_what_it_does_then_though_others_ended_before() -> None:
    ended: list[str] = []

    async def waits(seconds: float) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(seconds)
            ended.append(f"{seconds}")

    work = asyncio.create_task(together([waits(0.0), waits(0.05)]))
    await asyncio.sleep(0.01)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert ended == ["0.0", "0.05"]


async def test_a_death_is_forgiven_once() -> None:
    calls: list[int] = []

    async def dies(times: int) -> str:
        calls.append(1)
        if len(calls) <= times:
            raise WorkerDiedError("gone")
        return "answer"

    assert await once_more(lambda: dies(1)) == "answer"
    calls.clear()
    with pytest.raises(WorkerDiedError):
        await once_more(lambda: dies(2))
    assert len(calls) == 2


async def test_callers_with_one_key_share_one_computation() -> None:
    memo: Memo[str, int] = Memo()
    made: list[int] = []

    async def make() -> int:
        await asyncio.sleep(0.01)
        made.append(1)
        return len(made)

    assert await together(memo.get("key", make) for _ in range(3)) == [1, 1, 1]
    assert await memo.get("other", make) == 2


async def test_what_failed_or_is_not_worth_keeping_is_made_again() -> None:
    memo: Memo[str, int] = Memo()

    async def fails() -> int:
        raise ValueError("no")

    async def seven() -> int:
        return 7

    async def eight() -> int:
        return 8

    with pytest.raises(ValueError, match="no"):
        await memo.get("key", fails)
    assert await memo.get("key", seven, keep=lambda result: result != 7) == 7
    assert await memo.get("key", eight) == 8


async def test_the_oldest_result_is_forgotten_first() -> None:
    memo: Memo[int, int] = Memo(capacity=2)
    made: list[int] = []

    async def get(key: int) -> int:
        async def make() -> int:
            made.append(key)
            return key

        return await memo.get(key, make)

    for key in (1, 2, 3, 3, 2, 1):
        await get(key)
    assert made == [1, 2, 3, 1]
