"""Tools called as a client does, and a search followed until it has come far enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from mcp import Client


async def called(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    assert answer.structured_content is not None
    return answer.structured_content


async def until(client: Client, run: str, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while not enough(status := await called(client, "search_status", run=run, wait_s=2)):
            pass
    return status
