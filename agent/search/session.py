"""One process's work on one run, from wherever the run stands to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from agent.candidates import CandidatePlan
from agent.events import BaselineJudged, Event, RunFinished, RunStarted
from agent.home import Home
from agent.library import library
from agent.proposer import Proposer
from agent.results import RunState, SearchResult, Stop
from agent.search.baseline import judge_baseline
from agent.search.best import confirm
from agent.search.deps import Deps
from agent.search.interruption import Interruption, SearchInterruptedError, all_ended
from agent.search.planned import Approver, Asking, PlannedRound
from agent.search.round_spans import RoundSpans
from agent.search.state import Ending
from agent.search.work_time import WorkTime
from agent.store import Run, Store
from agent.store.ledger import Ledger
from agent.strategies.registry import chosen_strategy
from sandbox.errors import MissingDependencyError, UsageError, WarpwrightError
from sandbox.spans import AGENT, CONVERSATION, DEVICE, LATENCY_US, OPERATION, TASK, span
from sandbox.verdict import Provenance
from tools.awaiting import both
from tools.tasks.task import Task
from tools.toolbox import Toolbox

_CANCEL_POLL_S = 0.5
_BEAT_S = 10.0


class SearchLostError(WarpwrightError):
    """Nothing answered for two rounds: the model's endpoint, or the tools. The run can be resumed."""


@dataclass(frozen=True)
class Session:
    """A run, and everything needed to work on it."""

    run: Run
    task: Task
    home: Home
    store: Store
    toolbox: Toolbox
    proposer: Proposer
    ledger: Ledger
    say: Callable[[Event], None]
    """Stores an event and passes it on."""
    approver: Approver | None = None
    """Is asked before each round of a run that waits for it."""


async def work(session: Session, *, resumed: bool) -> SearchResult:
    """Work on a run to its end; however that comes about, the store knows of it afterwards."""
    about = {
        OPERATION: "invoke_agent",
        AGENT: "warpwright",
        CONVERSATION: session.run.id,
        TASK: session.task.name,
        DEVICE: session.toolbox.device,
    }
    with span("invoke_agent warpwright", about) as told:
        result = await _worked(session, resumed=resumed)
        if result.best is not None:
            told.set_attribute(LATENCY_US, result.best.latency_us)
        return result


async def _worked(session: Session, *, resumed: bool) -> SearchResult:
    store, run, clock = session.store, session.run.id, WorkTime(session.store, session.run)

    def end(state: RunState, stopped: Stop, error: str = "") -> None:
        store.runs.end(run, state, stopped, seconds=clock.take_unkept(), error=error)
        best = store.get_result(run).best
        latency = None if best is None else best.latency_us
        session.say(RunFinished(run=run, stopped=stopped.value, best_latency_us=latency))

    try:
        session.say(_started(session, resumed=resumed))
        stopped = await _until_cancelled(session, clock)
    except asyncio.CancelledError:
        end(RunState.CANCELLED, Stop.CANCELLED)
        raise
    except BaseException as error:
        end(RunState.FAILED, Stop.FAILED, str(error) or type(error).__name__)
        raise
    end(RunState.CANCELLED if stopped is Stop.CANCELLED else RunState.COMPLETED, stopped)
    return store.get_result(run)


def _started(session: Session, *, resumed: bool) -> RunStarted:
    request = session.run.request
    return RunStarted(
        run=session.run.id,
        task=session.task.name,
        device=session.toolbox.device,
        isolation=session.toolbox.isolation,
        model=session.proposer.name,
        strategy=chosen_strategy(request, session.task).name,
        candidates=request.candidates,
        depth=request.depth,
        resumed=resumed,
    )


