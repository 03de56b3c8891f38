"""`import-flashinfer-bench`: a problem of flashinfer-bench or SOL-ExecBench becomes a task's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import AsJson
from agent.cli.outcome import ExitStatus, conclude


def import_flashinfer_bench(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="It holds definition.json and workload.jsonl, as problems of SOL-ExecBench too.",
            show_default=False,
        ),
    ],
    into: Annotated[
        Path, typer.Option("--into", metavar="FOLDER", help="Where the task's folder is made.")
    ] = Path(),
    as_json: AsJson = False,
) -> None:
    """Make a task of a problem: its reference in NumPy, its workloads as benchmark shapes.

    The reference, PyTorch's, runs in a confined worker, and the task is held against it. Needs the extra `torch`.
    """

    async def work() -> ExitStatus:
        from agent.cli import output
        from agent.export.writing import require_empty, write_files
        from agent.importing.definitions import read_problem
        from agent.importing.flashinfer import task_of_problem
        from agent.importing.importing import Importer
        from agent.importing.published import problem_files
        from sandbox.isolation.choose import choose_isolation
        from sandbox.reference.service import References
        from sandbox.torch_graphs.service import TorchGraphs
        from tools.tasks.drafting import files_of, name_like
        from tools.tasks.folder import load

        problem = read_problem(folder)
        target = into / name_like(problem.definition.name)
        require_empty(target)
        TorchGraphs.check()
        isolation = choose_isolation()
        typer.echo(f"exporting the reference of {problem.definition.name} ...", err=True)
        async with TorchGraphs(isolation) as graphs, References(isolation) as references:
            made = await task_of_problem(problem, str(folder), Importer(graphs, references))
        files = {**files_of(made.task), **problem_files(problem, made.names)}
        write_files(target, {name: text.encode() for name, text in files.items()})
        load(target)
        if as_json:
            told = {"folder": str(target.absolute()), "task": made.task.name, "notes": made.notes}
            output.print_json(told)
            return ExitStatus.DONE
        for note in made.notes:
            typer.echo(f"- {output.clean(note)}")
        typer.echo(
            f"{target} is a task: warpwright optimize {target}, then warpwright export RUN --to flashinfer-bench"
        )
        return ExitStatus.DONE

    conclude(work, as_json=as_json)
