"""One process's work on one run, from wherever the run stands to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, Interrupt

from agent.candidates import CandidatePlan
from agent.events import BaselineJudged, Event, RunFinished, RunStarted
from agent.home import Home
from agent.library import library
from agent.proposer import Proposer
from agent.results import RunState, SearchResult, Stop
from agent.search.approval import PLANNED, Approver, PlannedRound
from agent.search.baseline import judge_baseline
from agent.search.best import confirm
from agent.search.checkpoints import checkpoints, free
from agent.search.deps import Deps
from agent.search.graph import MAX_CONCURRENCY, build, steps
from agent.search.interruption import Interruption, SearchInterruptedError, all_ended
from agent.search.state import Ending, SearchState, as_plain, first_state
from agent.search.work_time import WorkTime
from agent.store import Run, Store
from agent.store.ledger import Ledger
from agent.strategies.registry import chosen_strategy
from sandbox.errors import MissingDependencyError, UsageError, WarpwrightError
from sandbox.verdict import Provenance
from tools.tasks.task import Task
from tools.toolbox import Toolbox

_CANCEL_POLL_S = 0.5


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
        # Looked at, so that asyncio does not complain of it where this task is being cancelled.
        failure = None if search.cancelled() else search.exception()
    if not watch.cancelled():
        watch.result()
    return Stop.CANCELLED if isinstance(failure, SearchInterruptedError) else search.result()


async def _cancel_asked(session: Session) -> None:
    while not session.store.runs.cancel_asked(session.run.id):
        await asyncio.sleep(_CANCEL_POLL_S)


async def _time_up(clock: WorkTime, searching: Interruption) -> None:
    await clock.keep()
    searching.ask()


async def _search(session: Session, searching: Interruption, closing: Interruption, clock: WorkTime) -> Stop:
    """Search, and judge the best once more; `searching` ends the first, `closing` both."""
    deps = await _deps(session, searching)
    try:
        ending = await _run_graph(deps, session, clock)
    except SearchInterruptedError:
        if not clock.up:
            raise
        ending = "budget"
    except MissingDependencyError as error:
        raise MissingDependencyError(_to_be_mended(str(error), deps.run)) from error
    if ending == "lost":
        raise SearchLostError(_to_be_mended(_last_word(deps), deps.run))
    await confirm(replace(deps, interruption=closing))
    return Stop(ending)


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
    )


async def _run_graph(deps: Deps, session: Session, clock: WorkTime) -> Ending:
    config = RunnableConfig(
        configurable={"thread_id": deps.run},
        recursion_limit=steps(deps.request.depth),
        max_concurrency=MAX_CONCURRENCY,
    )
    async with checkpoints(session.home.checkpoints) as saver:
        await free(saver, session.store)
        graph = build().compile(checkpointer=saver)  # pyright: ignore[reportUnknownMemberType]
        snapshot = await graph.aget_state(config)
        # Not `snapshot.next`: it leaves out tasks that ended just before the process did, and may be empty.
        begin = None if snapshot.tasks else _begin(deps, cast("SearchState | None", snapshot.values or None))
        if begin is None or begin["ending"] is None:
            while True:
                await graph.ainvoke(  # pyright: ignore[reportUnknownMemberType]
                    begin, config, context=deps, durability="sync"
                )
                snapshot = await graph.aget_state(config)
                if not snapshot.interrupts:
                    break
                with clock.held():
                    begin = await _answered(snapshot.interrupts[0], deps, session)
        ending = cast("SearchState", snapshot.values)["ending"]
    assert ending is not None, "the critic never ends a search without saying why"
    return ending


async def _answered(pause: Interrupt, deps: Deps, session: Session) -> Command[Any]:
    """Have the plans of a round approved; raise SearchInterruptedError where the search is to stop before it."""
    planned = PLANNED.validate_python(pause.value)
    if session.approver is None:
        raise UsageError(f"run {deps.run} waits for approval: go on with: warpwright resume {deps.run}")
    plans = await deps.interruption.guard(_asked(session.approver, planned))
    if plans is None:
        raise SearchInterruptedError
    return Command(resume=[as_plain(plan) for plan in planned.checked(plans)])


async def _asked(approver: Approver, planned: PlannedRound) -> Sequence[CandidatePlan] | None:
    return await approver(planned)


def _begin(deps: Deps, last: SearchState | None) -> SearchState:
    """Return the state to begin with, where no step is left half done; lost rounds are tried again."""
    if last is None:
        return _from_store(deps)
    if last["ending"] != "lost":
        return last
    answered = last["round"] - last["lost"]
    deps.store.candidates.forget_from(deps.run, answered + 1)
    return SearchState(
        round=answered,
        plans=[],
        critique=last["critique"],
        lost=0,
        ending=None,
    )


def _from_store(deps: Deps) -> SearchState:
    """Return the state before the last round that was answered: what the store has of it is taken from there."""
    round_ = max((submission.round for submission, _ in deps.store.candidates.attempts(deps.run)), default=0)
    while round_ > 0 and deps.store.candidates.all_lost(deps.run, round_):
        round_ -= 1
    deps.store.candidates.forget_from(deps.run, round_ + 1)
    return SearchState(first_state(), round=max(0, round_ - 1))


def _last_word(deps: Deps) -> str:
    trials = deps.store.candidates.trials(deps.run)
    return trials[-1].message if trials else "nothing answered"
