"""The stages of a check, in order: compile, test, sweep or profile, benchmark shapes, hazards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from sandbox.verdict import Verdict
from tools.kernel import file as kernel_file
from tools.reports import CheckReport, CompileReport, ProfileReport, TestReport
from tools.stages.compiling import CompiledCases, CompileStage, any_scalars
from tools.stages.hazards import HazardStage
from tools.stages.judgement import CheckContext, Stage, StageOutcome, judge
from tools.stages.measuring import MeasureStage
from tools.stages.profiling import ProfileStage
from tools.stages.recounting import recounted
from tools.stages.shapes import ShapeStage
from tools.stages.shapes_ahead import ShapesAhead
from tools.stages.sweeping import sweep_settings
from tools.stages.testing import ResultStage
from tools.tasks.task import Task
from tools.toolbox import CheckOrder


@dataclass(frozen=True)
class CheckStages:
    """What the stages of a check are made of.

    Attributes:
        settings: How many settings of the tunables a sweep tries at most.
    """

    compiling: CompileStage
    results: ResultStage
    profiling: ProfileStage | MeasureStage
    shapes: ShapeStage
    hazards: HazardStage
    settings: int

    async def judge(self, context: CheckContext) -> CheckReport:
        """Run every stage in order until one fails; each does nothing where the order does not ask for it."""
        async with ShapesAhead(self.shapes, self.profiling) as ahead:
            return await judge(context, self._in_order(ahead))

    def _in_order(self, ahead: ShapesAhead) -> list[Stage]:
        return [
            Stage("compile", self._compile),
            Stage("test", partial(self._test, ahead)),
            Stage("sweep", self._sweep, timing=True),
            Stage("profile", self._profile, timing=True),
            Stage("shapes", partial(self._judge_shapes, ahead), headline=False),
            Stage("hazards", self._look_for_hazards, headline=False),
        ]

    async def _compile(self, context: CheckContext) -> StageOutcome:
        order = context.order
        compiled = await self.compiling.compile_tests(order.task, order.kernel, timed=order.profile)
        tune = dict(compiled.builds[0].tune) if compiled.builds else {}
        facts = {"compile": compiled.report, "tune": tune}
        return StageOutcome(compiled.report.verdict, compiled.report.message, facts, compiled)

    async def _test(self, ahead: ShapesAhead, context: CheckContext) -> StageOutcome:
        """Test the default setting; of several at the task's cases alone, until it is the fastest."""
        ahead.begin(context)
        if len(self._settings(context)) < 2:
            report = await self._tested(context, _compiled(context))
        else:
            order = context.order
            report = await self.results.test_cases(
                order.task, _compiled(context), context.frozen, context.seed
            )
        return StageOutcome(report.verdict, report.message, {"test": report})

    async def _tested(self, context: CheckContext, compiled: CompiledCases) -> TestReport:
        order = context.order
        return await self.results.test(order.task, compiled, context.frozen, context.seed, order.fresh_sizes)

    def _settings(self, context: CheckContext) -> list[dict[str, int]]:
        """The settings that are to be compared; none where nothing is swept."""
        order = context.order
        if not order.profile or not order.sweep:
            return []
        return kernel_file.sweep(_compiled(context).builds[0].kernel_file, self.settings)

    async def _sweep(self, context: CheckContext) -> StageOutcome | None:
        order, settings = context.order, self._settings(context)
        if len(settings) < 2:
            return None

        async def profile(tune: Mapping[str, int]) -> ProfileReport:
            return await self.profiling.profile(order.task, order.kernel, tune)

        async def test(tune: Mapping[str, int]) -> TestReport:
            if tune == settings[0]:
                return await self._completed(context)
            return await self._tested(
                context, await self.compiling.compile_tests(order.task, order.kernel, tune, timed=True)
            )

        async def compile_(tune: Mapping[str, int]) -> CompileReport:
            first = order.task.benches[0].dims if order.task.benches else order.task.tests[0].dims
            return (await self.compiling.compile(order.task, order.kernel, first, tune)).report

        async def threads(tune: Mapping[str, int]) -> int:
            return await self._threads(order, tune)

        sweep = await sweep_settings(settings, profile, test, compile_, threads)
        facts: dict[str, object] = {
            "profile": sweep.profile,
            "provenance": sweep.profile.provenance,
            "tune": dict(sweep.tune),
            "swept": sweep.tried,
            "settings": sweep.settings,
        }
        if sweep.test is not None:
            facts |= {"test": sweep.test}
        if sweep.tune != settings[0]:
            facts |= {"compile": await compile_(sweep.tune)}
        return StageOutcome(sweep.verdict, sweep.message, facts)

    async def _completed(self, context: CheckContext) -> TestReport:
        """What the default setting does at fresh sizes, with what it did at the task's cases."""
        order, passed = context.order, context.report.test
        assert passed is not None, "the stage before tested it"
        return await self.results.test_fresh(
            order.task, _compiled(context), context.frozen, passed, context.seed, order.fresh_sizes
        )

    async def _threads(self, order: CheckOrder[Task], tune: Mapping[str, int]) -> int:
        """How many threads a setting launches over all benchmark shapes; 0 where it cannot be launched."""
        total = 0
        for case in order.task.benches:
            build = (await self.compiling.compile(order.task, order.kernel, case.dims, tune)).build
            if build is None:
                return 0
            launches = build.plan(any_scalars(order.task)).launches
            total += sum(launch.threads for launch in launches)
        return total

    async def _profile(self, context: CheckContext) -> StageOutcome | None:
        order = context.order
        if not order.profile or context.report.profile is not None:
            return None
        report = await self.profiling.profile(order.task, order.kernel)
        facts = {"profile": report, "provenance": report.provenance}
        return StageOutcome(report.verdict, report.message, facts)

    async def _judge_shapes(self, ahead: ShapesAhead, context: CheckContext) -> StageOutcome | None:
        profile = context.report.profile
        if not context.order.benches or profile is None:
            return None
        if profile.verdict is not Verdict.PASS:
            every = tuple(dict(case.dims) for case in context.order.task.benches)
            return StageOutcome(Verdict.PASS, "Not timed, and so not judged.", {"not_judged": every})
        judged = await ahead.judge(context)
        report = judged.report
        facts: dict[str, object] = {"bench": report, "not_judged": report.not_judged}
        if not judged.short or not isinstance(self.profiling, ProfileStage):
            return StageOutcome(report.verdict, report.message, facts)
        anew = await recounted(self.profiling, context, judged.short)
        if anew.verdict is not Verdict.PASS:
            return StageOutcome(anew.verdict, anew.message, facts)
        return StageOutcome(report.verdict, report.message, facts | {"profile": anew}, headline=anew.message)

    async def _look_for_hazards(self, context: CheckContext) -> StageOutcome | None:
        order = context.order
        if not order.thorough:
            return None
        compiled = await self.compiling.compile_tests(
            order.task, order.kernel, context.report.tune, timed=order.profile
        )
        assert compiled.report.verdict is Verdict.PASS, "what was tested has compiled"
        report = await self.hazards.inspect(
            order.task, compiled.builds, self.results.oracle(order.task), context.seed
        )
        return StageOutcome(report.verdict, report.message, {"hazards": report})


def _compiled(context: CheckContext) -> CompiledCases:
    assert context.compiled is not None, "the first stage compiles"
    return context.compiled
