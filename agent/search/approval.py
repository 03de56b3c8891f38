"""Waits for a person's word on a round before anything of it is written, where a search was asked to."""

from __future__ import annotations

from typing import Any, cast

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from agent.candidates import changes
from agent.events import Noticed, RoundPlanned
from agent.proposer import LimitedProposer
from agent.search.deps import Deps
from agent.search.planned import PlannedRound
from agent.search.state import PLAN, PlansUpdate, SearchState, as_plain


async def approval(state: SearchState, runtime: Runtime[Deps]) -> PlansUpdate | None:
    """Pause for a round's plans to be seen; what is answered is carried out. Pauses outlast their process."""
    deps = runtime.context
    if not deps.request.approve:
        return None
    planned = _planned(state, deps)
    answered = cast("list[dict[str, Any]]", interrupt(as_plain(planned)))
    plans = planned.checked([PLAN.validate_python(plan) for plan in answered])
    if plans != planned.plans:
        deps.say(Noticed(run=deps.run, message=f"round {planned.round}: its plans were changed by hand"))
        features = [list(changes(plan.features, plan.without)) for plan in plans]
        deps.say(RoundPlanned(run=deps.run, round=planned.round, features=features))
    return PlansUpdate(plans=[as_plain(plan) for plan in plans])


def _planned(state: SearchState, deps: Deps) -> PlannedRound:
    lines = deps.store.candidates.lines(deps.run, first=0, through=state["round"] - 1)
    named = {line.name.removeprefix("the "): line.sha for line in lines if line.sha and not line.duplicate}
    writer = deps.proposer
    return PlannedRound(
        deps.run,
        state["round"],
        tuple(PLAN.validate_python(plan) for plan in state["plans"]),
        named,
        writer.features(deps.task) if isinstance(writer, LimitedProposer) else (),
    )
