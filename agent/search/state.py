"""The graph's state: small and plain, so that any checkpoint can be read back. Kernels lie in the store."""

from __future__ import annotations

import operator
from typing import Annotated, Literal

from typing_extensions import TypedDict

from agent.models.base import CandidatePlan, Critique

Ending = Literal["target_met", "depth", "no_gain", "lost"]
"""Why the graph ended; `lost`: for two rounds, nothing answered (the model's endpoint, or the tools)."""


class PlanItem(TypedDict):
    """What one candidate of the round tries."""

    parent: str | None
    features: list[str]
    why: str


class CritiqueItem(TypedDict):
    """The critic's word on the last round."""

    text: str
    features: list[str]


class JudgedItem(TypedDict):
    """One line of what was judged; all that is known of it lies in the store."""

    round: int
    candidate: int
    verdict: str


class SearchState(TypedDict):
    """Where the search stands.

    `stalled` counts the rounds since the best got better, `lost` the rounds in which nothing answered.
    """

    round: int
    plans: list[PlanItem]
    judged: Annotated[list[JudgedItem], operator.add]
    critique: CritiqueItem | None
    best_us: float | None
    stalled: int
    lost: int
    ending: Ending | None


class CoderTask(TypedDict):
    """What is sent to the coder of one candidate."""

    round: int
    candidate: int
    plan: PlanItem
    critique: CritiqueItem | None


class EvaluateTask(TypedDict):
    """What is sent to the evaluation of one candidate."""

    round: int
    candidate: int


class PlannerUpdate(TypedDict):
    """What the planner changes."""

    round: int
    plans: list[PlanItem]


class EvaluateUpdate(TypedDict):
    """What an evaluation adds."""

    judged: list[JudgedItem]


def first_state() -> SearchState:
    """Return the state before round 1."""
    return SearchState(
        round=0, plans=[], judged=[], critique=None, best_us=None, stalled=0, lost=0, ending=None
    )


def plan_item(plan: CandidatePlan) -> PlanItem:
    """Return a plan as the state holds it."""
    return PlanItem(parent=plan.parent, features=list(plan.features), why=plan.why)


def plan_of(item: PlanItem) -> CandidatePlan:
    """Return a plan as proposers know it."""
    return CandidatePlan(item["parent"], tuple(item["features"]), item["why"])


def critique_of(item: CritiqueItem | None) -> Critique | None:
    """Return a critique as proposers know it."""
    return None if item is None else Critique(item["text"], tuple(item["features"]))
