"""`--approve`: the plans of a round are shown before anything of it is written, and may be changed."""

from __future__ import annotations

import json
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from pydantic import BaseModel, ConfigDict, ValidationError

from agent.candidates import CandidatePlan
from agent.cli.editing import edit
from agent.cli.lines import TypedLines
from agent.cli.output import one_line
from agent.search.written_plans import WrittenPlan, read_plans, written_plans
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from agent.search.planned import PlannedRound

_HEAD = """\
# Round {round} of {run}. Change what each plan tries (features), takes out (without), builds on (parent, and other
# to merge) and why; delete a [[plan]] to leave it. Kernels to build on: {kernels}.
"""


class WrittenRound(BaseModel):
    """A file of plans."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    plan: tuple[WrittenPlan, ...] = ()


class Approval:
    """Asks whoever sits before the terminal; on standard error, so that JSON on standard output stays alone."""

    def __init__(self, paused: Callable[[], AbstractContextManager[None]], fd: int = 0) -> None:
        """Take what holds a live view while something is asked, and where answers are read."""
        self._paused = paused
        self._lines = TypedLines(fd)

    async def __call__(self, planned: PlannedRound) -> Sequence[CandidatePlan] | None:
        """Show a round until it is agreed to, perhaps edited; None where the search is to stop before it."""
        plans = planned.plans
        with self._paused():
            while True:
                _show(planned, plans)
                typer.echo("Carry this out? yes, edit or stop [yes]: ", nl=False, err=True)
                answer = await self._lines.line()
                match "stop" if answer is None else answer.strip().lower():
                    case "" | "y" | "yes":
                        return plans
                    case "s" | "stop" | "n" | "no":
                        said = f"stopped before round {planned.round}; go on with: warpwright resume {planned.run}"
                        typer.echo(said, err=True)
                        return None
                    case "e" | "edit":
                        plans = _edited(planned, plans)
                    case _:
                        pass


def _show(planned: PlannedRound, plans: Sequence[CandidatePlan]) -> None:
    names = {sha: name for name, sha in planned.kernels.items()}
    typer.echo(f"round {planned.round}:", err=True)
    for number, plan in enumerate(plans, start=1):
        tries = ", ".join(plan.features) or plan.origin or "what its writer chooses"
        out = f", without {', '.join(plan.without)}" if plan.without else ""
        base = " + ".join(names.get(sha, sha[:12]) for sha in plan.parents) or "a fresh start"
        typer.echo(one_line(f"  {number}. {tries}{out}, on {base}: {plan.why}", 300), err=True)


def _edited(planned: PlannedRound, plans: Sequence[CandidatePlan]) -> Sequence[CandidatePlan]:
    """Open plans in an editor; the ones before it where the file that it leaves cannot be used."""
    with tempfile.TemporaryDirectory(prefix="warpwright-plans-") as folder:
        file = Path(folder) / f"round{planned.round}.toml"
        file.write_text(written(planned, plans), encoding="utf-8")
        edit([file])
        try:
            return read_back(planned, plans, file.read_text(encoding="utf-8"))
        except (UsageError, OSError, UnicodeDecodeError) as error:
            typer.echo(f"the plans stay as they were: {error}", err=True)
            return plans


def written(planned: PlannedRound, plans: Sequence[CandidatePlan]) -> str:
    """Return plans as a TOML file for a person."""
    parts = [_HEAD.format(round=planned.round, run=planned.run, kernels=", ".join(planned.kernels) or "none")]
    if planned.features:
        parts.append(f"# Features: {', '.join(planned.features)}.\n")
    for plan in written_plans(planned, plans):
        fields: dict[str, Any] = plan.model_dump(mode="json")
        lines = [
            f"{name} = {json.dumps(value)}" for name, value in fields.items() if value or name == "features"
        ]
        parts.append("\n[[plan]]\n" + "\n".join(lines) + "\n")
    return "".join(parts)


def read_back(planned: PlannedRound, plans: Sequence[CandidatePlan], text: str) -> tuple[CandidatePlan, ...]:
    """Return the plans of a file that was edited; one that was left as it was keeps where it came from.

    Raises:
        UsageError: The file is no TOML, or names what there is not.
    """
    try:
        found = WrittenRound.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise UsageError(str(error)) from error
    return read_plans(planned, plans, found.plan)
