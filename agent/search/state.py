"""The graph's state: small and plain, so that any checkpoint can be read back. Kernels lie in the store."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python
from typing_extensions import TypedDict

from agent.candidates import CandidatePlan
from agent.proposer import Critique

Ending = Literal["target_met", "depth", "no_gain", "budget", "lost"]
"""Why the graph ended; `lost`: for two rounds, nothing answered (the model's endpoint, or the tools)."""


Plain = dict[str, Any]
"""A CandidatePlan or a Critique in JSON's own types: no other type is ever rebuilt from a checkpoint."""
PLAN = TypeAdapter(CandidatePlan)
"""Reads a plan back."""
CRITIQUE: TypeAdapter[Critique | None] = TypeAdapter(Critique | None)
"""Reads a critique back."""


class SearchState(TypedDict):
    """Where the search stands.

    `lost` counts the rounds in which nothing answered; all else is read from the store.
    """

    round: int
    plans: list[Plain]
    critique: Plain | None
    lost: int
    ending: Ending | None


class CoderTask(TypedDict):
    """What is sent to the coder of one candidate."""

    round: int
    candidate: int
    plan: Plain
    critique: Plain | None


class EvaluateTask(TypedDict):
    """What is sent to the evaluation of one candidate."""

    round: int
    candidate: int


class PlannerUpdate(TypedDict):
    """What the planner changes."""

    round: int
    plans: list[Plain]


class PlansUpdate(TypedDict):
    """What whoever approves of a round's plans changes."""

    plans: list[Plain]


def first_state() -> SearchState:
    """Return the state before round 1."""
    return SearchState(round=0, plans=[], critique=None, lost=0, ending=None)


def as_plain(value: object) -> Plain:
    """Return a plan or a critique as the state holds it, or a round of plans as a pause does."""
    return to_jsonable_python(value)
