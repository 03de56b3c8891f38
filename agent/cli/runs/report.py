"""`report`: a run, or two side by side, as a page, as Markdown, as a picture or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import RunName
from agent.cli.outcome import ExitStatus, conclude
from agent.report.formats import ReportFormat, rendered
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from agent.report.account import Account

_STDOUT = Path("-")
_SEEN = (ReportFormat.HTML, ReportFormat.PNG)
"""Formats that no terminal shows."""


def report(
    run: RunName,
    other: Annotated[
        str | None,
        typer.Argument(metavar="OTHER", help="A second run, to compare with.", show_default=False),
    ] = None,
    form: Annotated[
        ReportFormat | None,
        typer.Option("--format", help="Unset, as the file's name says; else html.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="- is standard output. Unset, html and png go into the run's folder, the rest to standard output.",
            show_default=False,
        ),
    ] = None,
    opened: Annotated[bool, typer.Option("--open", help="Open what was written.")] = False,
) -> None:
    """Write a report of a search, or of two side by side; one still going has a report too."""

    async def work() -> ExitStatus:
        from agent.home import home
        from agent.report.reading import read_account
        from agent.report.telling import comparison
        from agent.store import Store

        chosen = form or format_of(output)
        if opened and (chosen not in _SEEN or output == _STDOUT):
            msg = "--open shows a page or a picture: --format html or png, and no --output -"
            raise UsageError(msg)
        store = Store(home())
        account: Account = read_account(store, run)
        if other is not None:
            account = comparison(account, read_account(store, other))
        path = output
        if path is None and chosen in _SEEN:
            name = "report" if other is None else f"beside-{other}"
            path = store.kernels.folder(run) / f"{name}.{chosen}"
        written = write(rendered(account, chosen), path)
        if written is not None:
            typer.echo(written)
            if opened:
                typer.launch(written.as_uri())
        return ExitStatus.DONE

    conclude(work, as_json=False)


def format_of(output: Path | None) -> ReportFormat:
    """Return the format that a file's name asks for; HTML where it asks for none."""
    suffix = "" if output is None else output.suffix.lower().removeprefix(".")
    return ReportFormat(suffix) if suffix in set(ReportFormat) else ReportFormat.HTML


def require_file(output: Path) -> None:
    """Raise UsageError, before long work, where a report could not be written there after it."""
    if output == _STDOUT or output.is_dir() or not output.absolute().parent.is_dir():
        msg = f"{output} is no file that a report can be written to; name one in a folder that is there"
        raise UsageError(msg)


def write(content: bytes, output: Path | None) -> Path | None:
    """Write a report, and return where; print it where no file is named.

    Raises:
        UsageError: The file cannot be written.
    """
    if output is None or output == _STDOUT:
        typer.echo(content, nl=False)
        return None
    try:
        output.write_bytes(content)
    except OSError as error:
        said = f"{output} cannot be written: {error.strerror or error}"
        msg = f"{said}; name a file in a folder that is there and is yours to write"
        raise UsageError(msg) from None
    return output.absolute()
