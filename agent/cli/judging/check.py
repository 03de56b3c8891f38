"""`check`: the judgement on one kernel file, or on all those of a repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.judging.kernels import opened_toolbox, read_kernel, waiting
from agent.cli.judging.verdict_formats import FORMATS, VerdictFormat
from agent.cli.options import AsJson, DeviceName, Seed, ToolsUrl
from agent.cli.outcome import ExitStatus, conclude, of_verdict
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from agent.cli.judging.kernel_paths import NamedKernel
    from agent.report.account import Account
    from tools.reports import CheckReport
    from tools.toolbox import CheckOrder, Toolbox


def check(  # noqa: PLR0913 - they are the options of the command
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="KERNEL.cu|FOLDER...",
            help="Kernel files; folders with tasks in them.",
            show_default=False,
        ),
    ],
    task: Annotated[
        str | None,
        typer.Option(
            "--task", metavar="TASK|FOLDER", help="A task's name or folder; else the one a kernel lies in."
        ),
    ] = None,
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
    form: Annotated[
        VerdictFormat, typer.Option("--format", help="How to print verdicts; --json is for scripts.")
    ] = VerdictFormat.TEXT,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against", metavar="FILE", help="Results that --json printed of these kernels before."
        ),
    ] = None,
    slower_than: Annotated[
        str | None,
        typer.Option(
            "--slower-than",
            metavar="SHARE",
            help="With --against, fail where slower by this (default 5%) and by its error.",
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Judge again whenever a file of a kernel or its task changes.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Judge kernel files: compile, test and time each. A folder means every kernel beside a task in it."""

    async def work() -> ExitStatus:
        from agent.cli.judging.kernel_paths import named_kernels
        from agent.cli.runs.report import ReportFormat, format_of, require_file
        from tools.toolbox import CheckOrder

        def order(judged: Any, text: str) -> CheckOrder[Any]:
            return CheckOrder(judged, text, sweep=sweep, thorough=thorough, prove=prove, seed=seed)

        if slower_than is not None and against is None:
            raise UsageError("--slower-than compares with the results that --against names")
        kernels = named_kernels(paths, task)
        single = (
            len(paths) == 1 and not Path(paths[0]).is_dir() and form is VerdictFormat.TEXT and not against
        )
        chosen = VerdictFormat.JSON if as_json and not single else form
        if report_file is not None:
            require_file(report_file)
            if format_of(report_file) is ReportFormat.PNG:
                raise UsageError("--report writes no picture of judgements: .html, .md or .json")
        async with opened_toolbox(device, tools) as toolbox:

            async def once() -> ExitStatus:
                if single:
                    given = (report_file, as_json, strict)
                    return await _judge_one(kernels[0], toolbox, order, given)
                told, before = (chosen, report_file, strict), (against, slower_than or "5%")
                return await _judge_all(kernels, toolbox, order, told, before)

            if not watch:
                return await once()
            from agent.cli.judging.watching import again_and_again

            return await again_and_again(once, kernels)

    conclude(work, as_json=as_json)


async def _judge_one(
    kernel: NamedKernel, toolbox: Toolbox, order: Any, given: tuple[Path | None, bool, bool]
) -> ExitStatus:
    """Judge a kernel; `given`: where its page goes, whether JSON is printed, whether it must be judged whole."""
    from agent.cli import output
    from agent.cli.judging import report_view
    from agent.home import home
    from agent.report.checking import check_account
    from tools.reports import not_judged_text
    from tools.tasks.folder import find

    report_file, as_json, strict = given
    text, judged = read_kernel(str(kernel.path)), find(kernel.task, home().tasks)
    with waiting(f"checking {kernel.path} on {toolbox.device}", quiet=as_json):
        report: CheckReport = await toolbox.do(order(judged, text))
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


def _write_report(account: Account, file: Path) -> None:
    from agent.cli.runs.report import format_of, rendered, write

    written = write(rendered(account, format_of(file)), file)
    if written is not None:
        typer.echo(f"report       {written}", err=True)


async def _judge_all(
    kernels: list[NamedKernel],
    toolbox: Toolbox,
    order: Any,
    told: tuple[VerdictFormat, Path | None, bool],
    before: tuple[Path | None, str],
) -> ExitStatus:
    """Judge kernels.

    Args:
        kernels: Which.
        toolbox: What judges.
        order: Makes the order of a task and a kernel's text.
        told: How verdicts are printed, where a page goes, and whether a pass must be judged whole.
        before: Earlier results, and by how much to be slower.
    """
    from agent.cli import output
    from agent.cli.judging import report_view
    from agent.cli.judging.many import judge_all, status_of
    from agent.cli.judging.regressions import compared, read_results, read_share
    from agent.home import home
    from agent.report.checking import checks_account

    kept, share = None if before[0] is None else read_results(before[0]), read_share(before[1])
    if not kernels:
        raise UsageError("there is no kernel to judge: a folder with tasks holds .cu files beside task.toml")
    form, report_file, strict = told
    judged = await judge_all(
        kernels, toolbox, order, home().tasks, lambda said: typer.echo(said, err=True), strict=strict
    )
    if kept is not None:
        judged = compared(judged, kept, share)
    if form is VerdictFormat.TEXT:
        report_view.show_suite(output.console(), judged)
    else:
        typer.echo(FORMATS[form](judged))
    if report_file is not None:
        kernels_told = [one.account() for one in judged]
        _write_report(checks_account(kernels_told, toolbox.device, toolbox.isolation), report_file)
    return status_of(judged)
