"""What reaches the terminal: consoles, JSON, and numbers that always carry where they come from."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import IO, Any, Literal, TextIO, cast

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from sandbox.verdict import Provenance, Verdict

_WIDTH_OF_PIPES = 160
"""Nothing is gained by cutting what no terminal shows."""
_FILLING = re.compile(r" +(?=\n)")
_WIDEST = 10_000
_BARS = "▁▂▃▄▅▆▇█"
_STYLES = {Verdict.PASS: "green", Verdict.UNSUPPORTED: "yellow", Verdict.UNDECIDED: "yellow"}


class _Unpadded:
    """A standard stream that is no terminal, whichever it is at the time, without what fills the lines of tables."""

    def __init__(self, name: Literal["stdout", "stderr"]) -> None:
        self._name = name

    def write(self, text: str) -> int:
        """Write whole lines without the spaces at their ends."""
        self._stream.write(_FILLING.sub("", text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        """Be the stream in everything else."""
        return getattr(self._stream, name)

    @property
    def _stream(self) -> TextIO:
        return sys.stdout if self._name == "stdout" else sys.stderr


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints text as it is: what a kernel or a model wrote is never markup."""
    made = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not made.is_terminal:
        made.file = cast("IO[str]", _Unpadded("stderr" if stderr else "stdout"))
        if "COLUMNS" not in os.environ:
            made.width = _WIDTH_OF_PIPES
    return made


def print_json(value: object, **more: object) -> None:
    """Print a report, a model, or a list of them as one JSON value; `more` are added to an object."""
    from pydantic import TypeAdapter

    plain: Any = TypeAdapter(type(value)).dump_python(value, mode="json")
    if more:
        plain = {**more, **plain}
    typer.echo(TypeAdapter(Any).dump_json(plain, indent=2).decode())


def clean(text: str) -> str:
    """Return text without what would steer a terminal; kernels and models can print anything."""
    return "".join(char if char.isprintable() or char in "\n\t" else "?" for char in text)


def one_line(text: str, limit: int = 100) -> str:
    """Return the first line of a message, shortened."""
    line = clean(text).strip().partition("\n")[0]
    return line if len(line) <= limit else line[: limit - 3] + "..."


def sparkline(values: Sequence[float], width: int) -> str:
    """Return positive numbers as bars, the largest the highest, on a logarithmic scale; of many, the latest."""
    logs = [math.log(value) for value in values[-width:]]
    if not logs:
        return ""
    low, high = min(logs), max(logs)
    steps = len(_BARS) - 1
    return "".join(_BARS[round(steps * (one - low) / (high - low)) if high > low else 0] for one in logs)


def verdict_text(verdict: Verdict | None) -> Text:
    """Return a verdict in its colour."""
    return Text("-") if verdict is None else Text(str(verdict), style=_STYLES.get(verdict, "red"))


class _Fitting(Table):
    """A table that in too narrow a terminal gets closer columns and heads of several lines, before words are cut."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Squeeze what does not fit, and draw."""
        whole = options.update(max_width=_WIDEST)
        if console.is_terminal and Measurement.get(console, whole, self).maximum > options.max_width:
            self.padding = (0, 1, 0, 0)
            for column in self.columns:
                column.header = str(column.header).replace(" ", "\n")
                column.overflow = "fold"
        yield from super().__rich_console__(console, options)


def table(*columns: str, title: str | None = None) -> Table:
    """Return a plain table; `>` before a column's name means a number, `!` a name that is never cut."""
    made = _Fitting(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        kind = column[:1]
        made.add_column(
            column.lstrip(">!"), justify="right" if kind == ">" else "left", no_wrap=kind in (">", "!")
        )
    return made


class ByProvenance:
    """Columns of one quantity, one a provenance that occurs, so that no column mixes them."""

    def __init__(self, unit: str, occurring: Iterable[Provenance]) -> None:
        present = set(occurring)
        self._provenances = [provenance for provenance in Provenance if provenance in present]
        self.heads = [f">{provenance} {unit}".rstrip() for provenance in self._provenances]

    def cells(self, value: str, provenance: Provenance) -> list[str]:
        """Return one row's cells, the value under its own provenance."""
        return [value if column is provenance else "" for column in self._provenances]
