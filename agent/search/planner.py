"""The planner: what each candidate of the next round starts from, and which features it tries."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from langgraph.runtime import Runtime
from langgraph.types import Send

from agent.candidates import CandidatePlan, Slot
from agent.events import Noticed, RoundPlanned
from agent.models.fallback import default_plans
from agent.proposer import PlanContext, ProposalError
from agent.search.deps import Deps
from agent.search.state import CRITIQUE, CoderTask, PlannerUpdate, SearchState, as_plain
from agent.search.viewing import offered, view_of


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
    critique = CRITIQUE.validate_python(state["critique"])
    view = view_of(deps, last + 1, critique)
    candidates = max(1, deps.ledger.candidates_left(deps.request.candidates))
    slots = tuple(deps.strategy.slots(view, candidates))
    return PlanContext(
        task=deps.task,
        device=deps.toolbox.device,
        round=last + 1,
        candidates=candidates,
        baseline=deps.baseline,
        history=tuple(deps.store.candidates.trials(deps.run, through=last)),
        parents=offered(deps, slots, through=last),
        critique=critique,
        seed=view.seed,
        slots=slots,
        beliefs=view.beliefs,
    )


async def _plans(deps: Deps, context: PlanContext) -> list[CandidatePlan]:
    """Ask for plans, one a slot; where too few come the strategy's own stand in."""
    defaults = default_plans(context)
    try:
        plans = await deps.interruption.guard(deps.proposer.plan(context))
    except ProposalError as error:
        said = f"round {context.round}: no plan came; the strategy's stand in: {error}"
        deps.say(Noticed(run=deps.run, message=said))
        plans = []
    return filled(context.slots, plans, defaults, {one.sha for one in context.parents})


def filled(
    slots: Sequence[Slot],
    plans: Sequence[CandidatePlan],
    defaults: Sequence[CandidatePlan],
    known: Collection[str],
) -> list[CandidatePlan]:
    """Return one plan a slot: the proposer's where it may be had, what the strategy offers where not.

    Args:
        slots: What the strategy offers.
        plans: The proposer's, plan i for slot i; further ones are left out.
        defaults: Name features where neither does; one a slot.
        known: Kernels that a plan may name as its parent.
    """
    asked: list[CandidatePlan | None] = [*plans[: len(slots)], *[None] * (len(slots) - len(plans))]
    return [_fill(*of, known) for of in zip(slots, asked, defaults, strict=True)]


def _fill(
    slot: Slot, plan: CandidatePlan | None, default: CandidatePlan, known: Collection[str]
) -> CandidatePlan:
    parents = (*slot.parents, None, None)[:2]
    offer = CandidatePlan(parents[0], slot.features or default.features, slot.why, parents[1], slot.origin)
    if plan is None or slot.keep:
        return offer
    features = plan.features or offer.features
    if plan.parent == offer.parent or (plan.parent is not None and plan.parent not in known):
        return CandidatePlan(offer.parent, features, plan.why or slot.why, offer.other, slot.origin)
    return CandidatePlan(plan.parent, features, plan.why, None, "")
