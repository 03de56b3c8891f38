"""`token`: who may use this machine's server over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.cli.options import AsJson, CandidatesADay, ModelTokensADay, RequestsAMinute, SearchesAtOnce
from agent.cli.outcome import ExitStatus, conclude

app = typer.Typer(help="Say who may use `warpwright serve --http`.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose token it is.", show_default=False)]


@app.command("add")
def add(
    name: Name,
    searches: SearchesAtOnce = 2,
    candidates: CandidatesADay = 2000,
    model_tokens: ModelTokensADay = 5_000_000,
    requests: RequestsAMinute = 600,
) -> None:
    """Make a token and print it, this once: only its hash is kept."""

    async def work() -> ExitStatus:
        from agent.home import home
        from agent.mcp.access.tokens import Allowance, TokenFile

        allowance = Allowance(
            searches_at_once=searches,
            candidates_per_day=candidates,
            model_tokens_per_day=model_tokens,
            requests_per_minute=requests,
        )
        typer.echo(TokenFile(home().tokens).add(name, allowance))
        return ExitStatus.DONE

    conclude(work, as_json=False)


@app.command("list")
def list_tokens(as_json: AsJson = False) -> None:
    """List whose tokens there are, and what each may use."""

    async def work() -> ExitStatus:
        from agent.cli import output
        from agent.home import home
        from agent.mcp.access.tokens import TokenFile

        tokens = list(TokenFile(home().tokens))
        if as_json:
            shown = [token.model_dump(mode="json", exclude={"sha256"}) for token in tokens]
            output.print_json(shown)
            return ExitStatus.DONE
        made = output.table(
            "!name", "created", ">searches", ">candidates/day", ">tokens/day", ">requests/min"
        )
        for token in tokens:
            allowed = token.allowance
            numbers = (
                allowed.searches_at_once,
                allowed.candidates_per_day,
                allowed.model_tokens_per_day,
                allowed.requests_per_minute,
            )
            made.add_row(token.name, f"{token.created:%Y-%m-%d}", *(f"{number:,}" for number in numbers))
        output.console().print(made)
        return ExitStatus.DONE

    conclude(work, as_json=as_json)


@app.command("remove")
def remove(name: Name) -> None:
    """Withdraw a token; a running server refuses it from the next request on."""

    async def work() -> ExitStatus:
        from agent.home import home
        from agent.mcp.access.tokens import TokenFile

        TokenFile(home().tokens).remove(name)
        return ExitStatus.DONE

    conclude(work, as_json=False)
