"""Search for a kernel through the MCP server, as any MCP client would: start, wait, read the best kernel.

Run it where warpwright is installed:  python search_over_mcp.py softmax
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from mcp import Client, StdioServerParameters


async def call(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    """Call a tool and return its structured answer, or end with what the tool says went wrong."""
    answer = await client.call_tool(tool, arguments)
    if answer.is_error or answer.structured_content is None:
        sys.exit("\n".join(getattr(part, "text", "") for part in answer.content))
    return answer.structured_content


async def search(task: str) -> None:
    """Start a small search, follow it to its end, and print the best kernel."""
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "warpwright", "serve"], env=dict(os.environ)
    )
    async with Client(server) as client:
        status = await call(client, "start_search", task=task, candidates=2, depth=1)
        while status["state"] == "running":
            status = await call(client, "search_status", run=status["run"], wait_s=20)
            sys.stderr.write(f"{status['candidates_judged']} judged: {status['message']}\n")
        outcome = await call(client, "search_result", run=status["run"])
        if "best" not in outcome:
            sys.exit(f"nothing correct was found; the last verdict is {outcome.get('verdict')}")
        best = outcome["best"]
        sys.stderr.write(
            f"{best['latency_us']:.1f} us ({best['provenance']}), {best['speedup']:.2f}x the baseline\n"
        )
        sys.stdout.write(best["kernel"])


if __name__ == "__main__":
    asyncio.run(search(sys.argv[1] if len(sys.argv) > 1 else "softmax"))
