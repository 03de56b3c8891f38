"""From reports to answers: pure functions that say which call comes next."""

from __future__ import annotations

from sandbox.device import Fault, LaunchProfile
from sandbox.verdict import Verdict
from tools.judge.explanation import shorten
from tools.mcp import limits
from tools.mcp.answers import (
    CompileAnswer,
    FailedCase,
    LaunchLine,
    ProfileAnswer,
    ShapeLine,
    TaskLine,
    TestAnswer,
)
from tools.mcp.task_form import TaskDetails
from tools.mcp.telling_metrics import telling
from tools.reports import CaseReport, CompileReport, ProfileReport, ShapeTiming, TestReport
from tools.tasks.task import Task

KERNEL_FILE_RULES = """\
A kernel file is one .cu text: device code only, no host code, no main. Directives say how to launch it:
//@ tune   BLOCK = 256 in 64, 128, 256, 512       a compile-time constant and values worth trying
//@ define BLOCKS = ceil_div(n, BLOCK)            a value computed from dims and earlier names
//@ scratch partial: float32[BLOCKS]              device memory, holding garbage before every run
//@ zero partial                                  before the launches below it; or: fill NAME = NUMBER
//@ constant W = w                               fills `__constant__ float W[64];` from the argument w
//@ launch kernel<<<BLOCKS, BLOCK, 0>>>(x, y, n)  kernel<<<grid, block, dynamic_shared_bytes>>>(arguments)
//@ options -use_fast_math -DNAME=1               also -ftz= -prec-div= -prec-sqrt= -fmad= -maxrregcount=
Names of tunables and defines are UPPER_CASE and are macros in the code. grid and block are one expression or
a tuple of up to three. Expressions: integers, dims, tunables, defines, + - * // % ( ), comparisons,
`a if c else b`, min max ceil_div next_pow2 log2. An argument is a task argument (a pointer for buffers), a
scratch name, or an expression passed as int32 (i64(...), f32(...), f64(...) for other types). Launches run
once, in order. Every element of every output must be written; inputs must not be.\
"""


def task_line(task: Task) -> TaskLine:
    """Return a task as one line of a list."""
    return TaskLine(
        name=task.name,
        summary=shorten(task.summary, limits.SUMMARY),
        timed_at="; ".join(
            " ".join(f"{name}={size}" for name, size in case.dims.items()) for case in task.benches
        ),
    )


def describe_task(task: Task) -> TaskDetails:
    """Return everything needed to write a kernel for a task."""
    return TaskDetails.of(task, KERNEL_FILE_RULES)


def describe_compile(task: Task, report: CompileReport) -> CompileAnswer:
    """Return what compile_kernel answers."""
    passed = report.verdict is Verdict.PASS
    facts = {
        "verdict": report.verdict,
        "message": report.message,
        "task": task.name,
        "architecture": report.architecture,
        "kernels": report.resources,
        "compiler_messages": report.diagnostics,
        "suspicious": [
            f"{one.construct}{'' if one.line is None else f' at line {one.line}'}: {one.why}"
            for one in report.suspicions
        ],
        "ptx_key": report.ptx_key,
        "next_step": "test_kernel with the same kernel."
        if passed
        else "Repair the kernel, then compile_kernel.",
    }
    return CompileAnswer.model_validate(facts, from_attributes=True)


def describe_test(task: Task, report: TestReport, *, device: str, isolation: str) -> TestAnswer:
    """Return what test_kernel answers."""
    return TestAnswer(
        verdict=report.verdict,
        message=report.message,
        task=task.name,
        device=device,
        isolation=isolation,
        runs_passed=sum(case.verdict is Verdict.PASS for case in report.cases),
        runs_total=report.cases_total,
        failed=describe_failure(report),
        also=[_failed_case(case) for case in report.failures[1:]],
        next_step=_after_test(report.verdict),
    )


def describe_profile(
    task: Task, report: ProfileReport, device: str, profile: str | None = None
) -> ProfileAnswer:
    """Return what profile_kernel answers; `profile` is where the whole of it can be read.

    Metrics and lines are told of the first few launches at the slowest shape; every latency is told.
    """
    slowest = max(report.shapes, key=lambda shape: shape.latency_us, default=None)
    shapes = [_shape_line(shape, explained=shape is slowest) for shape in report.shapes]
    next_step = (
        "Change what the bottleneck names, then test_kernel and profile_kernel again; or start_search."
        if report.verdict is Verdict.PASS
        else _after_test(report.verdict)
    )
    facts = {**vars(report), "task": task.name, "device": device, "next_step": next_step}
    facts |= {"shapes": shapes, "profile": profile}
    return ProfileAnswer.model_validate(facts, from_attributes=True)


def _shape_line(shape: ShapeTiming, *, explained: bool) -> ShapeLine:
    launches = [
        _launch_line(launch, explained=explained and number < limits.LAUNCHES)
        for number, launch in enumerate(shape.launches[: limits.ITEMS])
    ]
    return ShapeLine.model_validate({**vars(shape), "launches": launches}, from_attributes=True)


def _launch_line(launch: LaunchProfile, *, explained: bool) -> LaunchLine:
    metrics = telling(launch.bottleneck, launch.metrics) if explained else ()
    facts = {**vars(launch), "metrics": metrics, "hotspots": launch.hotspots if explained else ()}
    facts |= {} if explained else {"breakdown": None}
    return LaunchLine.model_validate(facts, from_attributes=True)


def describe_failure(report: TestReport | None) -> FailedCase | None:
    """Return the first case that failed, if one did."""
    return None if report is None or not report.failures else _failed_case(report.failures[0])


def _after_test(verdict: Verdict) -> str:
    if verdict is Verdict.PASS:
        return "profile_kernel with the same kernel."
    if verdict is Verdict.UNDECIDED:
        return "test_kernel again when the machine has less to do; nothing is known against the kernel."
    if verdict is Verdict.UNSUPPORTED:
        return "Avoid what the message names, or judge on another device; the kernel may well be right."
    return "Repair the kernel, then test_kernel."


def _failed_case(case: CaseReport) -> FailedCase:
    fault = case.fault or Fault(case.verdict, "")
    where = {name: getattr(fault, name) for name in ("line", "block", "thread", "buffer")}
    return FailedCase.model_validate({**vars(case), **where}, from_attributes=True)
