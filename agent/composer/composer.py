"""The composer as a proposer: it plans, writes and criticises without any model."""

from __future__ import annotations

from agent.candidates import CandidatePlan
from agent.composer import critique, planning
from agent.composer.space import Space
from agent.proposer import Critique, CritiqueContext, PlanContext, WriteContext, Written
from tools.tasks.task import Task


class Composer:
    """Writes kernels from features for the families it knows.

    What to compute is read from the reference; what is fast is found by measuring. Every answer follows from
    its context alone. Raises UsageError, from every method, for a task of a family that it does not know.
    """

    def __init__(self) -> None:
        self._space: tuple[Task, Space] | None = None

    @property
    def name(self) -> str:
        """`composer`."""
        return "composer"

    def space(self, task: Task) -> Space:
        """Return every kernel the composer can write for a task.

        Raises:
            UsageError: The task's family is not known.
        """
        if self._space is None or self._space[0] != task:
            self._space = (task, Space(task))
        return self._space[1]

    def features(self, task: Task) -> tuple[str, ...]:
        """Return the features that can change a kernel of this task."""
        return self.space(task).features

    async def plan(self, context: PlanContext) -> list[CandidatePlan]:
        """Make a plan of each slot, by what this run has shown and what features are believed to gain."""
        space = self.space(context.task).within(page.name for page in context.library)
        return planning.plans(context, space)

    async def write(self, context: WriteContext) -> Written:
        """Write the kernel file of the parent's features and the plan's."""
        space = self.space(context.task)
        parents = (parent for parent in (context.parent, context.other) if parent is not None)
        before = [
            name
            for parent in parents
            for name in space.features_in(parent) or ()
            if name not in context.plan.without
        ]
        features = space.settle((*before, *context.plan.features))
        used = ", ".join(features) or "no feature"
        return Written(space.text(features), features, f"{space.family.capitalize()} with {used}.")

    async def criticise(self, context: CritiqueContext) -> Critique:
        """Name one bottleneck or one root cause."""
        space = self.space(context.task).within(page.name for page in context.library)
        return critique.criticise(context, space)
