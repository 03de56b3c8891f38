"""`import-kernelbench`: tasks from problems in KernelBench's format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import AsJson
from agent.cli.outcome import ExitStatus, conclude
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from agent.importing.importing import Imported, NotImported


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
        told: list[dict[str, object]] = []
        async with TorchGraphs(isolation) as graphs, References(isolation) as references:
            importer = Importer(graphs, references)
            for number, file in enumerate(files, start=1):
                if len(files) > 1:
                    typer.echo(f"problem {number} of {len(files)}: {file}", err=True)
                told.append(await _one(importer, file, into))
                if not as_json:
                    _say(told[-1])
        done = sum(one["folder"] is not None for one in told)
        if as_json:
            output.print_json(told)
        elif len(files) > 1:
            typer.echo(f"{done} of {len(files)} problems are tasks now")
        return ExitStatus.DONE if done == len(files) else ExitStatus.NOT_CORRECT

    conclude(work, as_json=as_json)


async def _one(importer: object, file: Path, into: Path) -> dict[str, object]:
    """Import one problem, and write its folder."""
    from agent.importing.importing import Importer, NotImported
    from agent.importing.kernelbench import read_problem, task_name
    from tools.tasks.drafting import write_folder

    assert isinstance(importer, Importer)
    name = task_name(file)
    folder = into / name
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} is there and not empty; nothing in it was changed")
        made: Imported | NotImported = await importer.make(read_problem(file), name)
    except UsageError as error:
        made = NotImported(str(error))
    told: dict[str, object] = {"file": str(file), "task": name}
    if isinstance(made, NotImported):
        return {**told, "folder": None, "reason": made.reason, "line": made.line}
    write_folder(made.task, folder)
    return {
        **told,
        "folder": str(folder),
        "summary": made.task.summary,
        "operators": list(made.operators),
        "baseline": made.baseline,
        "compared": made.compared,
        "notes": list(made.notes),
    }


def _say(told: dict[str, object]) -> None:
    from agent.cli import output

    if told["folder"] is None:
        place = f"{told['file']}:{told['line']}" if told["line"] else f"{told['file']}"
        typer.echo(f"{place}: {output.clean(str(told['reason']))}")
        return
    typer.echo(f"{told['folder']} is a task: {output.clean(str(told['summary']))}")
    notes = told["notes"]
    assert isinstance(notes, list)
    said = [
        *notes,
        f"its reference agrees with the module at {told['compared']} inputs, in float64",
        f"next: warpwright check {told['folder']}",
    ]
    for note in said:
        typer.echo(f"- {output.clean(str(note))}")
