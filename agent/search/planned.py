"""The plans of a round as a person sees them before anything of it is written, and what may take their place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from agent.candidates import GIVEN, CandidatePlan
from sandbox.errors import UsageError


@dataclass(frozen=True)
class PlannedRound:
    """What is about to be written.

    Attributes:
        plans: One a candidate, in order.
        kernels: sha256 of each kernel that a plan may build on, by its name: `baseline`, or its place as in `2/1`.
        features: The features that the run's writer knows; empty where it takes any.
    """

    run: str
    round: int
    plans: tuple[CandidatePlan, ...]
    kernels: Mapping[str, str] = field(default_factory=dict[str, str])
    features: tuple[str, ...] = ()

    def checked(self, plans: Sequence[CandidatePlan]) -> tuple[CandidatePlan, ...]:
        """Return plans that may take the place of these.

        Raises:
            UsageError: They may not; the text says which one, and why.
        """
        if not 1 <= len(plans) <= len(self.plans):
            raise UsageError(f"{len(plans)} plans: there may be 1 to {len(self.plans)}")
        given = [plan for plan in self.plans if plan.origin == GIVEN]
        if list(plans[: len(given)]) != given:
            raise UsageError("the kernels that the search was given to begin with stay as they are")
        for number, plan in enumerate(plans[len(given) :], start=len(given) + 1):
            self._check(number, plan)
        return tuple(plans)

    def _check(self, number: int, plan: CandidatePlan) -> None:
        if not plan.features and not plan.without and plan not in self.plans:
            raise UsageError(f"plan {number} neither tries nor leaves out a feature")
        known = self.features or plan.features
        if unknown := [name for name in (*plan.features, *plan.without) if not name.strip()]:
            raise UsageError(f"plan {number} has a feature without a name: {unknown!r}")
        if strange := [name for name in plan.features if name not in known]:
            raise UsageError(
                f"plan {number}: the writer knows no feature {', '.join(strange)}; it knows {', '.join(known)}"
            )
        if not set(plan.parents) <= set(self.kernels.values()):
            raise UsageError(f"plan {number} builds on a kernel that this run does not have")


PLANNED = TypeAdapter(PlannedRound)
"""Reads what a pause carries."""
Approver = Callable[[PlannedRound], Coroutine[None, None, Sequence[CandidatePlan] | None]]
"""Is shown a round; answers with the plans to carry out, or None where the search is to stop here."""
Asking = Callable[[PlannedRound], Awaitable[Sequence[CandidatePlan]]]
"""Has the plans of a round approved, and returns those to carry out."""
