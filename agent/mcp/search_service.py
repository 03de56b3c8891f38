"""The searches of a server: has searches started, and answers for all of them, whichever process ran them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from datetime import UTC

from agent.candidates import Candidate, Trial
from agent.home import Home
from agent.mcp.access.tenancy import admit, caller_catalogue, tenant
from agent.mcp.answers import BestKernelText, SearchLine, SearchList, SearchOutcome, SearchStatus
from agent.mcp.approving import answer, waiting_round, with_plans
from agent.mcp.following import Progress
from agent.mcp.job_service import JobService
from agent.mcp.watching import Watch
from agent.results import RunState, SearchRequest, SearchResult
from agent.search.written_plans import WrittenPlan
from agent.settings_file import SettingsFile, read_settings
from agent.store import Store
from sandbox.errors import UsageError
from tools.mcp import limits
from tools.toolbox import Toolbox

_CANCEL_GRACE_S = 10.0
_RESUMABLE = (RunState.CANCELLED, RunState.INTERRUPTED)


class SearchService:
    """Answers the search tools. Methods raise WarpwrightError with a text that a client can act on."""

    def __init__(
        self,
        home: Home,
        toolbox: Toolbox,
        base_url: str | None = None,
        *,
        workers: str | None = None,
        tells_paths: bool = True,
    ) -> None:
        """Answer for one home.

        Args:
            home: Where the runs are.
            toolbox: What this server judges with; stays the caller's.
            workers: The Ray cluster that every search of this server is judged on; None for the machine's own pool.
            tells_paths: Whether those who call are on this machine, and may know where files lie.
            base_url: Endpoint of chat models. Clients cannot choose it: whoever could would be sent the key.
        """
        self.base_url = base_url
        self._tells_paths = tells_paths
        self._home = home
        self._toolbox = toolbox
        self._all_runs = Store(home)
        self._workers = workers
        self.jobs = JobService(home, self._all_runs, lambda: self._store, workers)
        self._watch = Watch(self._all_runs)
        self._progress = Progress()

    @property
    def device(self) -> str:
        """The device that this server's searches use."""
        return self._toolbox.device

    def settings(self) -> SettingsFile:
        """Return the settings of this server's home; what lies in the folder it was started in is not read.

        Programs that they name are for this machine's own person: somebody else's task is not to steer them.
        """
        kept = read_settings(self._home, self._home.root)
        return kept if tenant() is None else kept.without_programs()

    def completed(self, request: SearchRequest) -> SearchRequest:
        """Return a request with what this server's settings say where it leaves that open."""
        kept = self.settings()
        return request.model_copy(
            update={
                "model": request.model or os.environ.get("WARPWRIGHT_MODEL") or kept.models.model,
                "base_url": self.base_url or kept.models.base_url,
                "workers": self._workers,
                "models": kept.model_settings(),
                "budget": kept.limits(),
            }
        )

    @property
    def _store(self) -> Store:
        """What the caller of this request may see."""
        return self._all_runs.seen_by(tenant())

    async def start(self, request: SearchRequest) -> SearchStatus:
        """Start a search; it outlives this server."""
        task = await asyncio.to_thread(caller_catalogue(self._home).find, request.task)
        request = request.model_copy(update={"tenant": tenant() or "", "task": str(task.folder)})
        await asyncio.to_thread(admit, self._all_runs, request)
        return await self.status(await self.jobs.search(request, request.device))

    async def resume(self, run: str) -> SearchStatus:
        """Go on with a search that was interrupted, cancelled or failed, on the device it began on."""
        await asyncio.to_thread(self._store.get_run, run)
        await asyncio.to_thread(admit, self._all_runs, None)
        await self.jobs.resume(run)
        return await self.status(run)

    async def go_on(self, run: str, plans: Sequence[WrittenPlan] | None) -> SearchStatus:
        """Carry out the round of a search that waits for approval, by these plans or its own; else resume it."""
        if await asyncio.to_thread(self._answered, run, plans):
            return await self.status(run)
        return await self.resume(run)

    async def status(self, run: str) -> SearchStatus:
        """Say where a run stands."""
        return await asyncio.to_thread(self._status, run)

    async def wait(self, run: str, seconds: float) -> None:
        """Return once something may have happened in a run, at the latest after so many seconds."""
        await self._watch.wait(run, seconds)

    async def outcome(self, run: str) -> SearchOutcome:
        """Say what a run has found so far."""
        return await asyncio.to_thread(self._outcome, run)

    async def cancel(self, run: str) -> SearchStatus:
        """Ask a run to stop, wherever it works, and give it a moment to do so."""
        await asyncio.to_thread(self._store.mark_cancelled, run)
        await self.jobs.withdraw_run(run)
        deadline = time.monotonic() + _CANCEL_GRACE_S
        status = await self.status(run)
        while status.state is RunState.RUNNING and time.monotonic() < deadline:
            await self.wait(run, 1.0)
            status = await self.status(run)
        if status.state is RunState.RUNNING:
            await self.jobs.stop_run(run)
            await self.wait(run, 2.0)
            status = await self.status(run)
        return status

    async def listing(self, limit: int) -> SearchList:
        """List the newest runs."""
        runs = await asyncio.to_thread(self._store.list_runs, limit)
        return SearchList(
            searches=[
                SearchLine(
                    **run.model_dump(include={"run", "task", "device", "model", "state"}),
                    started=run.created.astimezone(UTC).isoformat(timespec="seconds"),
                )
                for run in runs
            ]
        )

    async def aclose(self) -> None:
        """Stop waiting; the searches go on."""
        await self._watch.aclose()

    def _status(self, run: str) -> SearchStatus:
        stored = self._store.get_run(run)
        state, error = stored.state, stored.error
        if state in _RESUMABLE and self.jobs.run_waits(run):
            state, error = RunState.RUNNING, "waits for a supervisor, which goes on with it"
        followed = self._progress.of(self._store, run)
        best = self._store.candidates.best(run)
        status = followed.status(run, state, error, None if best is None else best[0])
        planned = waiting_round(self._store, stored)
        return status if planned is None else with_plans(status, planned)

    def _answered(self, run: str, plans: Sequence[WrittenPlan] | None) -> bool:
        planned = waiting_round(self._store, self._store.get_run(run))
        if planned is not None:
            answer(self._store, planned, plans)
        elif plans is not None:
            msg = f"run {run} does not wait for approval of plans: search_status(run='{run}') says where it stands"
            raise UsageError(msg)
        return planned is not None

    def _outcome(self, run: str) -> SearchOutcome:
        state = self._store.get_run(run).state  # first: what is said of a search that ended is its last word
        result = self._store.get_result(run)
        return SearchOutcome.model_validate(
            {
                **vars(result),
                "state": state,
                "best": self._best(result),
                "candidates_total": len(result.candidates),
                "candidates": [_listed(trial) for trial in result.candidates[-limits.CANDIDATES :]],
            },
            from_attributes=True,
        )

    def _best(self, result: SearchResult) -> BestKernelText | None:
        best = result.best
        if best is None:
            return None
        return BestKernelText(
            **best.model_dump(include=set(BestKernelText.model_fields) - {"kernel", "path"}),
            kernel=self._store.kernels.read(result.run, best.sha),
            path=str(best.path) if self._tells_paths else None,
        )


def _listed(trial: Trial) -> Candidate:
    """A candidate as a list shows it; the whole of its message is in the run's report."""
    shown = trial.model_dump(include=set(Candidate.model_fields))
    return Candidate.model_validate({**shown, "message": trial.message[: limits.SUMMARY]})
