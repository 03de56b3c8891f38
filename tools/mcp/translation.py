"""From reports to answers: pure functions that cut long lists and say which call comes next."""

from __future__ import annotations

from dataclasses import fields

from sandbox.device import Fault, LaunchProfile
from sandbox.verdict import Verdict
from tools.judge.explanation import LIMIT, shorten
from tools.mcp.answers import (
    CompileAnswer,
    CompilerMessage,
    FailedCase,
    HotLine,
    KernelUse,
    LaunchLine,
    MeasuredTiming,
    MetricLine,
    ProfileAnswer,
    ShapeLine,
    TaskDetails,
    TaskLine,
    TaskSheet,
    TestAnswer,
    WrongElement,
)
from tools.reports import CaseReport, CompileReport, ProfileReport, TestReport, Timing
from tools.tasks.task import Task, WholeTask

TEXT_LIMIT = 32 * 1024
"""Characters of a task's reference and baseline at most."""
LIST_LIMIT = 16
"""Items of any list that a candidate or a task can make long."""
METRIC_LIMIT = 48
FULL_METRIC_LIMIT = 400
HOT_LIMIT = 8

KERNEL_FILE_RULES = """\
A kernel file is one .cu text: device code only, no host code, no main. Directives say how to launch it:
//@ tune   BLOCK = 256 in 64, 128, 256, 512       a compile-time constant and values worth trying
//@ define BLOCKS = ceil_div(n, BLOCK)            a value computed from dims and earlier names
//@ scratch partial: float32[BLOCKS]              device memory, holding garbage before every run
//@ launch kernel<<<BLOCKS, BLOCK, 0>>>(x, y, n)  kernel<<<grid, block, dynamic_shared_bytes>>>(arguments)
Names of tunables and defines are UPPER_CASE and are macros in the code. grid and block are one expression or
a tuple of up to three. Expressions: integers, dims, tunables, defines, + - * // % ( ), comparisons,
`a if c else b`, min max ceil_div next_pow2 log2. An argument is a task argument (a pointer for buffers), a
scratch name, or an expression passed as int32 (i64(...), f32(...), f64(...) for other types). Launches run
once, in order. Every element of every output must be written; inputs must not be.\
"""


def task_line(task: Task) -> TaskLine:
    """Return a task as one line of a list."""
    return TaskLine(
        name=task.name, summary=shorten(task.summary, 300), bench_dims=[case.dims for case in task.benches]
    )


def describe_task(task: Task) -> TaskDetails:
    """Return everything needed to write a kernel for a task."""
    told = {one.name: getattr(task, one.name) for one in fields(WholeTask)}
    for name, limit in (("summary", LIMIT), ("reference", TEXT_LIMIT), ("baseline", TEXT_LIMIT)):
        told[name] = shorten(told[name], limit)
    return TaskDetails(TaskSheet(**told, kernel_file_rules=KERNEL_FILE_RULES, sha=task.sha))


def describe_compile(task: Task, report: CompileReport) -> CompileAnswer:
    """Return what compile_kernel answers."""
    passed = report.verdict is Verdict.PASS
    return CompileAnswer(
        verdict=report.verdict,
        message=report.message,
        task=task.name,
        architecture=report.architecture,
        kernels=[
            KernelUse(
                name=kernel.name,
                registers=kernel.registers,
                shared_bytes=kernel.shared_bytes,
                stack_bytes=kernel.stack_bytes,
                spill_bytes=kernel.spill_store_bytes + kernel.spill_load_bytes,
            )
            for kernel in report.resources[:LIST_LIMIT]
        ],
        compiler_messages=[
            CompilerMessage(severity=one.severity, line=one.line, message=shorten(one.message, 400))
            for one in report.diagnostics[:LIST_LIMIT]
        ],
        suspicious=[
            f"{one.construct}{'' if one.line is None else f' at line {one.line}'}: {one.why}"
            for one in report.suspicions[:LIST_LIMIT]
        ],
        ptx_key=report.ptx_key,
        next_step="test_kernel with the same kernel."
        if passed
        else "Repair the kernel, then compile_kernel.",
    )


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
        next_step=_after_test(report.verdict),
    )


