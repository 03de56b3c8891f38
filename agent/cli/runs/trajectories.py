"""`export-trajectories`: what models were asked and answered, as data to train on."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import AsJson
from agent.cli.outcome import ExitStatus, conclude
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from agent.trajectories.exporting import Exported

_EVERY_RUN = 1_000_000


class TrajectoryFormat(StrEnum):
    """What trajectories are written as; also the files' names."""

    SFT = "sft"
    PREFERENCE = "preference"
    STEPWISE = "stepwise"
    MULTI_TURN = "multi_turn"


def export_trajectories(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="To write to.", show_default=False)],
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN", help="Unset, every run of this machine.", show_default=False),
    ] = None,
    formats: Annotated[
        list[TrajectoryFormat] | None,
        typer.Option("--format", help="May be given several times; unset, all.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write what chat models were asked and answered as JSON lines to train on, with rewards.

    The formats are TRL's. Runs of the built-in composer have no prompts, and give no lines.
    """

    async def work() -> ExitStatus:
        from agent.cli import output
        from agent.home import home
        from agent.store import Store
        from agent.trajectories.exporting import export

        store = Store(home(), tenant="")  # what others did on this machine's server is theirs
        named = runs or [one.run for one in store.list_runs(_EVERY_RUN)]
        if not named:
            raise UsageError("there are no runs yet; begin with: warpwright optimize softmax --model MODEL")
        exported = export(store, named, folder, [str(one) for one in formats or list(TrajectoryFormat)])
        if as_json:
            output.print_json(exported)
        else:
            typer.echo("\n".join(_told(exported)))
        return ExitStatus.DONE

    conclude(work, as_json=as_json)


def _told(exported: Exported) -> list[str]:
    lines = [f"{exported.folder / name}.jsonl: {count} lines" for name, count in exported.lines.items()]
    lines.append(f"of {exported.runs} runs, {exported.conversations} candidates that a model wrote")
    if exported.unasked:
        lines.append(
            f"left out {exported.unasked} that no model was asked for in words (the composer's, kernels that a search"
            " was given), or whose questions an earlier version did not keep"
        )
    if exported.unjudged:
        lines.append(f"left out {exported.unjudged} that no machine could judge")
    (right, lowest), (wrong, highest) = exported.right, exported.wrong
    if lowest is not None and highest is not None:
        lines.append(
            f"rewards order as verdicts do: the lowest of {right} right kernels {lowest:.3f}, the highest of"
            f" {wrong} wrong ones {highest:.3f}"
        )
    return lines
