"""`report`: a run, or two side by side, as a page, as Markdown or as JSON."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import RunName
from agent.cli.outcome import ExitStatus, conclude
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from agent.report.account import Account
    from agent.report.task_suite_account import TaskSuiteAccount

_STDOUT = Path("-")


class ReportFormat(StrEnum):
    """What a report is written as."""

    HTML = "html"
    MD = "md"
    JSON = "json"


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
            help="- is standard output. Unset, a page goes into the run's folder, the rest to standard output.",
            show_default=False,
        ),
    ] = None,
    opened: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Write a report of a search, or of two side by side; one still going has a report too."""

    async def work() -> ExitStatus:
        from agent.home import home
        from agent.report.reading import read_account
        from agent.report.telling import comparison
        from agent.store import Store

        chosen = form or format_of(output)
        if opened and (chosen is not ReportFormat.HTML or output == _STDOUT):
            msg = "--open shows a page: leave --format at html, and let --output name a file"
            raise UsageError(msg)
        store = Store(home())
        account: Account = read_account(store, run)
        if other is not None:
            account = comparison(account, read_account(store, other))
        path = output
        if path is None and chosen is ReportFormat.HTML:
            name = "report.html" if other is None else f"beside-{other}.html"
            path = store.kernels.folder(run) / name
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


def rendered(account: Account | TaskSuiteAccount, form: ReportFormat) -> str:
    """Return an account in a format."""
    match form:
        case ReportFormat.JSON:
            return _json(account)
        case ReportFormat.MD:
            from agent.report.markdown import markdown

            return markdown(account)
        case ReportFormat.HTML:
            from agent.report.html import html

            return html(account)


def _json(account: Account | TaskSuiteAccount) -> str:
    """Return an account as JSON that any parser reads: ASCII for lone surrogates, null for what is no number."""
    plain = json.dumps(account.model_dump(mode="json"))
    return json.dumps(json.loads(plain, parse_constant=lambda _: None), indent=2) + "\n"


def write(text: str, output: Path | None) -> Path | None:
    """Write a report, and return where; print it where no file is named.

    Raises:
        UsageError: The file cannot be written.
    """
    if output is None or output == _STDOUT:
        typer.echo(text, nl=False)
        return None
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        said = f"{output} cannot be written: {error.strerror or error}"
        msg = f"{said}; name a file in a folder that is there and is yours to write"
        raise UsageError(msg) from None
    return output.absolute()