def describe_profile(
    task: Task, report: ProfileReport, device: str, *, metrics: int = METRIC_LIMIT
) -> ProfileAnswer:
    """Return what profile_kernel answers, with so many metrics a launch at most."""
    passed = report.verdict is Verdict.PASS
    return ProfileAnswer(
        verdict=report.verdict,
        message=report.message,
        task=task.name,
        device=device,
        latency_us=report.latency_us,
        provenance=report.provenance,
        speedup=report.speedup,
        bottleneck=report.bottleneck,
        roofline_fraction=report.roofline_fraction,
        shapes=[
            ShapeLine(
                dims=shape.dims,
                latency_us=shape.latency_us,
                baseline_us=shape.baseline_us,
                provenance=shape.provenance,
                launches=[_launch(launch, metrics) for launch in shape.launches[:LIST_LIMIT]],
                timing=_timing(shape.timing),
            )
            for shape in report.shapes[:LIST_LIMIT]
        ],
        next_step=(
            "Change what the bottleneck names, then test_kernel and profile_kernel again; or start_search."
            if passed
            else "Repair the kernel, then test_kernel."
        ),
    )


def describe_failure(report: TestReport | None) -> FailedCase | None:
    """Return the first case that failed, if one did."""
    cases = () if report is None else report.cases
    failed = next((case for case in cases if case.verdict is not Verdict.PASS), None)
    return None if failed is None else _failed_case(failed)


def _after_test(verdict: Verdict) -> str:
    if verdict is Verdict.PASS:
        return "profile_kernel with the same kernel."
    if verdict is Verdict.UNSUPPORTED:
        return "Avoid what the message names, or judge on another device; the kernel may well be right."
    return "Repair the kernel, then test_kernel."


def _failed_case(case: CaseReport) -> FailedCase:
    fault = case.fault or Fault(case.verdict, "")
    return FailedCase(
        dims=case.dims,
        seed=case.seed,
        wrong=case.wrong,
        never_written=case.unwritten,
        total=case.total,
        first=[
            WrongElement(
                output=one.output, index=list(one.index), got=one.got, expected=one.expected, bound=one.bound
            )
            for one in case.first[:LIST_LIMIT]
        ],
        line=fault.line,
        block=None if fault.block is None else list(fault.block),
        thread=None if fault.thread is None else list(fault.thread),
        buffer=fault.buffer,
    )


def _timing(timing: Timing | None) -> MeasuredTiming | None:
    if timing is None:
        return None
    return MeasuredTiming(
        speedup=timing.speedup,
        low=timing.speedup_low,
        high=timing.speedup_high,
        pairs=timing.pairs,
        warm_us=timing.warm_us,
        empty_us=timing.empty_us,
        noise=timing.noise,
        notes=list(timing.notes[:LIST_LIMIT]),
    )


def _launch(launch: LaunchProfile, metrics: int) -> LaunchLine:
    return LaunchLine(
        kernel=launch.kernel,
        line=launch.line,
        latency_us=launch.latency_us,
        provenance=launch.provenance,
        bottleneck=launch.bottleneck,
        roofline_fraction=launch.roofline_fraction,
        sampled_blocks=launch.sampled_blocks,
        total_blocks=launch.total_blocks,
        metrics=[
            MetricLine(name=one.name, value=one.value, unit=one.unit, provenance=one.provenance)
            for one in launch.metrics[:metrics]
        ],
        hot_lines=[
            HotLine(line=one.line, what=one.what, value=one.value, share=one.share)
            for one in launch.hotspots[:HOT_LIMIT]
        ],
        note=launch.note,
    )
