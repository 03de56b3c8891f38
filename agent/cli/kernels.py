"""`check` and `profile`: what the tools say of one kernel file."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import AsJson, DeviceName, KernelFile, Seed, TaskName, ToolsUrl
from agent.cli.outcome import ExitStatus, conclude, of_verdict
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from rich.status import Status

    from agent.report.account import CheckAccount
    from tools.toolbox import Toolbox

LARGEST_KERNEL = 1 << 20
"""Bytes; a kernel file is a page or two of text."""


def check(  # noqa: PLR0913 - they are the options of the command
    kernel: KernelFile,
    task: TaskName,
    device: DeviceName = "auto",
    seed: Seed = None,
    sweep: Annotated[
        bool,
        typer.Option("--sweep/--no-sweep", help="Try the tunables' values and keep the best correct ones."),
    ] = False,
    thorough: Annotated[
        bool,
        typer.Option("--thorough", help="Look for hazards with compute-sanitizer too (on a GPU)."),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Fail (status 3) where results at a benchmark shape were not judged."),
    ] = False,
    prove: Annotated[
        bool,
        typer.Option(
            "--prove",
            help="Ask the verifier sentryward about races in every schedule (extra: proof); no verdict.",
        ),
    ] = False,
    report_file: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write the judgement as a page too (.html; .md and .json are what they say).",
        ),
    ] = None,
    tools: ToolsUrl = None,
    as_json: AsJson = False,
) -> None:
    """Judge a kernel file: compile it, test it, time it."""

    async def work() -> ExitStatus:
        from agent.cli import output, report_view
        from agent.cli.report import require_file
        from agent.home import home
        from agent.report.checking import check_account
        from tools.reports import not_judged_text
        from tools.tasks.folder import find
        from tools.toolbox import CheckOrder

        if report_file is not None:
            require_file(report_file)
        text, judged = read_kernel(kernel), find(task, home().tasks)
        async with _toolbox(device, tools) as toolbox:
            with _waiting(f"checking {kernel} on {toolbox.device}", quiet=as_json):
                order = CheckOrder(judged, text, sweep=sweep, thorough=thorough, prove=prove, seed=seed)
                report = await toolbox.do(order)
        if as_json:
            output.print_json(report)
        else:
            report_view.show_check(output.console(), report)
        if report_file is not None:
            _write_report(check_account(report, judged, text), report_file)
        short = not_judged_text(report.verdict, report.not_judged)
        if strict and short:
            typer.echo(f"warpwright: no plain pass{short}, and --strict asks for one", err=True)
            return ExitStatus.LACKING
        return of_verdict(report.verdict)

    conclude(work, as_json=as_json)


def profile(
    kernel: KernelFile,
    task: TaskName,
    device: DeviceName = "auto",
    full: Annotated[
        bool, typer.Option("--full", help="On a GPU, every counter that Nsight Compute has; see --json.")
    ] = False,
    tools: ToolsUrl = None,
    as_json: AsJson = False,
) -> None:
    """Time a kernel file beside the baseline; say what bounds it.

    Says nothing of correctness: that is what `check` is for.
    """

    async def work() -> ExitStatus:
        from agent.cli import output, report_view
        from agent.home import home
        from tools.tasks.folder import find
        from tools.toolbox import ProfileOrder

        text, profiled = read_kernel(kernel), find(task, home().tasks)
        async with _toolbox(device, tools) as toolbox:
            with _waiting(f"profiling {kernel} on {toolbox.device}", quiet=as_json):
                report = await toolbox.do(ProfileOrder(profiled, text, full=full))
            device_name, isolation = toolbox.device, toolbox.isolation
        if as_json:
            output.print_json(report, task=profiled.name, device=device_name, isolation=isolation)
        else:
            report_view.show_profile(output.console(), report, device=device_name)
        return of_verdict(report.verdict)

    conclude(work, as_json=as_json)


def read_kernel(path: str) -> str:
    """Return the text of a kernel file.

    Raises:
        UsageError: It is not a regular file of UTF-8 text, or far too long.
    """
    if path == "-":
        msg = "standard input is not read; give the path of a kernel file"
        raise UsageError(msg)
    file = Path(path)
    try:
        if not file.is_file():
            problem = (
                "is a folder" if file.is_dir() else "is not a file" if file.exists() else "does not exist"
            )
            msg = f"{path} {problem}; a kernel file (.cu) is expected"
            raise UsageError(msg)
        if file.stat().st_size > LARGEST_KERNEL:
            msg = f"{path} is larger than {LARGEST_KERNEL} bytes; a kernel file (.cu) is expected"
            raise UsageError(msg)
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{path} is not UTF-8 text (byte {error.start}); a kernel file (.cu) is expected"
        raise UsageError(msg) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        msg = f"{path} cannot be read: {reason}"
        raise UsageError(msg) from None
    if "\0" in text:
        msg = f"{path} is not text: it holds NUL bytes; a kernel file (.cu) is expected"
        raise UsageError(msg)
    return text


def _write_report(account: CheckAccount, file: Path) -> None:
    from agent.cli.report import format_of, rendered, write

    written = write(rendered(account, format_of(file)), file)
    if written is not None:
        typer.echo(f"report       {written}", err=True)


def _toolbox(device: str, tools: str | None) -> Toolbox:
    from agent.cli.isolation import warn_of_weak_isolation
    from agent.home import home
    from agent.toolboxes import open_toolbox

    if tools is None:
        warn_of_weak_isolation()
    return open_toolbox(device, tools, home())


def _waiting(message: str, *, quiet: bool) -> AbstractContextManager[Status | None]:
    from contextlib import nullcontext

    from agent.cli import output

    console = output.console(stderr=True)
    return nullcontext() if quiet or not console.is_terminal else console.status(message)
