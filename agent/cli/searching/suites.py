"""`suite`: searches for every task of a list, and what they add up to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import AsJson, BaseUrl, DeviceName, MaxUsd, Model, Strategy, ToolsUrl, Workers
from agent.cli.outcome import ExitStatus, conclude
from agent.strategy_names import StrategyName

if TYPE_CHECKING:
    from agent.home import Home
    from agent.suites.record import KeptSuite

_SEARCHES = 4
"""More searches at once only wait for each other's workers, unless it is models that they wait for."""


def suite(  # noqa: PLR0913 - they are the options of the command
    name: Annotated[
        str,
        typer.Argument(
            metavar="SUITE|FOLDER|ID",
            help="A suite that came with warpwright (fsr20), a folder of tasks, or a suite to go on with.",
            show_default=False,
        ),
    ],
    device: DeviceName = "auto",
    model: Model = None,
    base_url: BaseUrl = None,
    candidates: Annotated[int, typer.Option("--candidates", min=1, max=32, help="Kernels a round.")] = 4,
    depth: Annotated[int, typer.Option("--depth", min=1, max=64, help="Rounds of a search at most.")] = 4,
    strategy: Strategy = StrategyName.AUTO,
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=100, help="Searches of each task.")] = 1,
    max_usd: MaxUsd = None,
    at_once: Annotated[
        int | None,
        typer.Option(
            "--at-once", min=1, max=64, help="Searches at once; unset, as many as cores, at most 4."
        ),
    ] = None,
    tools: ToolsUrl = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Search for every task of a suite, several at once, and say what it adds up to.

    Its searches are ordinary runs. Given the id of a suite that was interrupted, goes on with it as it was asked for.
    """
    begun: list[str] = []

    async def work() -> ExitStatus:
        from agent.cli.isolation import warn_of_weak_isolation
        from agent.home import home
        from agent.results import SearchRequest
        from agent.settings_file import read_settings
        from agent.suites import record
        from tools.tasks.suites import find_suite

        found = home()
        kept = record.find(name, found)
        if kept is None:
            listed = find_suite(name)
            settings = read_settings(found, Path.cwd())
            writer = model or settings.models.model
            request = SearchRequest(
                task="",
                device=device,
                model=None if writer == "composer" else writer,
                base_url=base_url or settings.models.base_url,
                models=settings.model_settings(),
                budget=settings.limits(max_usd=max_usd),
                candidates=candidates,
                depth=depth,
                strategy=strategy,
                tools=tools,
                workers=workers,
            )
            kept = record.begin(listed, request, seeds, found)
        begun.append(kept.record.id)
        warn_of_weak_isolation()
        await _watched(kept, found, at_once or _usual(), as_json=as_json)
        return _told(kept, found, as_json=as_json)

    def how_to_go_on() -> str:
        if not begun:
            return "interrupted before the suite had started"
        return f"interrupted; nothing finished is lost, go on with: warpwright suite {begun[0]}"

    conclude(work, as_json=as_json, interrupted=how_to_go_on)


def _usual() -> int:
    return max(1, min(_SEARCHES, len(os.sched_getaffinity(0))))


async def _watched(kept: KeptSuite, home: Home, at_once: int, *, as_json: bool) -> None:
    from agent.cli import output
    from agent.cli.searching.suites_view import suite_view
    from agent.suites import running

    console = output.console(stderr=as_json)
    with suite_view(console, kept.record.searches) as view:
        await running.work(kept, home=home, at_once=at_once, listen=view)


def _told(kept: KeptSuite, home: Home, *, as_json: bool) -> ExitStatus:
    """Print a suite's results, and write them in every format into its folder."""
    from agent.cli import output
    from agent.cli.runs.report import write
    from agent.cli.searching.suites_view import show_suite_account
    from agent.report.formats import ReportFormat, rendered
    from agent.suites.reading import read_suite

    account = read_suite(kept.record, home)
    for form in (ReportFormat.HTML, ReportFormat.MD, ReportFormat.JSON):
        write(rendered(account, form), kept.folder / f"results.{form}")
    if as_json:
        output.print_json(account)
    else:
        console = output.console()
        show_suite_account(console, account)
        page = kept.folder / f"results.{ReportFormat.HTML}"
        console.print(f"report       {page} (.md and .json beside it)", soft_wrap=True)
    solved = account.solved == len(account.rows)
    return ExitStatus.DONE if solved else ExitStatus.NOT_CORRECT
