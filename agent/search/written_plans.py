"""The plans of a round as people and models read and change them: kernels are called by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from agent.candidates import CandidatePlan
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from agent.search.planned import PlannedRound


class WrittenPlan(BaseModel):
    """A plan with its kernels by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    features: tuple[str, ...] = Field(default=(), description="To try.")
    without: tuple[str, ...] = Field(default=(), description="To leave out.")
    parent: str = Field(
        default="", description="Kernel to build on, as baseline or 1/2; empty for a fresh start."
    )
    other: str = Field(default="", description="A second one, to merge.")
    why: str = ""


def written_plans(planned: PlannedRound, plans: Sequence[CandidatePlan]) -> tuple[WrittenPlan, ...]:
    """Return plans as they are written."""
    names = {sha: name for name, sha in planned.kernels.items()}
    return tuple(_written(plan, [names.get(sha, "") for sha in plan.parents]) for plan in plans)


def read_plans(
    planned: PlannedRound, plans: Sequence[CandidatePlan], written: Sequence[WrittenPlan]
) -> tuple[CandidatePlan, ...]:
    """Return what was written in the place of plans; one that was left as it was keeps where it came from.

    Raises:
        UsageError: It cannot be carried out, or names a kernel that there is not.
    """
    before = {
        _read(planned, one): plan for one, plan in zip(written_plans(planned, plans), plans, strict=True)
    }
    mine = [_read(planned, one) for one in written]
    return planned.checked([before.get(plan, plan) for plan in mine])


def _written(plan: CandidatePlan, parents: Sequence[str]) -> WrittenPlan:
    parent, other = (*parents, "", "")[:2]
    return WrittenPlan(features=plan.features, without=plan.without, parent=parent, other=other, why=plan.why)


def _read(planned: PlannedRound, plan: WrittenPlan) -> CandidatePlan:
    shas = [_sha(planned, name) for name in (plan.parent, plan.other) if name]
    parent, other = (*shas, None, None)[:2]
    return CandidatePlan(parent, plan.features, plan.why, other, without=plan.without)


def _sha(planned: PlannedRound, name: str) -> str:
    if name not in planned.kernels:
        raise UsageError(f"there is no kernel {name!r} to build on; there are {', '.join(planned.kernels)}")
    return planned.kernels[name]
