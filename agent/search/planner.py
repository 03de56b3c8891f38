"""The planner: what each candidate of the next round starts from, and which features it tries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import zip_longest

from langgraph.runtime import Runtime
from langgraph.types import Send

from agent.candidates import CandidatePlan, Slot, changes
from agent.events import Noticed, RoundPlanned
from agent.proposer import LimitedProposer, PlanContext, ProposalError
from agent.search.beginning import begun_with
from agent.search.deps import Deps
from agent.search.state import CRITIQUE, CoderTask, PlannerUpdate, SearchState, as_plain
from agent.search.viewing import offered, view_of


async def planner(state: SearchState, runtime: Runtime[Deps]) -> PlannerUpdate:
    """Start a round."""
    deps = runtime.context
    with deps.rounds.step("plan", state["round"] + 1):
        context = _context(state, deps)
        plans = begun_with(deps, context.round, await _plans(deps, context))
    features = [list(changes(plan.features, plan.without)) for plan in plans]
    deps.say(RoundPlanned(run=deps.run, round=context.round, features=features))
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
        history=deps.history(through=last),
        parents=offered(deps, slots, through=last),
        critique=critique,
        seed=view.seed,
        slots=slots,
        beliefs=view.beliefs,
        rounds=deps.request.depth,
        library=view.features,
    )


async def _plans(deps: Deps, context: PlanContext) -> list[CandidatePlan]:
    """Ask for plans, one a slot; where too few come the strategy's own stand in."""
    try:
        plans = await deps.interruption.guard(deps.proposer.plan(context))
    except ProposalError as error:
        said = f"round {context.round}: no plan came; the strategy's stand in: {error}"
        deps.say(Noticed(run=deps.run, message=said))
        plans = []
    names, first = list(context.beliefs), (context.round - 1) * context.candidates
    defaults = [names[(first + number) % len(names)] for number in range(context.candidates)] if names else []
    if isinstance(deps.proposer, LimitedProposer):  # it alone knows what can be written from where
        return [*plans, *filled(context.slots[len(plans) :], [], defaults, ())]
    return filled(context.slots, plans, defaults, {one.sha for one in context.parents})


def filled(
    slots: Sequence[Slot], plans: Sequence[CandidatePlan], defaults: Sequence[str], known: Collection[str]
) -> list[CandidatePlan]:
    """Return one plan a slot: the proposer's where it may be had, what the strategy offers where not.

    Args:
        slots: What the strategy offers.
        plans: The proposer's, plan i for slot i; further ones are left out.
        defaults: Features for slots for which nobody names any, one a slot.
        known: Kernels that a plan may name as its parent.
    """
    triples = zip_longest(slots, plans[: len(slots)], defaults[: len(slots)])
    return [_fill(slot, plan, default, known) for slot, plan, default in triples]


def _fill(
    slot: Slot, plan: CandidatePlan | None, default: str | None, known: Collection[str]
) -> CandidatePlan:
    parents = (*slot.parents, None, None)[:2]
    features = slot.features or ((default,) if default and not slot.without else ())
    offer = CandidatePlan(parents[0], features, slot.why, parents[1], slot.origin, slot.without)
    if plan is None or slot.keep or slot.without:
        return offer
    features = plan.features or offer.features
    if plan.parent == offer.parent or (plan.parent is not None and plan.parent not in known):
        return CandidatePlan(offer.parent, features, plan.why or slot.why, offer.other, slot.origin)
    return CandidatePlan(plan.parent, features, plan.why, None, "")
