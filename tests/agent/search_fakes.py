"""Stand-ins for the tools and for models: they read what to do from marks in kernels and from scripts.

Marks in a kernel: `LATENCY 12.5` (microseconds; 10 by default), `WRONG`, `BROKEN` (does not compile),
`CRASHES` (the tools give no answer).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from agent.candidates import CandidatePlan
from agent.models.fallback import default_critique
from agent.models.reply import written_of
from agent.proposer import Critique, CritiqueContext, PlanContext, WriteContext, Written
from agent.store.replies import Reply
from prompts import features
from sandbox.device import Bottleneck
from sandbox.errors import WorkerDiedError
from sandbox.program import Diagnostic
from sandbox.verdict import Provenance, Verdict
from tools.reports import (
    AnyReport,
    CaseReport,
    CheckReport,
    CompileReport,
    Mismatch,
    ProfileReport,
    StageReport,
    TestReport,
)
from tools.tasks.task import Task
from tools.toolbox import CheckOrder, CompileOrder, Order, ProfileOrder, TestOrder

R = TypeVar("R")

BASELINE_US = 100.0
TASK_TOML = """\
name = "twice"
summary = "Twice a vector."
dims = ["n"]

[[args]]
name = "x"
role = "in"
dtype = "float32"
shape = "n"
data = "normal(0, 1)"

[[args]]
name = "y"
role = "out"
dtype = "float32"
shape = "n"

[cost]
flops = "n"
bytes = "8 * n"

[[test]]
dims = { n = 33 }

[[bench]]
dims = { n = 4096 }
"""


def kernel(mark: str = "") -> str:
    """Return a kernel file; two different marks make two different kernels."""
    return f"""\
//@ tune BLOCK = 128 in 64, 128, 256
//@ launch twice<<<ceil_div(n, BLOCK), BLOCK>>>(x, y, n)
__global__ void twice(const float* x, float* y, int n) {{
    int i = blockIdx.x * BLOCK + threadIdx.x;
    // {mark}
    if (i < n) y[i] = 2.0f * x[i];
}}
"""


def fenced(text: str) -> str:
    """Return a reply that holds a kernel."""
    return f"Here it is.\n\n```cuda\n{text}```\n"


def write_task(folder: Path, extra: str = "") -> Path:
    """Write a small task, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.toml").write_text(TASK_TOML + extra)
    (folder / "reference.py").write_text("def reference(x, n):\n    return {'y': 2 * x}\n")
    (folder / "baseline.cu").write_text(kernel(f"LATENCY {BASELINE_US}"))
    return folder


class FakeToolbox:
    """Judges kernels by their marks, and remembers what it was asked."""

    device = "sim:fake"
    isolation = "none"

    def __init__(self) -> None:
        self.checked: list[str] = []
        self.confirmed: list[str] = []
        self.inspected: list[str] = []
        self.late_failures: set[float] = set()
        """Latencies of kernels that pass a check and fail at the benchmark shapes."""
        self.timed_at: list[tuple[dict[str, int], ...]] = []
        """The benchmark shapes of each last check."""
        self.late_latencies: dict[float, float] = {}
        """What the benchmark shapes show of kernels by their latency: that the sample of their blocks said too little."""
        self.fails_at: dict[int, float] = {}
        """Latencies of kernels that fail where a benchmark shape has this n."""
        self.only_counted: tuple[dict[str, int], ...] = ()
        """Benchmark shapes that are too large to judge."""
        self.on_check: Callable[[str], None] = lambda kernel: None
        self.chosen: dict[str, int] = {}

    async def do(self, order: Order[Task, R]) -> R:
        await asyncio.sleep(0)
        return cast("R", self.report(order))

    def report(self, order: Order[Task, Any]) -> AnyReport:
        match order:
            case CompileOrder():
                return self.compiled(order.kernel)
            case TestOrder():
                return _tested(order.kernel) or TestReport(Verdict.PASS, "", cases_total=1)
            case ProfileOrder():
                return _profiled(order.kernel)
            case CheckOrder():
                return self._check(order)
            case _:
                raise AssertionError(order)

    def compiled(self, kernel: str) -> CompileReport:
        line = _line_of(kernel, "BROKEN")
        if line is not None:
            diagnostic = Diagnostic("error", 'identifier "BROKEN" is undefined', line)
            said = f"line {line}: {diagnostic.message}"
            return CompileReport(Verdict.COMPILE_ERROR, said, (diagnostic,))
        # Spaces do not reach the PTX; everything else, comments included, stands for code here.
        code = re.sub(r"\s+", "", kernel)
        return CompileReport(Verdict.PASS, "", ptx_key=hashlib.sha256(code.encode()).hexdigest())

    def _check(self, order: CheckOrder[Task]) -> CheckReport:
        kernel = order.kernel
        if order.thorough:
            self.inspected.append(kernel)
        (self.confirmed if order.benches else self.checked).append(kernel)
        self.on_check(kernel)
        if "CRASHES" in kernel:
            msg = "the worker died twice"
            raise WorkerDiedError(msg)
        compiled = self.compiled(kernel)
        if compiled.verdict is not Verdict.PASS:
            return _report(compiled.verdict, compiled.message, compiled)
        if (wrong := _tested(kernel)) is not None:
            return _report(wrong.verdict, wrong.message, compiled, wrong)
        if order.benches:
            self.timed_at.append(tuple(dict(case.dims) for case in order.task.benches))
        fails = [self.fails_at.get(case.dims.get("n", 0)) for case in order.task.benches]
        if order.benches and _latency(kernel) in {*self.late_failures, *fails}:
            tested = TestReport(Verdict.WRONG_RESULT, "wrong at a benchmark shape")
            return _report(tested.verdict, tested.message, compiled, tested)
        tested = TestReport(Verdict.PASS, "", cases_total=1)
        tune = self.chosen if order.sweep else {}
        profiled = _profiled(kernel)
        if order.benches and (late := self.late_latencies.get(_latency(kernel))):
            profiled = replace(profiled, latency_us=late, speedup=BASELINE_US / late)
        report = _report(Verdict.PASS, "correct", compiled, tested, profiled, tune)
        return replace(report, not_judged=self.only_counted if order.benches else ())

    async def aclose(self) -> None:
        return None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def default_plans(context: PlanContext) -> list[CandidatePlan]:
    """Return plans with the critic's hints first, then the library in its order; repairs keep features."""
    library = [feature.name for feature in features()]
    hints = (
        [] if context.critique is None else [name for name in context.critique.features if name in library]
    )
    start = (context.round - 1) * context.candidates % len(library)
    order = list(dict.fromkeys([*hints, *library[start:], *library[:start]]))
    return [_plan(context, order, index) for index in range(context.candidates)]


