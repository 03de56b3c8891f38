"""`warpwright supervise`: what servers start to have their jobs done; hidden, since nobody types it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def supervise(
    home: Annotated[Path, typer.Argument(help="The folder whose jobs are done.")],
    idle_s: Annotated[
        float | None, typer.Argument(metavar="IDLE_SECONDS", help="How long to stay without a job.")
    ] = None,
) -> None:
    """Do the jobs of a home until there are none for a while; end at once where another process does them."""
    from agent.home import Home
    from agent.supervisor.process import be_supervisor
    from agent.supervisor.supervising import IDLE_S

    be_supervisor(Home(home.absolute()), IDLE_S if idle_s is None else idle_s)
