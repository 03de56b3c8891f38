"""`backup`, `restore` and `prune`: what is remembered of runs, kept elsewhere, brought back, and forgotten."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import AsJson
from agent.cli.outcome import ExitStatus, conclude
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from agent.store import BackupContent

_UNITS = {"h": 3600.0, "d": 24 * 3600.0, "w": 7 * 24 * 3600.0}
_Archive = Annotated[Path, typer.Argument(metavar="FILE", help="Of the backup.", show_default=False)]


def backup(file: _Archive, as_json: AsJson = False) -> None:
    """Write every run, with its kernels, and your tasks to one file; searches may go on meanwhile.

    Left out are checkpoints, without which searches are resumed all the same, waiting jobs, tokens and keys.
    """

    async def work() -> ExitStatus:
        from agent.home import home
        from agent.store import Store

        _say(Store(home()).back_up(file), f"kept in {file}", as_json=as_json)
        return ExitStatus.DONE

    conclude(work, as_json=as_json)


def restore(file: _Archive, as_json: AsJson = False) -> None:
    """Bring back a backup where there are no runs yet: into a new home, or a new database of either kind."""

    async def work() -> ExitStatus:
        from agent.home import home
        from agent.store import Store

        there = home()
        _say(Store(there).restore(file), f"restored to {there.root}", as_json=as_json)
        return ExitStatus.DONE

    conclude(work, as_json=as_json)


def prune(
    older_than: Annotated[
        str,
        typer.Option(
            "--older-than", metavar="30d|4w|12h", help="Since their last event.", show_default=False
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say which they are, and forget nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Forget old runs with their kernels, and the checkpoints of all that ended.

    Searches at work stay. What features earned in a forgotten run is no longer counted.
    """

    async def work() -> ExitStatus:
        from agent.cli import output
        from agent.home import home
        from agent.store import Store

        before, there = time.time() - _seconds(older_than), home()
        store = Store(there)
        gone = store.runs.silent(before) if dry_run else store.prune(before)
        freed = 0
        if not dry_run:
            from agent.search.checkpoints import checkpoints, free

            async with checkpoints(there) as saver:
                freed = await free(saver, store)
        if as_json:
            output.print_json({"runs": gone, "checkpoints": freed, "dry_run": dry_run})
        else:
            said = "would be forgotten" if dry_run else f"forgotten; checkpoints of {freed} searches freed"
            typer.echo("\n".join([*gone, f"{len(gone)} runs {said}"]))
        return ExitStatus.DONE

    conclude(work, as_json=as_json)


def _seconds(age: str) -> float:
    found = re.fullmatch(r"(\d{1,6})([hdw])", age)
    if found is None:
        raise UsageError(
            f"--older-than {age!r}: expected a number of hours, days or weeks, such as 12h, 30d or 4w"
        )
    return int(found[1]) * _UNITS[found[2]]


def _say(kept: BackupContent, where: str, *, as_json: bool) -> None:
    from agent.cli import output

    if as_json:
        output.print_json(kept)
    else:
        typer.echo(f"{kept.runs} runs ({kept.rows} rows, {kept.files} files) {where}")
