"""`serve`: the MCP server on standard input and output."""

from __future__ import annotations

from agent.cli.options import BaseUrl, DeviceName
from agent.cli.outcome import ExitStatus, conclude


def serve(device: DeviceName = "auto", base_url: BaseUrl = None) -> None:
    """Serve the tools and the search over MCP (stdio)."""

    async def work() -> ExitStatus:
        from agent.cli.isolation import warn_of_weak_isolation
        from agent.home import home
        from agent.mcp.server import serve_stdio

        warn_of_weak_isolation()
        await serve_stdio(home(), device, base_url)
        return ExitStatus.DONE

    conclude(work, as_json=False)
