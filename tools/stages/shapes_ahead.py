"""The benchmark shapes of a kernel that was judged before, while its results are tested once more."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from sandbox.verdict import Verdict
from tools import progress
from tools.stages.judgement import CheckContext
from tools.stages.measuring import MeasureStage
from tools.stages.profiling import ProfileStage
from tools.stages.shapes import JudgedShapes, ShapeStage


class ShapesAhead:
    """Of one check; an async context manager, after which nothing is left running.

    Only a check that is `thorough` begins early: its kernel is expected to pass. A device that measures never does:
    nothing may run beside what it times.
    """

    def __init__(self, shapes: ShapeStage, profiling: ProfileStage | MeasureStage) -> None:
        """Judge nothing yet."""
        self._shapes = shapes
        self._profiling = profiling
        self._task: asyncio.Task[JudgedShapes | None] | None = None

    def begin(self, context: CheckContext) -> None:
        """Begin to judge the shapes of a kernel that has compiled, where that may be done now."""
        order, profiling = context.order, self._profiling
        expected = order.thorough and order.profile and order.benches and not order.sweep
        if expected and isinstance(profiling, ProfileStage):
            self._task = asyncio.ensure_future(self._early(context, profiling))

    async def judge(self, context: CheckContext) -> JudgedShapes:
        """Return what is found of the shapes of a kernel that was profiled; raises as `ShapeStage.judge`."""
        found = await self._task if self._task is not None else None
        return await self._shapes.judge(context) if found is None else found

    async def _early(self, context: CheckContext, profiling: ProfileStage) -> JudgedShapes | None:
        with progress.untold():
            profile = await profiling.profile(context.order.task, context.order.kernel)
            if profile.verdict is not Verdict.PASS:
                return None
            timed = replace(context, report=replace(context.report, profile=profile))
            return await self._shapes.judge(timed)

    async def __aenter__(self) -> ShapesAhead:
        """Return itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """End what nobody waits for any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
