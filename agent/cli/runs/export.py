"""`export`: kernels as packages that others build on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import AsJson, DeviceName
from agent.cli.outcome import ExitStatus, conclude, of_verdict
from agent.export.forms import Form
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from agent.export.exporting import Chosen
    from agent.export.packages import KernelPackage


def export(  # noqa: PLR0913 - they are the options of the command
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|KERNEL.cu...",
            help="A run, or kernel files of one task; of several each serves the sizes that it is best at.",
            show_default=False,
        ),
    ],
    form: Annotated[Form, typer.Option("--to", help="What the package is for.", show_default=False)],
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="TASK|FOLDER", help="Of kernel files; else the one that they lie in."),
    ] = None,
    architectures: Annotated[
        str,
        typer.Option(
            "--arch", metavar="sm_XX,...", help="To judge and compile for; unset, that of the device."
        ),
    ] = "",
    sizes: Annotated[
        list[str] | None,
        typer.Option(
            "--size",
            metavar="DIM=SIZE,...",
            help="Hold code for these sizes too, where code depends on them; may be given several times.",
        ),
    ] = None,
    device: DeviceName = "auto",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="To write to; unset, one here named for task and form."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a package of kernels that pass: launcher, compiled code, and what was verified of them.

    Kernel files are judged first, and again for every architecture; what does not pass is not exported.
    """

    async def work() -> ExitStatus:
        from agent.export.exporting import ExportRequest, KernelNotRightError, packaged
        from agent.export.forms import package_files
        from agent.export.writing import require_empty, write_files
        from agent.home import home

        if output is not None:
            require_empty(output)
        wanted = ExportRequest(
            _architectures(architectures), tuple(_size(one) for one in sizes or ()), device
        )
        chosen = _chosen(sources, task, device)
        _check_sizes(chosen, wanted.sizes)
        try:
            package = await packaged(chosen, wanted, home(), lambda said: typer.echo(said, err=True))
        except KernelNotRightError as error:
            typer.echo(f"warpwright: {error}", err=True)
            return of_verdict(error.verdict)
        folder = output or Path(f"{package.space}-{form}")
        write_files(folder, package_files(package, form))
        _tell(package, folder, form, as_json=as_json)
        return ExitStatus.DONE

    conclude(work, as_json=as_json)


def _architectures(text: str) -> tuple[str, ...]:
    import re

    names = [part.strip() for part in text.split(",") if part.strip()]
    for name in names:
        if not re.fullmatch(r"sm_\d{2,3}[af]?", name):
            raise UsageError(f"--arch takes names like sm_80,sm_90; found {name}")
    return tuple(dict.fromkeys(names))


def _size(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals or not value.strip().isdecimal() or int(value) < 1:
            raise UsageError(f"--size takes sizes like n=1000,k=64; found {text}")
        found[name.strip()] = int(value)
    return found


def _check_sizes(chosen: Chosen, sizes: Sequence[Mapping[str, int]]) -> None:
    dims = chosen.task.dims
    for one in sizes:
        if set(one) != set(dims):
            raise UsageError(f"--size takes a size for each of {', '.join(dims)}")


def _chosen(sources: list[str], task: str | None, device: str) -> Chosen:
    from agent.cli.judging.kernel_paths import named_kernels
    from agent.cli.judging.kernels import read_kernel
    from agent.export.exporting import from_files, from_run
    from agent.home import home
    from agent.store import Store
    from sandbox.devices.open import device_name
    from tools.tasks.folder import find

    if len(sources) == 1 and not sources[0].endswith(".cu") and not Path(sources[0]).is_file():
        return from_run(Store(home()), sources[0])
    kernels = named_kernels(sources, task)
    if len({one.task for one in kernels}) != 1:
        raise UsageError("the kernels of one package are for one task: say with --task for which")
    found = find(kernels[0].task, home().tasks)
    texts = [(str(one.path), read_kernel(str(one.path))) for one in kernels]
    return from_files(texts, found, device_name(device))


def _tell(package: KernelPackage, folder: Path, form: Form, *, as_json: bool) -> None:
    from agent.cli import output

    if as_json:
        output.print_json(
            {
                "folder": str(folder.absolute()),
                "form": str(form),
                "task": package.task.name,
                "architectures": package.architectures,
                "kernels": [one.file for one in package.kernels],
                "choices": [{"dims": one.dims, "kernel": one.kernel} for one in package.choices],
            }
        )
        return
    typer.echo(f"{folder.absolute()}")
    names = ", ".join(one.file for one in package.kernels)
    typer.echo(f"{form} for {', '.join(package.architectures)}: {names}, judged and compiled")
    typer.echo("what was checked, and what was not: VERIFICATION.md in it")
