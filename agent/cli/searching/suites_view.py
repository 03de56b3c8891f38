"""A suite while it runs, a line a task, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from agent.cli.output import ByProvenance, clean, one_line, table
from agent.cli.redrawing import Printed, Redrawn, Shown
from agent.events import (
    BaselineJudged,
    CandidateJudged,
    Event,
    RoundFinished,
    RoundPlanned,
    RunFinished,
    RunStarted,
)
from agent.report.figures import latency, microseconds, speedup
from agent.report.task_suite_account import TaskSuiteAccount
from agent.report.task_suite_figures import behind, figure_alone, outcome, two_digits
from agent.suites.record import SuiteSearch
from sandbox.verdict import Provenance, Verdict

_WIDEST = 240
"""Columns of a table in a pipe, at most."""


class SuiteView(Shown, Protocol):
    """Listens to the searches of a suite and shows them."""

    def __call__(self, search: SuiteSearch, said: Event | str) -> None:
        """Take one event, or why a search could not be done."""
        ...


def suite_view(console: Console, searches: Iterable[SuiteSearch]) -> SuiteView:
    """Return the view that suits the console."""
    return LiveSuite(console, searches) if console.is_terminal else PlainSuite(console)


def name_of(search: SuiteSearch) -> str:
    """Return what a search is called in a suite: its task, and its seed where that is not the first."""
    task = Path(search.task).name
    return task if search.seed == 1 else f"{task} (seed {search.seed})"


class _Line:
    """What is known of one search."""

    def __init__(self) -> None:
        self.state = "waiting"
        self.baseline: BaselineJudged | None = None
        self.best: CandidateJudged | None = None
        self.judged = 0
        self.passed = 0

    def take(self, said: Event | str) -> None:
        match said:
            case str():
                self.state = one_line(said, 90)
            case RunStarted():
                self.state = "judging the baseline"
            case BaselineJudged():
                self.baseline = said
            case RoundPlanned() | RoundFinished():
                self.state = f"round {said.round}"
            case CandidateJudged():
                self.judged += 1
                self.passed += said.verdict is Verdict.PASS
                self.best = said if said.is_best else self.best
            case RunFinished():
                self.state = f"stopped: {said.stopped}"
            case _:
                pass


class PlainSuite(Printed):
    """A line for each search that begins, finds a better kernel, or ends; for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines: dict[tuple[str, int], _Line] = {}

    def __call__(self, search: SuiteSearch, said: Event | str) -> None:
        """Print the event's line."""
        line = self._lines.setdefault((search.task, search.seed), _Line())
        line.take(said)
        text = ""
        match said:
            case str():
                text = clean(said).strip()
            case RunStarted():
                text = f"{said.run} {'resumed' if said.resumed else 'started'}"
            case BaselineJudged():
                text = f"baseline {latency(said.latency_us, said.provenance)}"
            case RunFinished():
                best = line.best
                found = (
                    "no correct kernel"
                    if best is None
                    else f"{latency(best.latency_us, best.provenance)}, {speedup(best.speedup)}"
                )
                text = f"{line.state}; {found}; {line.judged} candidates"
            case _:
                return
        self._console.print(Text(f"{name_of(search)}: {text}"), soft_wrap=True)


class LiveSuite(Redrawn):
    """The table of searches, redrawn as they go on."""

    def __init__(self, console: Console, searches: Iterable[SuiteSearch]) -> None:
        self._since = time.monotonic()
        self._lines = {(one.task, one.seed): (one, _Line()) for one in searches}
        super().__init__(console, self.render, a_second=2)

    def __call__(self, search: SuiteSearch, said: Event | str) -> None:
        """Take the event in; the next redraw shows it."""
        self._lines[search.task, search.seed][1].take(said)

    def render(self) -> RenderableType:
        """Return what the terminal shows now."""
        lines = [line for _, line in self._lines.values()]
        columns = ByProvenance("us", (one.best.provenance for one in lines if one.best is not None))
        made = table("task", ">baseline us", *columns.heads, ">speedup", ">correct", "")
        for search, line in self._lines.values():
            made.add_row(*_cells(search, line, columns))
        ended = sum(not one.state.startswith(("waiting", "judging", "round")) for one in lines)
        seconds = time.monotonic() - self._since
        return Group(made, Text(f"{ended} of {len(lines)} searches ended, {seconds:.0f} s", style="dim"))