def _plan(context: PlanContext, order: list[str], index: int) -> CandidatePlan:
    feature = order[index % len(order)]
    if not context.parents:
        return CandidatePlan(None, (feature,), "a fresh start with the next feature of the library")
    parent = context.parents[index % len(context.parents)]
    sound = {Verdict.PASS, Verdict.UNDECIDED}
    failed = parent.trial is not None and parent.trial.verdict not in sound
    if failed and parent.trial is not None and parent.trial.features:
        return CandidatePlan(parent.sha, tuple(parent.trial.features), "repair the failed kernel")
    return CandidatePlan(parent.sha, (feature,), "the next feature of the library")


class ScriptedProposer:
    """Writes the next reply of a script for each candidate; an exception in the script is raised."""

    name = "scripted"

    def __init__(self, *replies: str | Exception) -> None:
        self._replies = list(replies)
        self.plans: list[PlanContext] = []
        self.writes: list[WriteContext] = []
        self.critiques: list[CritiqueContext] = []

    async def plan(self, context: PlanContext) -> list[CandidatePlan]:
        await asyncio.sleep(0)
        self.plans.append(context)
        return default_plans(context)

    async def write(self, context: WriteContext) -> Written:
        self.writes.append(context)
        await asyncio.sleep(0)
        reply = self._replies.pop(0) if self._replies else "nothing more to say"
        if isinstance(reply, Exception):
            raise reply
        return written_of(Reply(reply), context.plan.features)

    async def criticise(self, context: CritiqueContext) -> Critique:
        await asyncio.sleep(0)
        self.critiques.append(context)
        return default_critique(context)


def _tested(kernel: str) -> TestReport | None:
    """Return the failure of a kernel that is marked as wrong."""
    if "WRONG" not in kernel:
        return None
    first = Mismatch("y", (3,), 1.5, 2.0, 1e-6)
    case = CaseReport({"n": 33}, 1, Verdict.WRONG_RESULT, "wrong", 30, 0, 33, 9.0, (first,))
    return TestReport(Verdict.WRONG_RESULT, "30 of 33 elements of y are wrong", (case,), 1)


def _report(
    verdict: Verdict,
    message: str,
    compiled: CompileReport,
    tested: TestReport | None = None,
    timed: ProfileReport | None = None,
    tune: dict[str, int] | None = None,
) -> CheckReport:
    parts = [("compile", compiled), ("test", tested), ("profile", timed)]
    stages = [StageReport(name, part.verdict, part.message, 0.1) for name, part in parts if part is not None]
    return CheckReport(
        verdict,
        "twice",
        "sim:fake",
        Provenance.ESTIMATED,
        message,
        tuple(stages),
        compiled,
        tested,
        timed,
        tune or {},
        "none",
    )


def _profiled(kernel: str) -> ProfileReport:
    latency = _latency(kernel)
    speedup = BASELINE_US / latency
    return ProfileReport(Verdict.PASS, "", latency, Provenance.ESTIMATED, speedup, bottleneck=Bottleneck.DRAM)


def _latency(kernel: str) -> float:
    found = re.search(r"LATENCY ([\d.]+)", kernel)
    return float(found[1]) if found else 10.0


def _line_of(kernel: str, mark: str) -> int | None:
    lines = kernel.splitlines()
    return next((number for number, line in enumerate(lines, start=1) if mark in line), None)
