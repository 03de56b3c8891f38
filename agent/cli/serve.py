"""`serve`: the MCP server, on standard input and output or over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import BaseUrl, DeviceName
from agent.cli.outcome import ExitStatus, conclude


def serve(  # noqa: PLR0913 - they are the options of the command
    device: DeviceName = "auto",
    base_url: BaseUrl = None,
    http: Annotated[bool, typer.Option("--http", help="Serve over streamable HTTP, not stdio.")] = False,
    host: Annotated[
        str, typer.Option("--host", help="Where to listen; beyond this machine only once a token exists.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8000,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="One more name that clients reach it by."),
    ] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option("--allow-origin", metavar="URL", help="A web page that may call it.")
    ] = None,
    tls: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--tls", metavar="CERT KEY", help="PEM files, for HTTPS.", exists=True, dir_okay=False),
    ] = None,
) -> None:
    """Serve the tools and the search over MCP: stdio, or HTTP with tokens.

    See `warpwright token` for who may use it over HTTP.
    """

    async def work() -> ExitStatus:
        from agent.cli.isolation import warn_of_weak_isolation
        from agent.home import home

        warn_of_weak_isolation()
        if http:
            from agent.mcp.http import Address, serve_http

            address = Address(host, port, tuple(allow_host or ()), tuple(allow_origin or ()), tls)
            await serve_http(home(), device, base_url, address)
        else:
            from agent.mcp.server import serve_stdio

            await serve_stdio(home(), device, base_url)
        return ExitStatus.DONE

    conclude(work, as_json=False)
