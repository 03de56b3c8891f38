"""`serve`: the MCP server, on standard input and output or over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import (
    BaseUrl,
    CandidatesADay,
    DeviceName,
    ModelTokensADay,
    RequestsAMinute,
    SearchesAtOnce,
    Workers,
)
from agent.cli.outcome import ExitStatus, conclude
from sandbox.errors import UsageError


def serve(  # noqa: PLR0913 - they are the options of the command
    device: DeviceName = "auto",
    workers: Workers = None,
    base_url: BaseUrl = None,
    http: Annotated[bool, typer.Option("--http", help="Serve over streamable HTTP, not stdio.")] = False,
    host: Annotated[
        str,
        typer.Option("--host", help="Where to listen; beyond this machine only with a token or --oauth."),
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
    public_url: Annotated[
        str | None,
        typer.Option(
            "--public-url", metavar="URL", help="What clients are given as its URL, behind a reverse proxy."
        ),
    ] = None,
    oauth: Annotated[
        str | None,
        typer.Option("--oauth", metavar="ISSUER", help="Take this OAuth issuer's access tokens (JWTs)."),
    ] = None,
    audience: Annotated[
        str | None,
        typer.Option("--audience", metavar="TEXT", help="Whom they must be for; otherwise the server's URL."),
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", metavar="NAME", help="A scope that they must contain.")
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics",
            metavar="HOST:PORT",
            help="With --http: answer Prometheus there, to everybody who reaches it.",
        ),
    ] = None,
    toolsets: Annotated[
        str,
        typer.Option("--toolsets", metavar="SETS", help="Which tools to serve, of tasks,judge,search."),
    ] = "tasks,judge,search",
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Only tools that change nothing: no new tasks, no searches.")
    ] = False,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Log on standard error as JSON, a line an event.")
    ] = False,
    searches: SearchesAtOnce = 2,
    candidates: CandidatesADay = 2000,
    model_tokens: ModelTokensADay = 5_000_000,
    requests: RequestsAMinute = 600,
) -> None:
    """Serve the tools and the search over MCP: stdio, or HTTP with tokens.

    Over HTTP, / shows pages for browsers. See `warpwright token` for who may use it over HTTP. The last four
    options are for each caller with an OAuth token. Each caller may also hold 200 sessions and 8 jobs that outlast
    their calls; a server holds 2000 sessions and as many connections, of which a request's headers may take 15 s
    and its body 4 MiB. A test case of a task holds 134217728 elements at most.
    """

    async def work() -> ExitStatus:
        from agent.cli.isolation import warn_of_weak_isolation
        from agent.home import home
        from agent.logs import log_lines

        if oauth is None and (audience or scope):
            raise UsageError(
                "--audience and --scope say what an OAuth token must contain: give --oauth ISSUER"
            )
        if oauth is not None and not http:
            raise UsageError("--oauth is for callers over HTTP: give --http")
        if metrics is not None and not http:
            raise UsageError("--metrics is of a server over HTTP: give --http")
        from agent.mcp.offer import SETS, Offer

        sets = tuple(one.strip() for one in toolsets.split(",") if one.strip())
        if not sets or any(one not in SETS for one in sets):
            raise UsageError(f"--toolsets: expected some of {','.join(SETS)}, found {toolsets!r}")
        offer = Offer(sets, read_only=read_only)
        log_lines(as_json=log_json)
        warn_of_weak_isolation()
        if not http:
            from agent.mcp.server import serve_stdio

            await serve_stdio(home(), device, base_url, offer, workers=workers)
            return ExitStatus.DONE
        from agent.mcp.access.http import ListenAddress, serve_http
        from agent.mcp.access.oauth import OAuth
        from agent.mcp.access.tokens import Allowance

        allowance = Allowance(
            searches_at_once=searches,
            candidates_per_day=candidates,
            model_tokens_per_day=model_tokens,
            requests_per_minute=requests,
        )
        asked = None if oauth is None else OAuth(oauth, audience, tuple(scope or ()), allowance)
        address = ListenAddress(
            host, port, tuple(allow_host or ()), tuple(allow_origin or ()), tls, public_url, metrics
        )
        from agent.ui.app import user_interface

        await serve_http(home(), device, base_url, address, asked, offer, user_interface, workers=workers)
        return ExitStatus.DONE

    conclude(work, as_json=False)
