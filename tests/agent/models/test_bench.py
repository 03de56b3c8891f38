from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any, cast

from agent.home import Home
from agent.models.bench import RunBench
from agent.store import Store
from tests.agent.search_fakes import FakeToolbox


async def test_what_coders_are_told_of_tools_is_made_once_for_all_of_them(home: Home, toolbox: FakeToolbox):
    bench, nothing = RunBench("run", Store(home), home, toolbox), cast("Any", None)
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(bench.open(nothing)) for _ in range(2)]
    assert [one["name"] for one in first.about] == [one["name"] for one in second.about]
    assert all(
        one["parameters"] is other["parameters"] for one, other in zip(first.about, second.about, strict=True)
    )
