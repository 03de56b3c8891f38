"""The toolbox in this process: compiler, references and device in workers of their own."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.errors import UsageError
from sandbox.timing.measured import times_pairs
from sandbox.timing.schedule import TimingRules
from sandbox.verdict import Provenance, Verdict
from tools.awaiting import Memo, together
from tools.judge.freezing import Frozen, freeze, load_frozen, store_frozen
from tools.judge.oracle import TaskOracle, bench_samples
from tools.judge.scaling import Scaling, scaling_subject
from tools.judge.stress import FAMILIES, stress_case
from tools.judge.testing import Rules, Subject, fresh_seed, judge_results
from tools.kernel import file as kernel_file
from tools.parts import Limits, Parts, local_parts
from tools.reports import CheckReport, CompileReport, ProfileReport, TestReport
from tools.stages.compiling import Build, CompileStage
from tools.stages.hazards import HazardStage
from tools.stages.judgement import Check
from tools.stages.measuring import MeasureStage
from tools.stages.profiling import Profiled, ProfileStage
from tools.stages.shapes import BenchJudge
from tools.stages.sweeping import sweep_settings
from tools.tasks.task import Task

Tune = Mapping[str, int]


@dataclass(frozen=True)
class _Compiled:
    """A kernel compiled for every test case; `builds` is complete only where the report passes."""

    report: CompileReport
    builds: tuple[Build, ...]

    @property
    def verdict(self) -> Verdict:
        return self.report.verdict

    @property
    def message(self) -> str:
        return self.report.message

    @property
    def tune(self) -> dict[str, int]:
        return dict(self.builds[0].tune) if self.builds else {}


class LocalToolbox:
    """Implements `tools.toolbox.Toolbox` with workers of its own; calls may be made concurrently.

    A task is frozen on its first use (see `tools.judge.freezing`), which takes a few runs of its baseline.
    """

    def __init__(
        self,
        device: str = "auto",
        *,
        cache: Path,
        workers: int | None = None,
        limits: Limits | None = None,
        parts: Parts | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            device: A device's name, or `auto`.
            cache: Folder for compiled programs and frozen tasks; shared safely between processes.
            workers: Processes for each role; None for one a core, at most four.
            limits: What one judgement may take.
            parts: Parts to use instead of this machine's; `device` and `workers` are then not looked at.

        Raises:
            UsageError: There is no such device.
            MissingDependencyError: This machine lacks the device, the compiler or its headers.
        """
        self._parts = parts or local_parts(device, cache, workers)
        self._cache = cache
        self._limits = limits or Limits()
        self._compiling = CompileStage(
            self._parts.compiler, self._parts.device.architecture, self._limits.compile_s
        )
        self._profiling = self._profile_stage()
        self._benches = BenchJudge(
            self._compiling, self._parts.device, self._limits.bench_work, self._limits.bench_s
        )
        self._hazards = HazardStage(self._parts.device, self._limits.hazard_s)
        self._frozen: Memo[str, Frozen] = Memo()
        self._oracles: dict[str, TaskOracle] = {}
        self._rules = Rules({}, self._limits.seeds, self._limits.run_s, self._parts.width)

    def _profile_stage(self) -> ProfileStage | MeasureStage:
        device, seconds = self._parts.device, self._limits.profile_s
        if times_pairs(device):
            rules = TimingRules(limit_s=self._limits.timing_s)
            return MeasureStage(
                self._compiling, device, self._oracle, self._constants, 2 * seconds, rules,
                sets=self._limits.timing_inputs,
            )  # fmt: skip
        sampler = partial(bench_samples, secret=fresh_seed())
        return ProfileStage(self._compiling, device, sampler, seconds, repeatable=not self._measures)

    async def _constants(self, task: Task) -> Mapping[str, float]:
        return (await self._freeze(task)).constants

    @property
    def device(self) -> str:
        """Name of the device in use."""
        return self._parts.device.name

    @property
    def isolation(self) -> str:
        """Name of the isolation in use."""
        return self._parts.isolation

    @property
    def _measures(self) -> bool:
        return self._parts.device.provenance is Provenance.MEASURED

    async def compile(self, task: Task, kernel: str, tune: Tune | None = None) -> CompileReport:
        """Parse, check against the task and compile, for the first test case."""
        return (await self._compiling.compile(task, kernel, task.tests[0].dims, tune)).report

    async def test(
        self, task: Task, kernel: str, tune: Tune | None = None, *, seed: int | None = None
    ) -> TestReport:
        """Judge results over every test case and several seeds; `seed` replays one judgement.

        Raises:
            UsageError: The task cannot be frozen, or its reference fails.
            WorkerError: The environment failed twice.
        """
        frozen = await self._freeze(task)
        compiled = await self._compile_tests(task, kernel, tune)
        return await self._test(task, compiled, frozen, seed)

    async def profile(
        self, task: Task, kernel: str, tune: Tune | None = None, *, full: bool = False
    ) -> ProfileReport:
        """Time and count at the benchmark shapes, beside the baseline; says nothing of correctness.

        Raises:
            WorkerError: The environment failed twice.
        """
        return (await self._profiling.profile(task, kernel, tune, full=full)).report

    async def check(
        self,
        task: Task,
        kernel: str,
        *,
        sweep: bool = False,
        profile: bool = True,
        benches: bool = True,
        thorough: bool = False,
        seed: int | None = None,
    ) -> CheckReport:
        """Run every stage, each gating the next; see `tools.toolbox.Toolbox`.

        Raises:
            UsageError: The task cannot be frozen, or its reference fails.
            WorkerError: The environment failed twice.
        """
        frozen = await self._freeze(task)
        judgement = fresh_seed() if seed is None else seed
        check = Check(self._blank(task, kernel))
        compiled = await check.stage("compile", self._compile_tests(task, kernel, None))
        check.note(compile=compiled.report, tune=compiled.tune)
        if check.failed:
            return check.report
        check.note(test=await check.stage("test", self._test(task, compiled, frozen, judgement)))
        if profile and not check.failed:
            await self._time(check, _Judged(task, kernel, frozen, judgement), compiled, sweep=sweep)
        if profile and benches and not check.failed:
            await self._judge_benches(check, _Judged(task, kernel, frozen, judgement))
        if thorough and not check.failed:
            await self._look_for_hazards(check, _Judged(task, kernel, frozen, judgement))
        return check.report

    async def _time(self, check: Check, judged: _Judged, compiled: _Compiled, *, sweep: bool) -> None:
        settings = kernel_file.sweep(compiled.builds[0].kernel_file, self._limits.sweep) if sweep else []
        if len(settings) > 1:
            await self._sweep(check, judged, settings)
        else:
            report = await check.stage("profile", self.profile(judged.task, judged.kernel))
            check.note(profile=report, provenance=report.provenance)

    def _blank(self, task: Task, kernel: str) -> CheckReport:
        return CheckReport(
            verdict=Verdict.PASS,
            task=task.name,
            device=self.device,
            provenance=Provenance.MEASURED if self._measures else Provenance.COUNTED,
            message="",
            isolation=self.isolation,
            kernel_sha=hashlib.sha256(kernel.encode(errors="surrogatepass")).hexdigest(),
            task_sha=task.sha,
        )

    def _oracle(self, task: Task) -> TaskOracle:
        return self._oracles.setdefault(task.sha, TaskOracle(task, self._parts.answers))

    async def _freeze(self, task: Task) -> Frozen:
        return await self._frozen.get(task.sha, lambda: self._freeze_once(task))

    async def _freeze_once(self, task: Task) -> Frozen:
        found = await asyncio.to_thread(load_frozen, self._cache, task, self.device)
        if found is not None:
            return found
        compiled = await self._compile_tests(task, task.baseline, None)
        if compiled.verdict is not Verdict.PASS:
            raise UsageError(f"task {task.name}: its baseline does not compile: {compiled.message}")
        stress = _stress(task, compiled, FAMILIES)
        frozen = await freeze(
            task, self._parts.device, self._oracle(task), _subjects(task, compiled), self._rules, stress
        )
        await asyncio.to_thread(store_frozen, self._cache, task, self.device, frozen)
        return frozen

    async def _compile_tests(self, task: Task, kernel: str, tune: Tune | None) -> _Compiled:
        compiled = await together(
            self._compiling.compile(task, kernel, case.dims, tune) for case in task.tests
        )
        failed = next((one for one in compiled if one.build is None), None)
        builds = tuple(one.build for one in compiled if one.build is not None)
        return _Compiled((failed or compiled[0]).report, builds)

    async def _test(self, task: Task, compiled: _Compiled, frozen: Frozen, seed: int | None) -> TestReport:
        if compiled.verdict is not Verdict.PASS:
            return TestReport(compiled.verdict, compiled.message)
        rules = replace(self._rules, constants=frozen.constants)
        subjects = [*_subjects(task, compiled), *_stress(task, compiled, frozen.families).values()]
        judgement = await judge_results(
            task, self._parts.device, self._oracle(task), subjects, rules, seed=seed
        )
        if judgement.report.verdict is not Verdict.PASS or not frozen.degrees:
            return judgement.report
        return await self._test_scaling(task, compiled, frozen, judgement.report)

    async def _test_scaling(
        self, task: Task, compiled: _Compiled, frozen: Frozen, passed: TestReport
    ) -> TestReport:
        subject = scaling_subject(task, _subjects(task, compiled))
        assert subject is not None, "the task was found to scale when it was frozen"
        scaling = Scaling(task, self._parts.device, self._oracle(task), subject, self._rules.deadline_s)
        objection = await scaling.objection(frozen.degrees, passed.cases[0].seed)
        return (
            passed if objection is None else replace(passed, verdict=Verdict.WRONG_RESULT, message=objection)
        )

    async def _sweep(self, check: Check, judged: _Judged, settings: Sequence[Tune]) -> None:
        async def profile(tune: Tune) -> Profiled:
            return await self._profiling.profile(judged.task, judged.kernel, tune)

        async def test(tune: Tune) -> TestReport:
            compiled = await self._compile_tests(judged.task, judged.kernel, tune)
            return await self._test(judged.task, compiled, judged.frozen, judged.seed)

        sweep = await check.stage("sweep", sweep_settings(settings, profile, test))
        check.note(
            profile=sweep.profile,
            provenance=sweep.profile.provenance,
            tune=dict(sweep.tune),
            swept=sweep.tried,
        )
        if sweep.test is not None:
            compiled = await self.compile(judged.task, judged.kernel, sweep.tune)
            check.note(test=sweep.test, compile=compiled)

    async def _judge_benches(self, check: Check, judged: _Judged) -> None:
        profile, judge = check.report.profile, self._benches
        assert profile is not None, "the stage before has profiled"
        work = judge.judge(
            judged.task,
            judged.kernel,
            profile,
            self._oracle(judged.task),
            judged.frozen.constants,
            judged.seed,
            check.report.tune,
        )
        said = check.report.message
        check.note(bench=await check.stage("shapes", work))
        if not check.failed:
            check.note(message=said)

    async def _look_for_hazards(self, check: Check, judged: _Judged) -> None:
        said = check.report.message
        compiled = await self._compile_tests(judged.task, judged.kernel, check.report.tune)
        oracle = self._oracle(judged.task)
        work = self._hazards.inspect(judged.task, compiled.builds, oracle, judged.seed)
        check.note(hazards=await check.stage("hazards", work))
        if not check.failed:
            check.note(message=said)

    async def aclose(self) -> None:
        """Stop every worker."""
        await asyncio.gather(
            self._parts.device.aclose(), self._parts.compiler.aclose(), self._parts.answers.aclose()
        )

    async def __aenter__(self) -> Self:
        """Enter; leaving closes."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.aclose()


@dataclass(frozen=True)
class _Judged:
    task: Task
    kernel: str
    frozen: Frozen
    seed: int


def _subjects(task: Task, compiled: _Compiled) -> list[Subject]:
    return [
        Subject(case, build.program, build.plan)
        for case, build in zip(task.tests, compiled.builds, strict=True)
    ]


def _stress(task: Task, compiled: _Compiled, families: Sequence[str]) -> dict[str, Subject]:
    """The kernel on the values of each family that suits the task."""
    builds = {repr(case.dims): build for case, build in zip(task.tests, compiled.builds, strict=True)}
    found: dict[str, Subject] = {}
    for family in families:
        case = stress_case(task, family)
        if case is not None:
            build = builds[repr(case.dims)]
            found[family] = Subject(case, build.program, build.plan, once=True)
    return found