def _cells(search: SuiteSearch, line: _Line, columns: ByProvenance) -> list[RenderableType]:
    baseline = "" if line.baseline is None or line.baseline.latency_us is None else line.baseline.latency_us
    best = line.best
    value = "" if best is None or best.latency_us is None else microseconds(best.latency_us)
    return [
        Text(name_of(search)),
        baseline if isinstance(baseline, str) else microseconds(baseline),
        *columns.cells(value, Provenance.ESTIMATED if best is None else best.provenance),
        "" if best is None else speedup(best.speedup),
        f"{line.passed} of {line.judged}" if line.judged else "",
        Text(line.state, style="dim"),
    ]


def show_suite_account(console: Console, suite: TaskSuiteAccount) -> None:
    """Print what came of a suite."""
    console.print()
    console.print(
        f"{suite.suite}: {suite.name} on {suite.device}, {suite.model}, strategy {suite.strategy},"
        f" {suite.candidates} candidates x {suite.depth} rounds, seeds: {suite.seeds}",
        soft_wrap=True,
    )
    console.print()
    rows, left_out = _fitting(console, suite)
    rows.width = None if console.is_terminal else _needed(console, rows)
    console.print(rows, crop=console.is_terminal)
    if left_out:
        console.print(Text(f"left out, in the report: {', '.join(left_out)}", style="dim"))
    console.print()
    for row in suite.rows:
        if row.latency is None:
            console.print(Text(f"{row.task}: {one_line(outcome(row), 300)}"), soft_wrap=True)
    console.print(_sums(suite))
    console.print()
    console.print(
        f"correct      {suite.solved} of {len(suite.rows)} tasks; one without a kernel counts as 1.00x"
    )
    fast = ", ".join(f"p={one.at:g} {one.share:.2f}" for one in suite.fast)
    console.print(f"fast_p       {fast}")
    if suite.passed:
        passed = ", ".join(f"k={one.at:g} {one.share:.2f}" for one in suite.passed)
        console.print(f"pass@k       {passed} (of first rounds)")
    if room := behind(suite):
        console.print(
            f"room         below 60% of the roofline, a library may still win: {room}", soft_wrap=True
        )
    price = "price unknown" if suite.usd is None else f"{suite.usd:.4f} US dollars"
    console.print(
        f"took         {suite.judged} candidates, {suite.seconds:.0f} s of searching,"
        f" {suite.tokens:,} tokens, {price}"
    )
    if suite.cards:
        console.print(
            f"published    on {' and '.join(suite.cards)}: other hardware, other baselines; for orientation only"
        )
    if suite.provenance is not Provenance.MEASURED:
        console.print(
            "The latencies are a cost model's estimates, for ranking; no GPU has run these kernels."
        )


def _needed(console: Console, rows: Table) -> int:
    """The width of a table of which nothing is left out: who reads a pipe can scroll."""
    return Measurement.get(console, console.options.update(max_width=_WIDEST), rows).maximum


def _fitting(console: Console, suite: TaskSuiteAccount) -> tuple[Table, Sequence[str]]:
    """Return the table of tasks and what it leaves out: in a narrow terminal what can best be spared."""
    rows = _rows(suite)
    if not console.is_terminal or _needed(console, rows) <= console.width:
        return rows, ()
    spare = ("SOL", *suite.cards, "bound by", "roofline")
    for count in range(len(spare) + 1):
        rows = _rows(suite, spare[:count], between="\n")
        if _needed(console, rows) <= console.width:
            return rows, spare[:count]
    return rows, spare


def _rows(suite: TaskSuiteAccount, left_out: Sequence[str] = (), between: str = " ") -> Table:
    """Return a line a task; `between` the words of a long head there may be an end of line."""
    us = f"{suite.provenance} us"
    heads = [
        *("!task", f">baseline{between}{us}", f">best{between}{us}", ">speedup", ">roofline", ">SOL"),
        *("bound by", ">correct", *(f">{card}" for card in suite.cards), "result"),
    ]
    shown = [at for at, head in enumerate(heads) if head.lstrip(">!") not in left_out]
    made = table(*(heads[at] for at in shown))
    for row in suite.rows:
        cells = (
            row.task,
            figure_alone(row.baseline),
            figure_alone(row.latency),
            figure_alone(row.speedup),
            figure_alone(row.roofline),
            two_digits(row.sol_score),
            row.bottleneck,
            f"{row.correct} of {row.candidates}" if row.candidates else "",
            *(f"{one:g}" for one in row.published),
            Text(one_line(outcome(row)) if row.latency is not None else "none"),
        )
        made.add_row(*(cells[at] for at in shown))
    return made


def _sums(suite: TaskSuiteAccount) -> Table:
    made = table("!speedups", ">geometric mean", ">median", ">most", ">below 1")
    for one in (suite.ours, *suite.published):
        made.add_row(
            one.of,
            two_digits(one.geometric_mean),
            two_digits(one.median),
            two_digits(one.most),
            str(one.below_one),
        )
    return made
