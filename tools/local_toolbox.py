"""The toolbox in this process: compiler, references and device in workers of their own."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from sandbox.errors import UsageError
from sandbox.freed_memory import return_freed_memory
from sandbox.spans import OPERATION, TOOL, VERDICT, span
from sandbox.timing.measured import times_pairs
from sandbox.timing.schedule import TimingRules
from sandbox.verdict import Provenance, Verdict
from tools import progress
from tools.awaiting import Memo
from tools.judge.freezing import BaselineError, Frozen, load_frozen, store_frozen, uncalibrated
from tools.judge.oracle import TaskOracle, bench_samples, remembered
from tools.judge.subjects import Rules
from tools.judge.testing import fresh_seed
from tools.parts import Limits, ToolboxParts, local_parts
from tools.reports import AnyReport, CheckReport, ProofReport, TestReport
from tools.stages.checking import CheckStages
from tools.stages.compiling import CompileStage
from tools.stages.hazards import HazardStage
from tools.stages.judgement import CheckContext
from tools.stages.measuring import MeasureStage
from tools.stages.own_files import by_own_files
from tools.stages.profiling import ProfileStage
from tools.stages.proving import opinion_on
from tools.stages.shapes import ShapeStage
from tools.stages.testing import ResultStage
from tools.tasks.task import Task
from tools.toolbox import AnyOrder, CheckOrder, CompileOrder, Order, ProfileOrder, TestOrder, Toolbox

R = TypeVar("R")


class LocalToolbox(Toolbox):
    """A toolbox with workers of its own; orders may be given concurrently.

    A task is frozen on its first use (see `tools.judge.freezing`), which takes a few runs of its baseline.
    """

    def __init__(
        self,
        device: str = "auto",
        *,
        cache: Path,
        workers: int | None = None,
        limits: Limits | None = None,
        parts: ToolboxParts | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            device: A device's name, or `auto`.
            cache: Folder for compiled programs and frozen tasks; shared safely between processes.
            workers: Processes for each role; None for one a core, at most four.
            limits: What one judgement may take.
            parts: ToolboxParts to use instead of this machine's; `device` and `workers` are then not looked at.

        Raises:
            UsageError: There is no such device.
            MissingDependencyError: This machine lacks the device, the compiler or its headers.
        """
        self._parts = parts or local_parts(device, cache, workers)
        self._cache = cache
        self._frozen: Memo[str, Frozen] = Memo()
        self._asked = remembered()
        self._stages = self._make_stages(limits or Limits())
        self._ahead: list[asyncio.Future[None]] | None = None

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

    async def do(self, order: Order[Task, R]) -> R:
        """Carry an order out and return its report; see `tools.toolbox.Toolbox`.

        Raises:
            UsageError: The task cannot be frozen, or its reference fails.
            WorkerError: The environment failed twice.
        """
        if self._ahead is None and not isinstance(order, CompileOrder):
            # Workers start while the first kernel is compiled. What fails fails again where it is needed.
            self._ahead = [asyncio.ensure_future(start()) for start in self._parts.ahead]
        try:
            kind = cast("AnyOrder[Task]", order).kind
            with span(f"execute_tool {kind}", {OPERATION: "execute_tool", TOOL: kind}) as told:
                report = await self._report(order)
                told.set_attribute(VERDICT, report.verdict.value)
            return cast("R", by_own_files(report, order.kernel))
        finally:
            # Inputs, answers and outputs of a benchmark shape were hundreds of megabytes.
            asyncio.get_running_loop().run_in_executor(None, return_freed_memory)

    async def _report(self, order: Order[Task, Any]) -> AnyReport:
        match order:
            case CompileOrder(task, kernel, tune):
                return (await self._stages.compiling.compile(task, kernel, task.tests[0].dims, tune)).report
            case TestOrder():
                return await self._test(order)
            case ProfileOrder(task, kernel, tune, full):
                progress.begin("profile")
                return await self._stages.profiling.profile(task, kernel, tune, full=full)
            case CheckOrder():
                return await self._check(order)
            case _:
                raise TypeError(f"no toolbox carries out {type(order).__name__}")

    async def _test(self, order: TestOrder[Task]) -> TestReport:
        frozen = await self._freeze(order.task)
        progress.begin("test")
        compiled = await self._stages.compiling.compile_tests(order.task, order.kernel, order.tune)
        return await self._stages.results.test(order.task, compiled, frozen, order.seed)

    async def _prove(self, order: CheckOrder[Task], report: CheckReport) -> ProofReport | None:
        prover = self._parts.prover
        assert prover is not None, "asked before"
        compiled = await self._stages.compiling.compile_tests(order.task, order.kernel, report.tune)
        return await opinion_on(order.task, compiled, prover)

    async def _check(self, order: CheckOrder[Task]) -> CheckReport:
        if order.prove:
            if self._parts.prover is None:
                raise UsageError(f"{self.device} has no verifier to ask")
            self._parts.prover.check()
        frozen, wrong = await self._freeze_or_not(order.task)
        seed = fresh_seed() if order.seed is None else order.seed
        blank = CheckReport(
            verdict=Verdict.PASS,
            task=order.task.name,
            device=self.device,
            provenance=Provenance.MEASURED if self._measures else Provenance.COUNTED,
            message="",
            isolation=self.isolation,
            kernel_sha=hashlib.sha256(order.kernel.encode(errors="surrogatepass")).hexdigest(),
            task_sha=order.task.sha,
            baseline=wrong,
        )
        report = await self._stages.judge(CheckContext(order, frozen, seed, blank))
        if order.prove:
            report = replace(report, proof=await self._prove(order, report))
        return replace(report, message=f"{report.message} Beside this, {wrong}") if wrong else report

    def _make_stages(self, limits: Limits) -> CheckStages:
        device, oracle = self._parts.device, self._oracle
        compiling = CompileStage(
            self._parts.compiler, device.architecture, limits.compile_s, runs_ptx=not device.measures
        )
        rules = Rules({}, limits.seeds, limits.run_s, self._parts.width)
        return CheckStages(
            compiling,
            ResultStage(compiling, device, oracle, rules, self._keep_frozen),
            self._profile_stage(compiling, limits),
            ShapeStage(compiling, device, oracle, limits.bench_work, limits.bench_s),
            HazardStage(device, limits.hazard_s),
            limits.sweep,
        )

    def _profile_stage(self, compiling: CompileStage, limits: Limits) -> ProfileStage | MeasureStage:
        device = self._parts.device
        if times_pairs(device):
            rules = TimingRules(limit_s=limits.timing_s)
            return MeasureStage(
                compiling, device, self._oracle, self._constants, 2 * limits.profile_s, rules,
                sets=limits.timing_inputs,
            )  # fmt: skip
        sampler = partial(bench_samples, secret=fresh_seed())
        return ProfileStage(compiling, device, sampler, repeatable=not self._measures)

    def _oracle(self, task: Task) -> TaskOracle:
        return TaskOracle(task, self._parts.answers, self._asked)

    async def _constants(self, task: Task) -> Mapping[str, float]:
        return (await self._freeze_or_not(task))[0].constants

    async def _freeze(self, task: Task) -> Frozen:
        return await self._frozen.get(task.sha, lambda: self._freeze_once(task))

    async def _freeze_or_not(self, task: Task) -> tuple[Frozen, str]:
        """Return what a kernel is judged by, and what is wrong with the task's baseline; empty where nothing is."""
        try:
            return await self._freeze(task), ""
        except BaselineError as error:
            return uncalibrated(task), str(error)

    async def _freeze_once(self, task: Task) -> Frozen:
        stored = await asyncio.to_thread(load_frozen, self._cache, task, self.device)
        if stored is not None:
            return stored
        progress.begin("the task's own baseline")
        frozen = await self._stages.results.freeze(task)
        await asyncio.to_thread(store_frozen, self._cache, task, self.device, frozen)
        return frozen

    async def _keep_frozen(self, task: Task, frozen: Frozen) -> None:
        self._frozen.put(task.sha, frozen)
        await asyncio.to_thread(store_frozen, self._cache, task, self.device, frozen)

    async def aclose(self) -> None:
        """Stop every worker."""
        await asyncio.gather(*(self._ahead or []), return_exceptions=True)
        await asyncio.gather(
            self._parts.device.aclose(), self._parts.compiler.aclose(), self._parts.answers.aclose(),
            *([self._parts.prover.aclose()] if self._parts.prover else []),
        )  # fmt: skip
