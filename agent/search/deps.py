"""What the nodes of the graph may touch. Given as context, never part of a checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.candidates import Line, Parent, Trial
from agent.events import Event
from agent.proposer import Proposer
from agent.results import SearchRequest
from agent.search.interruption import Interruption
from agent.search.round_spans import RoundSpans
from agent.store import Store
from agent.store.credits import Earned
from agent.store.ledger import Ledger
from agent.strategies.base import Strategy
from prompts import Feature
from tools.reports import CheckReport
from tools.tasks.task import Task
from tools.toolbox import Toolbox


@dataclass(frozen=True)
class Deps:
    """The tools, the proposer, the store, and what this run is about.

    Attributes:
        strategy: Says what each round builds on.
        library: Every page that features have here.
        credit: What features earned in the runs before this one.
        say: Stores an event and passes it on to whoever listens.
        interruption: Guards every long wait.
        ledger: What the run has cost, and whether it may cost more.
        seed: Of the run; `seed_of` derives those of single steps.
        rounds: Tells how long steps take, where somebody asks.
    """

    run: str
    task: Task
    request: SearchRequest
    baseline: CheckReport
    toolbox: Toolbox
    proposer: Proposer
    strategy: Strategy
    library: tuple[Feature, ...]
    credit: tuple[Earned, ...]
    store: Store
    say: Callable[[Event], None]
    interruption: Interruption
    ledger: Ledger
    seed: int
    rounds: RoundSpans
    _over: dict[int, list[Trial]] = field(default_factory=dict[int, list[Trial]], repr=False)
    _lines: dict[int, list[Line]] = field(default_factory=dict[int, list[Line]], repr=False)

    def seed_of(self, *step: int | str) -> int:
        """Return the seed of one step; the same step of the same run always gets the same."""
        digest = hashlib.sha256(repr((self.seed, *step)).encode()).digest()
        return int.from_bytes(digest[:4])

    def parent(self, trial: Trial) -> Parent:
        """Return a judged candidate, which has a kernel, as something to build on."""
        assert trial.sha is not None, "a candidate without a kernel is no parent"
        return Parent(trial.sha, self.store.kernels.read(self.run, trial.sha), trial)

    def best(self, *, through: int | None = None) -> Parent | None:
        """Return the correct candidate to choose first."""
        first = self.store.candidates.first(self.run, through=through)
        return None if first is None else self.parent(first)

    def history(self, *, through: int) -> tuple[Trial, ...]:
        """Return the judged candidates of rounds that are over, in order; each round is read once."""
        for number in range(1, through + 1):
            if number not in self._over:
                self._over[number] = self.store.candidates.trials(self.run, first=number, through=number)
        return tuple(trial for number in range(1, through + 1) for trial in self._over[number])

    def lines(self, *, through: int) -> tuple[Line, ...]:
        """Return the same in a line each."""
        for number in range(1, through + 1):
            if number not in self._lines:
                self._lines[number] = self.store.candidates.lines(self.run, first=number, through=number)
        return tuple(line for number in range(1, through + 1) for line in self._lines[number])
