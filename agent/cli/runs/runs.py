"""`runs` and `show`: what was searched for before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import AsJson, RunName
from agent.cli.outcome import ExitStatus, conclude
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from agent.store import RunSummary

_LOOK_S = 1.0
_MARGIN = 3
"""Lines of a terminal that the list leaves free."""


def runs(
    limit: Annotated[int, typer.Option("--limit", min=1, max=10000, help="The newest so many.")] = 20,
    watch: Annotated[bool, typer.Option("--watch", help="Keep the list up to date until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the searches of this machine, newest first."""

    async def work() -> ExitStatus:
        from agent.cli import output
        from agent.cli.searching import run_view
        from agent.home import home
        from agent.store import Store

        store = Store(home())
        if watch:
            if as_json:
                raise UsageError("--watch is for a person; scripts ask again with --json")
            await watched(lambda: store.list_runs(limit))
        summaries = store.list_runs(limit)
        if as_json:
            output.print_json(summaries)
        elif summaries:
            run_view.show_runs(output.console(), summaries)
        else:
            output.console().print("no runs yet; begin with: warpwright optimize softmax")
        return ExitStatus.DONE

    conclude(work, as_json=as_json)


async def watched(read: Callable[[], list[RunSummary]], look_s: float = _LOOK_S) -> None:
    """Show the list, and again whenever it changed: in place on a terminal, elsewhere below; until Ctrl-C."""
    from rich.live import Live

    from agent.cli import output
    from agent.cli.searching import run_view

    console = output.console()
    seen: list[RunSummary] | None = None
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            now = await asyncio.to_thread(read)
            if now != seen and console.is_terminal:
                live.update(run_view.runs_table(now[: max(1, console.height - _MARGIN)]), refresh=True)
            elif now != seen:
                run_view.show_runs(console, now)
            seen = now
            await asyncio.sleep(look_s)


def show(run: RunName, as_json: AsJson = False) -> None:
    """Show one search: its candidates, who was built on whom, and its best kernel."""

    async def work() -> ExitStatus:
        from agent.cli import output
        from agent.cli.searching import run_view
        from agent.home import home
        from agent.report.reading import read_account
        from agent.store import Store

        store = Store(home())
        stored, result = store.get_run(run), store.get_result(run)
        if as_json:
            output.print_json(result, state=stored.state, error=stored.error)
        else:
            run_view.show_run(output.console(), result, stored, read_account(store, run))
        return ExitStatus.DONE

    conclude(work, as_json=as_json)
