"""The run store: runs, candidates, replies and events in a database, kernels by content on disk.

Several processes may use one store at a time: every call is one short transaction.
"""

from __future__ import annotations

from pathlib import Path

from agent.budget import SearchBudget
from agent.candidates import Trial
from agent.exploration import exploration
from agent.home import Home
from agent.results import BestKernel, HeldOut, RunState, SearchResult
from agent.store.address import database_of
from agent.store.approvals import Approvals
from agent.store.backups import BackupContent, restore_backup, write_backup
from agent.store.candidates import Candidates
from agent.store.client_questions import ClientQuestions
from agent.store.credits import Credits
from agent.store.database import Database
from agent.store.dialects import DialectMemory
from agent.store.event_log import EventLog, StoredEvent
from agent.store.files import KernelFiles
from agent.store.jobs import JobTable
from agent.store.ledger import Ledger
from agent.store.pruning import prune
from agent.store.records import NewRun, Run, RunSummary
from agent.store.replies import Replies
from agent.store.runs import Runs
from agent.store.totals import StoreTotals, Totals
from sandbox.verdict import Verdict
from tools.reports import ProfileReport

__all__ = ["BackupContent", "NewRun", "Run", "RunSummary", "Store", "StoredEvent"]


class Store:
    """Everything that is remembered of runs, below one home."""

    def __init__(self, home: Home, tenant: str | None = None, database: Database | None = None) -> None:
        """Open the store; another tenant's runs do not exist for it, unless `tenant` is None."""
        database = database or Database(database_of(home))
        self._home = home
        self.tenant = tenant
        self._database = database
        self.runs = Runs(database, tenant)
        self.candidates = Candidates(database)
        self.credits = Credits(database, tenant)
        self.event_log = EventLog(database)
        self.jobs = JobTable(database, tenant)
        self.dialects = DialectMemory(database)
        self.kernels = KernelFiles(home.runs)

    def seen_by(self, tenant: str | None) -> Store:
        """Return this store as one tenant may see it; all of it for None."""
        return Store(self._home, tenant, self._database)

    def replies(self, run: str) -> Replies:
        """Return the replies of one run."""
        return Replies(self._database, run)

    def client_questions(self, run: str) -> ClientQuestions:
        """Return the questions of one run to the model of an MCP client."""
        return ClientQuestions(self._database, run)

    def approvals(self, run: str) -> Approvals:
        """Return the rounds of one run that wait for somebody's word."""
        return Approvals(self._database, run)

    def ledger(self, run: str, budget: SearchBudget) -> Ledger:
        """Return the account of one run."""
        return Ledger(self._database, run, budget)

    def create(self, new: NewRun) -> str:
        """Store a run that this process owns, and return its id."""
        return self.runs.create(new)

    def get_run(self, run: str) -> Run:
        """Return a run; raise UsageError where there is none of that name."""
        return self.runs.get(run)

    def totals(self) -> StoreTotals:
        """Return what all runs come to, those of every tenant."""
        return Totals(self._database).read()

    def list_runs(self, limit: int = 100) -> list[RunSummary]:
        """Return the latest runs, newest first."""
        return self.runs.summaries(limit)

    def events_since(self, run: str, number: int = 0) -> list[StoredEvent]:
        """Return the events of a run after the one of that number."""
        self.runs.get(run)
        return self.event_log.since(run, number)

    def back_up(self, file: Path) -> BackupContent:
        """Write all that is remembered to a file; see `agent.store.backups`."""
        return write_backup(self._home, self._database, file)

    def restore(self, file: Path) -> BackupContent:
        """Bring back what a backup holds, where there are no runs yet."""
        return restore_backup(self._home, self._database, file)

    def prune(self, before: float) -> list[str]:
        """Forget the runs that are not at work and had no event since then; return them."""
        return prune(self._database, self.kernels, before)

    def mark_cancelled(self, run: str) -> RunState:
        """Ask a run to stop, wherever it works; return its state: RUNNING until its process notices."""
        return self.runs.mark_cancelled(run)

    def get_result(self, run: str) -> SearchResult:
        """Return what a run has found so far, whether it ended or not.

        How it stands is read first: what is said of a run that ended is then its last word.
        """
        stored = self.runs.get(run)
        baseline = self.runs.baseline(run)
        timed = None if baseline is None else baseline.profile
        trials, best_of_all = self.candidates.found(run)
        best = None if best_of_all is None else self._best(run, *best_of_all)
        last = trials[-1].verdict if trials else None
        lines = self.candidates.lines(run, first=0)
        start = next((line for line in lines if line.round == 0), None)
        told = exploration([line for line in lines if line.round > 0], start)
        cost = self.ledger(run, SearchBudget()).cost()
        return SearchResult(
            run=run,
            task=stored.task,
            device=stored.device,
            isolation=stored.isolation,
            model=stored.model,
            strategy=stored.strategy,
            verdict=last if best is None else Verdict.PASS,
            best=best,
            baseline_us=None if timed is None else timed.latency_us,
            baseline_provenance=None if timed is None else timed.provenance,
            stopped=stored.stopped,
            candidates=trials,
            rounds=max((trial.round for trial in trials), default=0),
            seconds=stored.seconds,
            model_tokens=cost.tokens,
            model_usd=cost.usd,
            exploration=told if told.judged else None,
        )

    def _best(self, run: str, trial: Trial, sha: str) -> BestKernel:
        assert trial.latency_us is not None, "only timed candidates are ranked"
        return BestKernel(
            path=self.kernels.best_path(run),
            sha=sha,
            latency_us=trial.latency_us,
            provenance=trial.provenance,
            speedup=trial.speedup,
            features=list(trial.used) or trial.features,
            tune=trial.tune,
            round=trial.round,
            candidate=trial.candidate,
            not_judged=[] if trial.report is None else list(trial.report.not_judged),
            held_out=None if trial.report is None else _held_out(trial.report.final),
            against_baseline=None if trial.report is None else trial.report.accepted,
        )


def _held_out(final: ProfileReport | None) -> HeldOut | None:
    if final is None or final.latency_us is None:
        return None
    return HeldOut(
        shapes=[dict(shape.dims) for shape in final.shapes],
        latency_us=final.latency_us,
        provenance=final.provenance,
        speedup=final.speedup,
    )
