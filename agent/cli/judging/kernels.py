"""`profile`, and how commands read a kernel file and wait for its judgement."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import AsJson, DeviceName, KernelFile, TaskName, ToolsUrl
from agent.cli.outcome import ExitStatus, conclude, of_verdict
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from rich.status import Status

    from tools.toolbox import Toolbox

LARGEST_KERNEL = 1 << 20
"""Bytes; a kernel file is a page or two of text."""


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
        from agent.cli import output
        from agent.cli.judging import report_view
        from agent.home import home
        from tools.tasks.folder import find
        from tools.toolbox import ProfileOrder

        text, profiled = read_kernel(kernel), find(task, home().tasks)
        async with opened_toolbox(device, tools) as toolbox:
            with waiting(f"profiling {kernel} on {toolbox.device}", quiet=as_json):
                report = await toolbox.do(ProfileOrder(profiled, text, full=full))
            device_name, isolation = toolbox.device, toolbox.isolation
        if as_json:
            output.print_json(report, task=profiled.name, device=device_name, isolation=isolation)
        else:
            report_view.show_profile(output.console(), report, device=device_name)
        return of_verdict(report.verdict)

    conclude(work, as_json=as_json)


def read_kernel(path: str) -> str:
    """Return the text of a kernel file, what it includes of its own folder put in its place.

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
    from tools.kernel.inclusion import with_included

    return with_included(text, [file.parent], path)


def opened_toolbox(device: str, tools: str | None) -> Toolbox:
    """Return what judges, to be entered; warns of weak isolation where that is this machine."""
    from agent.cli.isolation import warn_of_weak_isolation
    from agent.home import home
    from agent.toolboxes import open_toolbox

    if tools is None:
        warn_of_weak_isolation()
    return open_toolbox(device, tools, home())


def waiting(message: str, *, quiet: bool) -> AbstractContextManager[Status | None]:
    """Show on a terminal that something is under way."""
    from contextlib import nullcontext

    from agent.cli import output

    console = output.console(stderr=True)
    return nullcontext() if quiet or not console.is_terminal else console.status(message)
