"""Serve warpwright over HTTP as `warpwright serve --http` does, with the conformance suite's fixtures added.

`python -m tests.agent.mcp.conformance HOME` says where it listens on standard error.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from agent.home import Home
from agent.mcp.access.http import ListenAddress, listen, serve_on
from agent.mcp.server import build_server
from tests.agent.mcp.conformance import asking_fixtures, fixtures


async def main() -> None:
    address = ListenAddress(port=0)
    server = build_server(Home(Path(sys.argv[1])), "sim:h200")
    fixtures.register(server)
    asking_fixtures.register(server)
    with listen(address, authenticated=False) as listening:
        await serve_on(listening, server, address)


asyncio.run(main())
