"""Rounds that wait for approval, as MCP clients see and answer them."""

from __future__ import annotations

from collections.abc import Sequence

from agent.events import Noticed
from agent.mcp.answers import SearchStatus
from agent.results import RunState
from agent.search.planned import PLANNED, PlannedRound
from agent.search.stored_approval import ANSWER
from agent.search.written_plans import WrittenPlan, read_plans, written_plans
from agent.store import Run, Store
from sandbox.errors import UsageError


def waiting_round(store: Store, stored: Run) -> PlannedRound | None:
    """Return the round of a run at work that waits for a word; None where none does."""
    if not stored.request.approve or stored.state is not RunState.RUNNING:
        return None
    planned = store.approvals(stored.id).waiting()
    return None if planned is None else PLANNED.validate_json(planned)


def with_plans(status: SearchStatus, planned: PlannedRound) -> SearchStatus:
    """Return a status that shows what waits for approval."""
    known = f"; features: {', '.join(planned.features)}" if planned.features else ""
    return status.model_copy(
        update={
            "plans": list(written_plans(planned, planned.plans)),
            "message": f"round {planned.round} waits for approval of its plans; kernels to build on:"
            f" {', '.join(planned.kernels)}{known}",
            "next_step": f"start_search(resume='{status.run}') carries these plans out, with plans=[...] yours;"
            f" cancel_search(run='{status.run}') stops.",
        }
    )


def answer(store: Store, planned: PlannedRound, plans: Sequence[WrittenPlan] | None) -> None:
    """Have a round carried out, by these plans or else its own.

    Raises:
        UsageError: They cannot be carried out, or somebody answered before.
    """
    chosen = planned.plans if plans is None else read_plans(planned, planned.plans, plans)
    if not store.approvals(planned.run).answer(planned.round, ANSWER.dump_json(chosen).decode()):
        raise UsageError(f"round {planned.round} of run {planned.run} was answered already")
    store.event_log.append(
        Noticed(run=planned.run, message=f"round {planned.round}: its plans are approved of")
    )
