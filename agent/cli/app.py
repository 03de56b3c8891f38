"""The `warpwright` command: what its subcommands are called, and in which order help lists them."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.cli.judging import check, kernels
from agent.cli.machine import doctor, install, serve, supervise, token, ui
from agent.cli.runs import export, keeping, report, runs, stats, trajectories
from agent.cli.searching import chat, search, suites
from agent.cli.tasks import import_flashinfer, importing, init, listing
from agent.cli.version import print_version

app = typer.Typer(
    name="warpwright",
    help="Write fast CUDA kernels and prove them: search, check, profile.",
    epilog=(
        "Exit status: 0 done; 1 not correct or nothing correct found; "
        "2 usage; 3 this machine lacks something."
    ),
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print_version()
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Write fast CUDA kernels and prove them: search, check, profile."""


app.command("optimize")(search.optimize)
app.command("suite")(suites.suite)
app.command("chat")(chat.chat)
app.command("init")(init.init)
app.command("import-kernelbench")(importing.import_kernelbench)
app.command("import-flashinfer-bench")(import_flashinfer.import_flashinfer_bench)
app.command("check")(check.check)
app.command("profile")(kernels.profile)
app.command("tasks")(listing.tasks)
app.command("runs")(runs.runs)
app.command("show")(runs.show)
app.command("report")(report.report)
app.command("resume")(search.resume)
app.command("stats")(stats.stats)
app.command("export")(export.export)
app.command("adopt")(stats.adopt)
app.command("export-trajectories")(trajectories.export_trajectories)
app.command("backup")(keeping.backup)
app.command("restore")(keeping.restore)
app.command("prune")(keeping.prune)
app.command("doctor")(doctor.doctor)
app.command("serve")(serve.serve)
app.command("ui")(ui.ui)
app.command("install")(install.install)
app.add_typer(token.app, name="token")
app.command("supervise", hidden=True)(supervise.supervise)
