"""What the nodes of the graph may touch. Given as context, never part of a checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from agent.candidates import Parent, Trial
from agent.events import Event
from agent.proposer import Proposer
from agent.results import SearchRequest
from agent.search.interruption import Interruption
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

    def seed_of(self, *step: int | str) -> int:
        """Return the seed of one step; the same step of the same run always gets the same."""
        digest = hashlib.sha256(repr((self.seed, *step)).encode()).digest()
        return int.from_bytes(digest[:4])

    def parent(self, trial: Trial) -> Parent:
        """Return a judged candidate, which has a kernel, as something to build on."""
        assert trial.sha is not None, "a candidate without a kernel is no parent"
        return Parent(trial.sha, self.store.kernels.read(self.run, trial.sha), trial)

    def best(self, *, through: int | None = None) -> Parent | None:
        """Return the fastest correct candidate."""
        ranked = self.store.candidates.ranked(self.run, through=through)
        return self.parent(ranked[0]) if ranked else None
