"""`import-kernelbench`: tasks from problems in KernelBench's format."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import AsJson
from agent.cli.outcome import ExitStatus, conclude
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from agent.importing.graphs.importer import Imported, Importer, NotImported
    from tools.tasks.task import WholeTask
    from tools.toolbox import Toolbox


def import_kernelbench(
    path: Annotated[
        Path, typer.Argument(metavar="FILE.py|FOLDER", help="One problem, or all below.", show_default=False)
    ],
    into: Annotated[
        Path, typer.Option("--into", metavar="FOLDER", help="Where a task's folder is made for each.")
    ] = Path(),
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline",
            metavar="KERNEL.cu",
            help="A plain kernel of your own for one problem, where none can be written.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make tasks of problems in KernelBench's format (class Model, get_inputs, get_init_inputs)."""

    async def work() -> ExitStatus:
        from agent.cli import output
        from agent.importing.problems.kernelbench import problems
        from sandbox.torch_graphs.service import TorchGraphs

        own = _own_baseline(path, baseline)
        files = problems(path)
        TorchGraphs.check()
        told: list[ProblemTold] = []
        async with _opened(own) as importing:
            for number, file in enumerate(files, start=1):
                if len(files) > 1:
                    typer.echo(f"problem {number} of {len(files)}: {file}", err=True)
                told.append(await importing.one(file, into))
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
        in_pytorch: Operators of ATen that the reference asks PyTorch for.
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
    in_pytorch: tuple[str, ...] = ()


def _own_baseline(path: Path, baseline: Path | None) -> str:
    """Return the text of the user's kernel, what it includes of its own folder put in its place; empty for none.

    Raises:
        UsageError: It cannot be read, is no kernel file, or is meant for many problems.
    """
    from agent.cli.judging.kernels import read_kernel
    from tools.kernel.file import parse

    if baseline is None:
        return ""
    if path.is_dir():
        raise UsageError(
            f"--baseline is the kernel of one problem, and {path} is a folder: name one file of it"
        )
    text = read_kernel(str(baseline))
    parse(text, str(baseline))
    return text


@asynccontextmanager
async def _opened(own: str) -> AsyncGenerator[_Importing]:
    """What imports; with a kernel of the user's own, what judges that too."""
    from agent.cli.judging.kernels import opened_toolbox
    from agent.importing.graphs.importer import Importer
    from sandbox.isolation.choose import choose_isolation
    from sandbox.reference.service import References
    from sandbox.torch_graphs.service import TorchGraphs

    isolation = choose_isolation()
    async with AsyncExitStack() as opened:
        graphs = await opened.enter_async_context(TorchGraphs(isolation))
        references = await opened.enter_async_context(References(isolation))
        toolbox = await opened.enter_async_context(opened_toolbox("auto", None)) if own else None
        yield _Importing(Importer(graphs, references), own, toolbox)


@dataclass(frozen=True)
class _Importing:
    """Imports problems, one after the other.

    Attributes:
        own: The user's baseline; empty for none.
        toolbox: Judges it.
    """

    importer: Importer
    own: str
    toolbox: Toolbox | None

    async def one(self, file: Path, into: Path) -> ProblemTold:
        """Import one problem, and write its folder."""
        from agent.importing.graphs.importer import NotImported
        from agent.importing.problems.kernelbench import task_name
        from tools.tasks.drafting import write_folder

        told = ProblemTold(str(file), task_name(file))
        folder = into / told.task
        try:
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise UsageError(f"{folder} is there and not empty; nothing in it was changed")
            made = await self._made(file, told.task)
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
            notes=(*made.notes, *_needs(made.task)) if self.own else made.notes,
            compared=made.compared,
            in_pytorch=tuple(dict.fromkeys(one.operator for one in made.kept)),
        )

    async def _made(self, file: Path, name: str) -> Imported | NotImported:
        """Make the task of a problem; a baseline of the user's is judged.

        Raises:
            UsageError: The file cannot be read, or that baseline is not correct.
        """
        from agent.importing.graphs.importer import NotImported, UserBaseline
        from agent.importing.problems.kernelbench import read_problem
        from tools.tasks.drafting import judge_draft

        made = await self.importer.make(read_problem(file), name, own=UserBaseline(self.own))
        if self.toolbox is not None and not isinstance(made, NotImported):
            await judge_draft(made.task, self.toolbox)
        return made


def _needs(task: WholeTask) -> list[str]:
    """Say why a search for the task needs a chat model; nothing where it needs none."""
    from agent.composer import Composer
    from agent.importing.graphs.holding import somewhere

    try:
        Composer().space(somewhere(task))
    except UsageError as error:
        return [f"a search needs a model: {error}"]
    return []


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
