"""`import-kernelbench`: tasks from problems in KernelBench's format."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import AsJson
from agent.cli.outcome import ExitStatus, conclude
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from agent.importing.importing import Importer


def import_kernelbench(
    path: Annotated[
        Path, typer.Argument(metavar="FILE.py|FOLDER", help="One problem, or all below.", show_default=False)
    ],
    into: Annotated[
        Path, typer.Option("--into", metavar="FOLDER", help="Where a task's folder is made for each.")
    ] = Path(),
    as_json: AsJson = False,
) -> None:
    """Make tasks of problems in KernelBench's format (class Model, get_inputs, get_init_inputs)."""

    async def work() -> ExitStatus:
        from agent.cli import output
        from agent.importing.importing import Importer
        from agent.importing.kernelbench import problems
        from sandbox.isolation.choose import choose_isolation
        from sandbox.reference.service import References
        from sandbox.torch_graphs.service import TorchGraphs

        files = problems(path)
        TorchGraphs.check()
        isolation = choose_isolation()
        told: list[ProblemTold] = []
        async with TorchGraphs(isolation) as graphs, References(isolation) as references:
            importer = Importer(graphs, references)
            for number, file in enumerate(files, start=1):
                if len(files) > 1:
                    typer.echo(f"problem {number} of {len(files)}: {file}", err=True)
                told.append(await _one(importer, file, into))
                if not as_json:
                    _say(told[-1])
        done = sum(one.folder is not None for one in told)
        if as_json:
            output.print_json(told)
        elif len(files) > 1:
            typer.echo(f"{done} of {len(files)} problems are tasks now")
        return ExitStatus.DONE if done == len(files) else ExitStatus.NOT_CORRECT

    conclude(work, as_json=as_json)


@dataclass(frozen=True)
class ProblemTold:
    """What became of one problem, as `--json` prints it.

    Attributes:
        folder: Of its task; None where there is none, `reason` and perhaps `line` say why then.
        operators: Of ATen, in order.
        compared: At how many inputs the reference was held against the module.
    """

    file: str
    task: str
    folder: str | None = None
    reason: str = ""
    line: int | None = None
    summary: str = ""
    baseline: str = ""
    operators: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    compared: int = 0


async def _one(importer: Importer, file: Path, into: Path) -> ProblemTold:
    """Import one problem, and write its folder."""
    from agent.importing.importing import NotImported
    from agent.importing.kernelbench import read_problem, task_name
    from tools.tasks.drafting import write_folder

    told = ProblemTold(str(file), task_name(file))
    folder = into / told.task
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} is there and not empty; nothing in it was changed")
        made = await importer.make(read_problem(file), told.task)
    except UsageError as error:
        return replace(told, reason=str(error))
    if isinstance(made, NotImported):
        return replace(told, reason=made.reason, line=made.line)
    write_folder(made.task, folder)
    return replace(
        told,
        folder=str(folder),
        summary=made.task.summary,
        baseline=made.baseline,
        operators=made.operators,
        notes=made.notes,
        compared=made.compared,
    )


def _say(told: ProblemTold) -> None:
    from agent.cli import output

    if told.folder is None:
        place = f"{told.file}:{told.line}" if told.line else told.file
        typer.echo(f"{place}: {output.clean(told.reason)}")
        return
    typer.echo(f"{told.folder} is a task: {output.clean(told.summary)}")
    agreed = f"its reference agrees with the module at {told.compared} inputs, in float64"
    for note in [*told.notes, agreed, f"next: warpwright check {told.folder}"]:
        typer.echo(f"- {output.clean(note)}")
