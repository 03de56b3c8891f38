"""A search while it runs: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agent.cli.output import ByProvenance, clean, one_line, sparkline, table, verdict_text
from agent.cli.redrawing import Printed, Redrawn, Shown
from agent.cli.searching.remaining import SpentOf, SpentSoFar, remaining
from agent.events import (
    BaselineJudged,
    CandidateJudged,
    Event,
    Noticed,
    RoundFinished,
    RoundPlanned,
    RunFinished,
    RunStarted,
    StageFinished,
)
from agent.report.figures import latency, microseconds, speedup

_LINES_AROUND_TABLE = 13
_SPARKS = 60
_ASKED_EVERY_S = 1.0
_FEWEST_ROWS = 4


class ProgressView(Shown, Protocol):
    """Listens to a search and shows it; `run` is the run's name as soon as it is known."""

    run: str | None

    def __call__(self, event: Event) -> None:
        """Take one event."""
        ...


def progress_view(console: Console, standing: SpentOf | None = None) -> ProgressView:
    """Return the view that suits the console; `standing` says what a run has spent."""
    return LiveProgress(console, standing) if console.is_terminal else PlainProgress(console)


def heading(event: RunStarted) -> str:
    """Return the line that opens a search."""
    verb = "resumed" if event.resumed else "started"
    how = f"strategy {event.strategy}, " if event.strategy else ""
    return (
        f"{event.run} {verb}: {event.task} on {event.device}, {event.model}, {how}"
        f"{event.candidates} candidates x {event.depth} rounds, isolation {event.isolation}"
    )


class PlainProgress(Printed):
    """One line an event worth a line, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self.run: str | None = None
        self._console = console

    def __call__(self, event: Event) -> None:
        """Print the event's line."""
        self.run = event.run
        if (line := _plain_line(event)) is not None:
            self._console.print(Text(line), soft_wrap=True)


def _plain_line(event: Event) -> str | None:
    match event:
        case RunStarted():
            return heading(event)
        case BaselineJudged():
            return f"baseline: {latency(event.latency_us, event.provenance)}"
        case CandidateJudged():
            what = f"round {event.round} candidate {event.candidate} [{event.tried}]: {event.verdict}"
            if event.latency_us is None:
                return f"{what}: {one_line(event.message)}"
            ratio = f", {speedup(event.speedup)}" if event.speedup is not None else ""
            best = ", best so far" if event.is_best else ""
            return f"{what}, {latency(event.latency_us, event.provenance)}{ratio}{best}"
        case RoundFinished():
            return f"round {event.round} critic: {clean(event.critique).strip()}"
        case Noticed():
            return f"note: {clean(event.message).strip()}"
        case RunFinished():
            return f"stopped: {event.stopped}"
        case RoundPlanned() | StageFinished():
            return None


