"""`serve`: the MCP server on standard input and output."""

from __future__ import annotations

from agent.cli.options import DeviceName
from agent.cli.outcome import ExitStatus, conclude


def serve(device: DeviceName = "auto") -> None:
    """Serve the tools and the search over MCP on standard input and output."""

    async def work() -> ExitStatus:
        from agent.home import home
        from agent.mcp.server import serve_stdio

        await serve_stdio(home(), device)
        return ExitStatus.DONE

    conclude(work, as_json=False)
