"""One run's way through the graph. Importing this takes as long as judging a baseline, and is done beside it."""

from __future__ import annotations

from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, Interrupt

from agent.home import Home
from agent.search.checkpoints import checkpoints, free
from agent.search.deps import Deps
from agent.search.graph import MAX_CONCURRENCY, build, steps
from agent.search.planned import PLANNED, Asking
from agent.search.state import Ending, SearchState, as_plain, first_state


async def walk(deps: Deps, home: Home, ask: Asking) -> Ending:
    """Take the graph's steps from wherever the run stands, and say why it ended; `ask` is asked at each pause."""
    config = RunnableConfig(
        configurable={"thread_id": deps.run},
        recursion_limit=steps(deps.request.depth),
        max_concurrency=MAX_CONCURRENCY,
    )
    async with checkpoints(home) as saver:
        await free(saver, deps.store)
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
                begin = await _answered(snapshot.interrupts[0], ask)
        ending = cast("SearchState", snapshot.values)["ending"]
    assert ending is not None, "the critic never ends a search without saying why"
    return ending


async def _answered(pause: Interrupt, ask: Asking) -> Command[Any]:
    planned = PLANNED.validate_python(pause.value)
    plans = planned.checked(await ask(planned))
    return Command(resume=[as_plain(plan) for plan in plans])


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
