"""`runs` and `show`: what was searched for before."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.cli.options import AsJson, RunName
from agent.cli.outcome import ExitStatus, conclude


def runs(
    limit: Annotated[int, typer.Option("--limit", min=1, max=10000, help="The newest so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the searches of this machine, newest first."""

    async def work() -> ExitStatus:
        from agent.cli import output, run_view
        from agent.home import home
        from agent.store import Store

        summaries = Store(home()).list_runs(limit)
        if as_json:
            output.print_json(summaries)
        elif summaries:
            run_view.show_runs(output.console(), summaries)
        else:
            output.console().print("no runs yet; begin with: warpwright optimize softmax")
        return ExitStatus.DONE

    conclude(work, as_json=as_json)


def show(run: RunName, as_json: AsJson = False) -> None:
    """Show one search: its candidates and its best kernel."""

    async def work() -> ExitStatus:
        from agent.cli import output, run_view
        from agent.home import home
        from agent.store import Store

        store = Store(home())
        stored, result = store.get_run(run), store.get_result(run)
        if as_json:
            output.print_json(result, state=stored.state, error=stored.error)
        else:
            run_view.show_run(output.console(), result, stored)
        return ExitStatus.DONE

    conclude(work, as_json=as_json)
