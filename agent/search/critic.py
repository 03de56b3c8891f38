"""The critic: what the round taught, and whether there is another one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from agent.candidates import Parent, Trial
from agent.events import Noticed, RoundFinished
from agent.models.fallback import default_critique
from agent.proposer import Critique, CritiqueContext, ProposalError
from agent.search.deps import Deps
from agent.search.evaluate import settle_duplicates
from agent.search.state import Ending, SearchState, as_plain
from agent.search.viewing import usable, view_of
from agent.strategies.targets import target_met, wanted

LOST_ROUNDS = 2
"""Rounds without any answer after which a search gives up for now."""
_Next = Literal["planner", "__end__"]


async def critic(state: SearchState, runtime: Runtime[Deps]) -> Command[_Next]:
    """End a round: name one bottleneck or one root cause, and go on or stop."""
    deps, number = runtime.context, state["round"]
    settle_duplicates(deps, number)
    best = deps.best(through=number)
    lost = state["lost"] + 1 if deps.store.candidates.all_lost(deps.run, number) else 0
    ending = _ending(deps, number, lost, best)
    with deps.rounds.step("criticise", number):
        critique = await _critique(deps, number, best, ask=ending is None and not lost)
    deps.rounds.over(number)
    latency = None if best is None or best.trial is None else best.trial.latency_us
    deps.say(RoundFinished(run=deps.run, round=number, critique=critique.text, best_latency_us=latency))
    # A round in which nothing answered taught nothing, and is asked again as it was.
    learnt = state["critique"] if lost else as_plain(critique)
    update = {"lost": lost, "critique": learnt, "ending": ending}
    if ending is None:
        return Command(update=update, goto="planner")
    return Command(update=update, goto="__end__")


def _ending(deps: Deps, number: int, lost: int, best: Parent | None) -> Ending | None:
    if target_met(wanted(deps.request, deps.task), best):
        return "target_met"
    if deps.ledger.candidates_left(1) == 0 or deps.ledger.spent_up:
        return "budget"
    if lost >= LOST_ROUNDS or (lost and number >= deps.request.depth):
        return "lost"
    if number >= deps.request.depth:
        return "depth"
    stalled = not lost and deps.strategy.stalled(view_of(deps, number + 1, None))
    return "no_gain" if stalled else None


def _sources(deps: Deps, history: Sequence[Trial], number: int) -> dict[str, str]:
    written = {trial.sha for trial in history if trial.round == number and trial.sha is not None}
    return {sha: deps.store.kernels.read(deps.run, sha) for sha in sorted(written)}


async def _critique(deps: Deps, number: int, best: Parent | None, *, ask: bool) -> Critique:
    """Ask the critic where there is another round to use the answer; else let the reports speak."""
    history = deps.history(through=number)
    context = CritiqueContext(
        task=deps.task,
        device=deps.toolbox.device,
        round=number,
        baseline=deps.baseline,
        trials=tuple(trial for trial in history if trial.round == number),
        history=history,
        best=best,
        seed=deps.seed_of("criticise", number),
        sources=_sources(deps, history, number),
        library=usable(deps),
    )
    if not ask:
        return default_critique(context)
    try:
        return await deps.interruption.guard(deps.proposer.criticise(context))
    except ProposalError as error:
        deps.say(
            Noticed(run=deps.run, message=f"round {number}: no critique came; the reports speak: {error}")
        )
        return default_critique(context)
