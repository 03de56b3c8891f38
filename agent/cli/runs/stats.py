"""`stats` and `adopt`: what features, models and prompts have earned, and features that become pages."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.cli.options import AsJson
from agent.cli.outcome import ExitStatus, conclude


def stats(as_json: AsJson = False) -> None:
    """Say what features have gained in all searches so far, and how models and prompts did."""

    async def work() -> ExitStatus:
        from agent.cli import output
        from agent.cli.runs import stats_view
        from agent.home import home
        from agent.store import Store

        credits = Store(home()).credits
        earned, (models, prompts) = credits.earned(), credits.writers()
        if as_json:
            output.print_json({"features": earned, "models": models, "prompts": prompts})
        elif earned or models:
            stats_view.show(output.console(), earned, {"model": models, "prompt": prompts})
        else:
            output.console().print("nothing is earned yet; begin with: warpwright optimize softmax")
        return ExitStatus.DONE

    conclude(work, as_json=as_json)


def adopt(
    feature: Annotated[
        str, typer.Argument(metavar="FEATURE", help="As `warpwright stats` lists it.", show_default=False)
    ],
    family: Annotated[
        str, typer.Option("--family", help="What it is about: memory, tiling, compute, tensor, ...")
    ] = "compute",
) -> None:
    """Take a feature that a planner named into the library, once it has earned credit."""

    async def work() -> ExitStatus:
        from agent.home import home
        from agent.search.adopting import adopt as write
        from agent.store import Store

        path = write(Store(home()), home(), feature, family)
        typer.echo(f"{feature} is in the library; read and mend its page: {path}")
        return ExitStatus.DONE

    conclude(work, as_json=False)
