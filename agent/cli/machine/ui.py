"""`ui`: the pages in a browser, on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.cli.options import BaseUrl, DeviceName
from agent.cli.outcome import ExitStatus, conclude


def ui(
    device: DeviceName = "auto",
    base_url: BaseUrl = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8000,
    opened: Annotated[bool, typer.Option("--open/--no-open", help="Open a browser.")] = True,
) -> None:
    """Show searches in a browser as they happen.

    Searches are started, cancelled, resumed and compared there, and tasks drafted. It is `serve --http` on this
    machine alone: MCP clients may use the same address, with /mcp. Where tokens exist (`warpwright token`) the
    page asks for one, and shows what is its holder's.
    """

    async def work() -> ExitStatus:
        from agent.cli.isolation import warn_of_weak_isolation
        from agent.home import home
        from agent.mcp.access.beside import Pages, WebSite
        from agent.mcp.access.http import ListenAddress, serve_http
        from agent.ui.app import user_interface

        def pages(site: WebSite) -> Pages:
            if opened:  # it can connect already, and is answered in a moment
                typer.launch(site.url)
            return user_interface(site)

        warn_of_weak_isolation()
        await serve_http(home(), device, base_url, ListenAddress(port=port), pages=pages)
        return ExitStatus.DONE

    conclude(work, as_json=False)