async def _until_cancelled(session: Session, clock: WorkTime) -> Stop:
    """Search until the end, until time is up, or until someone cancels: this task, or the run, from any process."""
    searching, closing = Interruption(), Interruption()
    search = asyncio.create_task(_search(session, searching, closing, clock))
    search.add_done_callback(_failure)  # looked at, or asyncio complains of it where this task is cancelled
    watch = asyncio.create_task(_cancel_asked(session))
    timer = asyncio.create_task(_time_up(clock, searching))
    try:
        await asyncio.wait({search, watch}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        searching.ask()
        closing.ask()
        watch.cancel()
        timer.cancel()
        await all_ended({search, watch, timer})
    if not watch.cancelled():
        watch.result()
    return Stop.CANCELLED if isinstance(_failure(search), SearchInterruptedError) else search.result()


def _failure(task: asyncio.Task[Stop]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


async def _cancel_asked(session: Session) -> None:
    runs, run, beaten = session.store.runs, session.run.id, time.monotonic()
    while not runs.cancel_asked(run):
        if time.monotonic() - beaten > _BEAT_S:
            runs.beat(run)
            beaten = time.monotonic()
        await asyncio.sleep(_CANCEL_POLL_S)


async def _time_up(clock: WorkTime, searching: Interruption) -> None:
    await clock.keep()
    searching.ask()


async def _search(session: Session, searching: Interruption, closing: Interruption, clock: WorkTime) -> Stop:
    """Search, and judge the best once more; `searching` ends the first, `closing` both."""
    deps, walk = await both(_deps(session, searching), asyncio.to_thread(_walk))
    try:
        ending = await walk(deps, session.home, lambda planned: _approved(planned, deps, session, clock))
    except SearchInterruptedError:
        if not clock.up:
            raise
        ending = "budget"
    except MissingDependencyError as error:
        raise MissingDependencyError(_to_be_mended(str(error), deps.run)) from error
    finally:
        deps.rounds.close()
    if ending == "lost":
        raise SearchLostError(_to_be_mended(_last_word(deps), deps.run))
    await confirm(replace(deps, interruption=closing))
    return Stop(ending)


async def _approved(
    planned: PlannedRound, deps: Deps, session: Session, clock: WorkTime
) -> Sequence[CandidatePlan]:
    """Have the plans of a round approved; raise SearchInterruptedError where the search is to stop before it."""
    if session.approver is None:
        raise UsageError(f"run {deps.run} waits for approval: go on with: warpwright resume {deps.run}")
    with clock.held():
        plans = await deps.interruption.guard(session.approver(planned))
    if plans is None:
        raise SearchInterruptedError
    return plans


def _walk() -> Callable[[Deps, Home, Asking], Awaitable[Ending]]:
    """Import the graph: LangGraph takes half a second, in which workers judge the baseline."""
    from agent.search.walking import walk

    return walk


def _to_be_mended(problem: str, run: str) -> str:
    return f"{problem}; once that is mended, go on with: warpwright resume {run}"


async def _deps(session: Session, interruption: Interruption) -> Deps:
    report = await interruption.guard(
        judge_baseline(session.store, session.run.id, session.task, session.toolbox)
    )
    profile = report.profile
    session.say(
        BaselineJudged(
            run=session.run.id,
            latency_us=None if profile is None else profile.latency_us,
            provenance=Provenance.ESTIMATED if profile is None else profile.provenance,
        )
    )
    return Deps(
        run=session.run.id,
        task=session.task,
        request=session.run.request,
        baseline=report,
        toolbox=session.toolbox,
        proposer=session.proposer,
        strategy=chosen_strategy(session.run.request, session.task),
        library=library(session.home),
        credit=session.store.credits.of_run(session.run.id, session.run.request.tenant),
        store=session.store,
        say=session.say,
        interruption=interruption,
        ledger=session.ledger,
        seed=session.run.seed,
        rounds=RoundSpans(session.run.id),
    )


def _last_word(deps: Deps) -> str:
    trials = deps.store.candidates.trials(deps.run)
    return trials[-1].message if trials else "nothing answered"