class LiveProgress(Redrawn):
    """The table of candidates, redrawn as the search goes on."""

    def __init__(
        self,
        console: Console,
        standing: SpentOf | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Show nothing yet.

        Args:
            console: Where to show.
            standing: Is asked what a run has spent, a second apart at most.
            clock: Tells seconds.
        """
        self._clock = clock
        self.run: str | None = None
        self._console = console
        self._ask = standing
        self._asked = float("-inf")
        self._standing: SpentSoFar | None = None
        self._bests: list[float] = []
        self._since = clock()
        self._started: RunStarted | None = None
        self._baseline: BaselineJudged | None = None
        self._features: dict[tuple[int, int], list[str]] = {}
        self._stages: dict[tuple[int, int], str] = {}
        self._judged: dict[tuple[int, int], CandidateJudged] = {}
        self._best: CandidateJudged | None = None
        self._note = ""
        self._ended = False
        super().__init__(console, self.render, a_second=4)

    def __call__(self, event: Event) -> None:
        """Take the event in; the next redraw shows it."""
        self.run = event.run
        self._look()
        match event:
            case RunStarted():
                self._started = event
            case BaselineJudged():
                self._baseline = event
            case RoundPlanned():
                for candidate, features in enumerate(event.features, start=1):
                    self._features[event.round, candidate] = features
            case StageFinished():
                self._stages[event.round, event.candidate] = event.stage
            case CandidateJudged():
                self._judged[event.round, event.candidate] = event
                again = self._best is not None and self._best.place == event.place
                self._best = event if event.is_best else None if again else self._best
                if self._best is not None and self._best.latency_us is not None:
                    self._bests.append(self._best.latency_us)
            case RoundFinished():
                self._note = f"critic, round {event.round}: {one_line(event.critique, 300)}"
            case Noticed():
                self._note = f"note: {one_line(event.message, 300)}"
            case RunFinished():
                self._note, self._ended = f"stopped: {event.stopped}", True

    def render(self) -> RenderableType:
        """Return what the terminal shows now."""
        if self._started is None:
            return Text("starting ...")
        parts: list[RenderableType] = [
            Text(heading(self._started)),
            Text(),
            self._candidates(),
            Text(),
            self._bar(),
        ]
        if self._best is not None:
            best = self._best
            found = f"best so far: {latency(best.latency_us, best.provenance)} {speedup(best.speedup)}"
            parts.append(Text.assemble(found, "  ", (sparkline(self._bests, _SPARKS), "green")))
        if self._note:
            parts.append(Text(self._note, style="dim"))
        return Group(*parts)

    def _candidates(self) -> Table:
        occurring = [event.provenance for event in self._judged.values() if event.latency_us is not None]
        if self._baseline is not None:
            occurring.append(self._baseline.provenance)
        columns = ByProvenance("us", occurring)
        made = table(">round", ">candidate", "features", "verdict", *columns.heads, ">speedup", "")
        if (baseline := self._baseline) is not None and baseline.latency_us is not None:
            cells = columns.cells(microseconds(baseline.latency_us), baseline.provenance)
            made.add_row("", "", "baseline", "", *cells, "1.00x", "")
        else:
            made.add_row("", "", "baseline", Text("at work", style="dim"))
        keys = sorted(self._features.keys() | self._stages.keys() | self._judged.keys())
        for key in keys[-max(_FEWEST_ROWS, self._console.height - _LINES_AROUND_TABLE) :]:
            made.add_row(*self._row(key, columns))
        return made

    def _row(self, key: tuple[int, int], columns: ByProvenance) -> list[RenderableType]:
        event = self._judged.get(key)
        tried = event.tried if event is not None else ", ".join(self._features.get(key, []))
        start: list[RenderableType] = [str(key[0]), str(key[1]), Text(tried)]
        if event is None:
            stage = self._stages.get(key)
            return [*start, Text(f"{stage} done" if stage else "waiting", style="dim")]
        if event.latency_us is None:
            return [
                *start,
                verdict_text(event.verdict),
                *("" for _ in columns.heads),
                "",
                one_line(event.message, 60),
            ]
        cells = columns.cells(microseconds(event.latency_us), event.provenance)
        mark = "best" if event is self._best else ""
        return [*start, verdict_text(event.verdict), *cells, speedup(event.speedup), mark]

    def _bar(self) -> Table:
        assert self._started is not None
        total = self._started.candidates * self._started.depth
        grid = Table.grid(padding=(0, 1))
        seconds = self._clock() - self._since
        grid.add_row(
            ProgressBar(total=total, completed=len(self._judged), width=40),
            Text(f"{len(self._judged)} of at most {total} candidates, {seconds:.0f} s"),
        )
        if self._standing is not None and not self._ended:
            left = remaining(self._standing, judged=len(self._judged), total=total, seconds=seconds)
            grid.add_row("", Text(left, style="dim"))
        return grid

    def _look(self) -> None:
        """Ask what the run has spent, if that was not asked just now."""
        if self._ask is not None and self.run is not None and self._clock() - self._asked > _ASKED_EVERY_S:
            self._standing, self._asked = self._ask(self.run), self._clock()
