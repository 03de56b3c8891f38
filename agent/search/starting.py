"""Starts searches and goes on with them."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from agent.events import Event
from agent.home import Home
from agent.logs import about
from agent.proposer import Proposer
from agent.results import RunState, SearchRequest, SearchResult
from agent.search.planned import Approver
from agent.search.session import Session, work
from agent.store import NewRun, Run, Store
from agent.store.ledger import Ledger
from agent.strategies.registry import chosen_strategy
from agent.strategies.traits import kind
from agent.toolboxes import open_toolbox
from sandbox.errors import UsageError
from tools.tasks.task import Task
from tools.toolbox import Toolbox

_LOG = logging.getLogger(__name__)

ProposerFactory = Callable[[str, Toolbox, Ledger, Callable[[Event], None]], Proposer]
"""Makes the proposer of a run, given the run, its tools, its account and who is told of events."""


async def start_search(
    request: SearchRequest,
    *,
    home: Home,
    toolbox: Toolbox | None = None,
    proposer: Proposer | None = None,
    on_event: Callable[[Event], None] | None = None,
    environment: Mapping[str, str] | None = None,
    approver: Approver | None = None,
) -> SearchResult:
    """Search for a fast correct kernel.

    Cancelling leaves the run marked as cancelled, with its best kernel so far in place; it can be resumed.

    Args:
        request: What to search for, and how much.
        home: Where the run, its kernels and its checkpoints are kept.
        toolbox: Compiles, tests and profiles; stays open. By default one of this machine's own.
        proposer: Writes the kernels; by default what the request's model says.
        on_event: Told of everything that happens, the run's id first; called on the event loop.
        environment: Where the keys of model endpoints are looked up; by default this process's own.
        approver: Asked before each round, where the request wants that.

    Raises:
        WarpwrightError: The request or its task is unusable, or something is missing: on this machine, or at
            the model's endpoint.
    """
    task = _find(request.task, home)
    if len(request.start) > request.candidates:
        msg = (
            f"{len(request.start)} kernels to begin with, but {request.candidates} candidates a round: give"
            f" --candidates {len(request.start)}"
        )
        raise UsageError(msg)
    if request.approve and approver is None:
        raise UsageError("nobody is there to approve of rounds; leave `approve` out")
    store = Store(home)
    make = _proposers(request, proposer, environment, home)
    async with _tools(request, request.device, home, toolbox) as tools:
        new = NewRun(
            request=request,
            task=task.name,
            task_folder=task.folder.absolute(),
            task_sha=task.sha,
            device=tools.device,
            isolation=tools.isolation,
            model=request.writers if proposer is None else proposer.name,
            seed=secrets.randbits(31) if request.seed is None else request.seed,
            strategy=chosen_strategy(request, task).name,
            kind=kind(task),
        )
        run = store.get_run(store.create(new))
        session = _session(run, task, home, store, tools, make, on_event)
        return await work(replace(session, approver=approver), resumed=False)


async def resume_search(
    run_id: str,
    *,
    home: Home,
    toolbox: Toolbox | None = None,
    proposer: Proposer | None = None,
    on_event: Callable[[Event], None] | None = None,
    environment: Mapping[str, str] | None = None,
    approver: Approver | None = None,
) -> SearchResult:
    """Go on with a run that was cancelled, interrupted or failed; nothing finished is done or paid for again.

    A completed run returns its result at once. The arguments are those of `start_search`.

    Raises:
        WarpwrightError: As in `start_search`; also where there is no such run, another process works on it,
            or the task has changed since.
    """
    store = Store(home)
    run = store.get_run(run_id)
    if run.state is RunState.COMPLETED:
        return store.get_result(run_id)
    task = _find(str(run.task_folder), home)
    if task.sha != run.task_sha:
        msg = (
            f"{run.task_folder} has changed since run {run_id} began (sha256 {run.task_sha[:12]}, now"
            f" {task.sha[:12]}): results would not be comparable; start a new search"
        )
        raise UsageError(msg)
    make = _proposers(run.request, proposer, environment, home)
    async with _tools(run.request, run.device, home, toolbox) as tools:
        store.runs.take_over(run_id)
        session = _session(run, task, home, store, tools, make, on_event)
        return await work(replace(session, approver=approver), resumed=True)


def _find(name_or_path: str, home: Home) -> Task:
    from tools.tasks.folder import find

    return find(name_or_path, home.tasks)


def _proposers(
    request: SearchRequest, given: Proposer | None, environment: Mapping[str, str] | None, home: Home
) -> ProposerFactory:
    """Return how to make the proposer; what it lacks is found out before a run exists."""
    if given is not None:
        return lambda run, tools, ledger, say: given
    if not request.asks_models:
        from agent.composer import Composer

        composer = Composer()
        return lambda run, tools, ledger, say: composer
    # Takes more than a second to import, and only this needs it.
    from agent.models.opening import ChatModels

    models = ChatModels(request, os.environ if environment is None else environment, home)
    return models.proposer


def _session(
    run: Run,
    task: Task,
    home: Home,
    store: Store,
    tools: Toolbox,
    make: ProposerFactory,
    on_event: Callable[[Event], None] | None,
) -> Session:
    def say(event: Event) -> None:
        store.event_log.append(event)
        _LOG.info(event.kind, extra=_ids(event))
        if on_event is not None:
            on_event(event)

    ledger = store.ledger(run.id, run.request.budget)
    return Session(run, task, home, store, tools, make(run.id, tools, ledger, say), ledger, say)


def _ids(event: Event) -> Mapping[str, Any]:
    """Where it happened, and what became of a candidate."""
    places = {name: getattr(event, name, None) for name in ("round", "candidate", "stage", "verdict")}
    return about(run=event.run, **places)


@asynccontextmanager
async def _tools(
    request: SearchRequest, device: str, home: Home, given: Toolbox | None
) -> AsyncGenerator[Toolbox, None]:
    if given is not None:
        yield given
        return
    opened = open_toolbox(
        device,
        request.tools,
        home,
        workers=request.workers,
        tenant=request.tenant,
        also_on=request.also_on,
    )
    async with opened as toolbox:
        yield toolbox
