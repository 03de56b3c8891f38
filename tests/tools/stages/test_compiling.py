"""The parse and compile stages, with the real compiler."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from sandbox.program import CompileRequest, CompileResult, Diagnostic
from sandbox.verdict import Verdict
from tests import compiling
from tools.stages.compiling import Compiled, CompileStage, ptx_key
from tools.tasks.task import Task


@pytest.fixture
def stage() -> CompileStage:
    return CompileStage(compiling.InProcess(), "sm_90")


async def compiled(
    stage: CompileStage, task: Task, kernel: str, tune: dict[str, int] | None = None
) -> Compiled:
    return await stage.compile(task, kernel, {"n": 33}, tune)


async def test_a_right_kernel_file_becomes_a_program_and_a_plan(stage: CompileStage, doubling: Task) -> None:
    outcome = await compiled(stage, doubling, doubling.baseline)
    assert outcome.report.verdict is Verdict.PASS
    assert outcome.report.resources[0].name == "twice"
    assert "twice uses" in outcome.report.message
    assert outcome.build is not None
    assert outcome.build.plan({}).launches[0].block == (128, 1, 1)
    assert outcome.build.tune == {"BLOCK": 128}


async def test_tunables_replace_the_defaults(stage: CompileStage, doubling: Task) -> None:
    outcome = await compiled(stage, doubling, doubling.baseline, {"BLOCK": 64})
    assert outcome.build is not None
    assert outcome.build.plan({}).launches[0].block == (64, 1, 1)


@pytest.mark.parametrize("tune", [{"BLOCK": 96}, {"WARPS": 4}])
async def test_a_setting_that_the_file_does_not_list_is_rejected(
    stage: CompileStage, doubling: Task, tune: dict[str, int]
) -> None:
    assert (await compiled(stage, doubling, doubling.baseline, tune)).report.verdict is Verdict.REJECTED


async def test_an_error_in_an_included_file_names_that_file_and_lines_of_the_code_are_those_of_the_text(
    stage: CompileStage, doubling: Task
) -> None:
    part = "//@ file part.cuh\n#pragma once\n__device__ float two(float v) {\n    return BLOCK * v / 64;\n}\n"
    kernel = '#include "part.cuh"\n' + doubling.baseline.replace("2.0f * x[i]", "two(x[i])") + part
    assert "two(x[i])" in kernel
    right = await compiled(stage, doubling, kernel)
    assert right.report.verdict is Verdict.PASS, right.report.message
    assert right.build is not None
    mark = kernel.split("\n").index("//@ file part.cuh") + 1
    assert f"lines from {mark + 1} on are those of part.cuh" in right.report.diagnostics[-1].message
    located = {int(line.split()[2]) for line in right.build.program.ptx.splitlines() if ".loc" in line}
    calls = next(number for number, line in enumerate(kernel.split("\n"), 1) if "two(x[i])" in line)
    assert {calls, mark + 3} <= located
    wrong = await compiled(stage, doubling, kernel.replace("/ 64", "/ missing"))
    assert wrong.report.message.startswith('part.cuh:3: identifier "missing" is undefined')
    assert "return BLOCK * v / missing;" in wrong.report.message


async def test_a_broken_directive_is_rejected_with_file_and_line(stage: CompileStage, doubling: Task) -> None:
    outcome = await compiled(stage, doubling, doubling.baseline.replace("<<<", "<<", 1))
    assert outcome.report.verdict is Verdict.REJECTED
    assert outcome.report.message.startswith("kernel.cu:2: ")
    assert outcome.build is None


async def test_a_compile_error_names_its_line_and_quotes_the_source(
    stage: CompileStage, doubling: Task
) -> None:
    outcome = await compiled(stage, doubling, doubling.baseline.replace("2.0f * x[i]", "2.0f * z[i]"))
    assert outcome.report.verdict is Verdict.COMPILE_ERROR
    assert outcome.report.message.startswith('kernel.cu:5: identifier "z" is undefined')
    assert "if (i < n) y[i] = 2.0f * z[i];" in outcome.report.message
    assert outcome.report.diagnostics[0].line == 5


async def test_launch_arguments_must_fit_the_compiled_code(stage: CompileStage, doubling: Task) -> None:
    outcome = await compiled(stage, doubling, doubling.baseline.replace("(x, y, n)", "(x, y)"))
    assert outcome.report.verdict is Verdict.REJECTED
    assert outcome.report.message.startswith("kernel.cu:2: ")


async def test_comments_and_layout_do_not_change_the_ptx_key(stage: CompileStage, doubling: Task) -> None:
    layout = doubling.baseline.replace("if (i < n)", "// a comment\n\n    if (i < n)\n       ")
    other = doubling.baseline.replace("2.0f", "3.0f")
    keys = [
        (await compiled(stage, doubling, text)).report.ptx_key for text in (doubling.baseline, layout, other)
    ]
    assert keys[0] == keys[1] != keys[2]


def test_only_debug_lines_are_left_out_of_the_ptx_key() -> None:
    code = "add.s32 %r1, %r2, %r3;\nret;\n"
    lines = ['.file 1 "kernel.cu"', "// note", "add.s32 %r1, %r2, %r3;", "\t.loc 1 5 3", "ret;"]
    debug = "\n".join([*lines, ".section .debug_str", "{", ".b8 0", "}", ""])
    assert ptx_key(code) == ptx_key(debug)
    assert ptx_key(code) != ptx_key(code.replace("%r3", "%r4"))


class Stopped:
    """A compiler that reaches a limit."""

    def __init__(self, limit: str) -> None:
        self._limit = limit

    async def compile(self, request: CompileRequest, *, cpu_s: float) -> CompileResult:
        return CompileResult(None, (Diagnostic("error", "stopped"),), limit=self._limit)


@pytest.mark.parametrize(
    ("limit", "verdict"), [("deadline", Verdict.TIMEOUT), ("memory", Verdict.RESOURCE_LIMIT)]
)
async def test_a_compiler_that_was_stopped_is_no_compile_error(
    doubling: Task, limit: str, verdict: Verdict
) -> None:
    outcome = await compiled(CompileStage(Stopped(limit), "sm_90"), doubling, doubling.baseline)
    assert (outcome.report.verdict, outcome.report.message) == (verdict, "stopped")


class Flooding:
    """A compiler with very much to say."""

    async def compile(self, request: CompileRequest, *, cpu_s: float) -> CompileResult:
        return CompileResult(None, tuple(Diagnostic("error", "x" * 5000, line) for line in range(1, 50)))


async def test_messages_stay_short_whatever_the_compiler_says(doubling: Task) -> None:
    outcome = await compiled(CompileStage(Flooding(), "sm_90"), doubling, doubling.baseline)
    assert len(outcome.report.message) <= 1500


@dataclass(frozen=True)
class Recorded:
    """The compiler in this process, and what it was asked for."""

    asked: list[CompileRequest] = field(default_factory=list)

    async def compile(self, request: CompileRequest, *, cpu_s: float) -> CompileResult:
        self.asked.append(request)
        return compiling.compiled(request)


async def test_what_a_simulator_only_runs_is_not_assembled_but_for_the_first_case(doubling: Task) -> None:
    compiler = Recorded()
    cases = await CompileStage(compiler, "sm_90", runs_ptx=True).compile_tests(doubling, doubling.baseline)
    assert [request.assembled for request in compiler.asked] == [True, False]
    assert [bool(build.program.cubin) for build in cases.builds] == [True, False]
    assert cases.report.resources


async def test_a_gpu_gets_machine_code_of_every_case(doubling: Task) -> None:
    compiler = Recorded()
    await CompileStage(compiler, "sm_90").compile_tests(doubling, doubling.baseline)
    assert all(request.assembled for request in compiler.asked)


async def test_whether_a_cooperative_grid_fits_is_asked_of_machine_code(doubling: Task) -> None:
    compiler = Recorded()
    kernel = doubling.baseline.replace("//@ launch", "//@ launch cooperative", 1)
    await CompileStage(compiler, "sm_90", runs_ptx=True).compile_tests(doubling, kernel)
    assert all(request.assembled for request in compiler.asked)
