"""The planner: what each candidate of the next round starts from, and which features it tries."""

from __future__ import annotations

from langgraph.runtime import Runtime
from langgraph.types import Send

from agent.candidates import CandidatePlan
from agent.events import Noticed, RoundPlanned
from agent.models.fallback import default_plans
from agent.proposer import PlanContext, ProposalError
from agent.search.deps import Deps
from agent.search.parents import parents
from agent.search.state import CRITIQUE, CoderTask, PlannerUpdate, SearchState, as_plain


async def planner(state: SearchState, runtime: Runtime[Deps]) -> PlannerUpdate:
    """Start a round."""
    deps = runtime.context
    context = _context(state, deps)
    plans = await _plans(deps, context)
    deps.say(
        RoundPlanned(run=deps.run, round=context.round, features=[list(plan.features) for plan in plans])
    )
    return PlannerUpdate(round=context.round, plans=[as_plain(plan) for plan in plans])


def fan_out(state: SearchState) -> list[Send]:
    """Send each plan to a coder of its own."""
    return [
        Send(
            "coder",
            CoderTask(round=state["round"], candidate=number, plan=plan, critique=state["critique"]),
        )
        for number, plan in enumerate(state["plans"], start=1)
    ]


def _context(state: SearchState, deps: Deps) -> PlanContext:
    last = state["round"]
    return PlanContext(
        task=deps.task,
        device=deps.toolbox.device,
        round=last + 1,
        candidates=deps.request.candidates,
        baseline=deps.baseline,
        history=tuple(deps.store.candidates.trials(deps.run, through=last)),
        parents=parents(deps, through=last),
        critique=CRITIQUE.validate_python(state["critique"]),
        seed=deps.seed_of("plan", last + 1),
    )


async def _plans(deps: Deps, context: PlanContext) -> list[CandidatePlan]:
    """Ask for plans; where too few come, or a parent that is not offered, the defaults stand in."""
    defaults = default_plans(context)
    try:
        plans = await deps.interruption.guard(deps.proposer.plan(context))
    except ProposalError as error:
        said = f"round {context.round}: no plan came; the library stands in, in order: {error}"
        deps.say(Noticed(run=deps.run, message=said))
        return defaults
    plans = [*plans[: context.candidates], *defaults[len(plans) :]]
    offered = {parent.sha for parent in context.parents} | {None}
    return [
        plan if plan.parent in offered else CandidatePlan(default.parent, plan.features, plan.why)
        for plan, default in zip(plans, defaults, strict=True)
    ]
