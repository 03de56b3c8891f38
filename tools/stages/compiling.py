"""The parse and compile stages: from a kernel file's text to a program whose launches fit it."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from sandbox.plan import LaunchMode, Plan
from sandbox.program import CompileRequest, CompileResult, Diagnostic, KernelResources, Program
from sandbox.verdict import Verdict
from tools.awaiting import together
from tools.judge.explanation import shorten
from tools.kernel import file as kernel_file
from tools.kernel import planning, signatures
from tools.kernel.file import KernelFile, KernelFileError
from tools.kernel.names import host_only
from tools.kernel.screening import screen
from tools.kernel.sections import place_of
from tools.reports import CompileReport
from tools.tasks.task import Task

SHOWN_ERRORS = 5
"""How many of the compiler's errors a message holds."""


class Compiles(Protocol):
    """The part of `sandbox.compiler.service.Compiler` that is needed here."""

    async def compile(self, request: CompileRequest, *, cpu_s: float) -> CompileResult:
        """Compile one translation unit."""
        ...


@dataclass(frozen=True)
class Build:
    """A kernel file compiled for one size and one setting of its tunables."""

    task: Task
    kernel_file: KernelFile
    dims: Mapping[str, int]
    tune: Mapping[str, int]
    program: Program
    parameters: planning.Parameters

    def plan(self, scalars: Mapping[str, int | float]) -> Plan:
        """Return the plan for these values of the task's scalars."""
        return planning.plan(self.kernel_file, self.task, self.dims, self.tune, scalars, self.parameters)


@dataclass(frozen=True)
class Compiled:
    """Outcome of the compile stage; `build` is None where it failed, and then the report says why."""

    report: CompileReport
    build: Build | None = None


@dataclass(frozen=True)
class CompiledCases:
    """A kernel compiled for every test case; `builds` is complete only where the report passes."""

    report: CompileReport
    builds: tuple[Build, ...]


@dataclass(frozen=True)
class CompileStage:
    """Compiles kernel files for one architecture.

    Attributes:
        cpu_s: Seconds of processor time for one translation unit.
        runs_ptx: Whether the device runs PTX, as a simulator does, and needs machine code only to know registers.
    """

    compiler: Compiles
    architecture: str
    cpu_s: float = 30.0
    runs_ptx: bool = False

    async def compile(
        self,
        task: Task,
        kernel: str,
        dims: Mapping[str, int],
        tune: Mapping[str, int] | None = None,
        *,
        assembled: bool = True,
    ) -> Compiled:
        """Parse a kernel file, compile it for one size, and check its launches against the compiled code.

        Args:
            task: What the kernel is for.
            kernel: The kernel file's text.
            dims: A size for every dim of the task.
            tune: Values that replace the tunables' defaults.
            assembled: Whether registers must be known, as they must where the kernel is timed. False where it is only
                run: a device that runs PTX gets no machine code then, and the report says nothing suspicious.
        """
        try:
            parsed = kernel_file.parse(kernel)
            tuned = parsed.defaults | dict(tune or {})
            return await self._compile(task, parsed, dims, tuned, assembled=assembled)
        except KernelFileError as error:
            return Compiled(
                CompileReport(Verdict.REJECTED, shorten(str(error)), architecture=self.architecture)
            )

    async def compile_tests(
        self, task: Task, kernel: str, tune: Mapping[str, int] | None = None, *, timed: bool = False
    ) -> CompiledCases:
        """Compile a kernel file for every test case of a task; the report is the first failure's, if any.

        Else it says what the assembler has to say of the kernel, registers among it: at the first benchmark shape
        where the kernel is `timed`, whose machine code is needed anyway, and at the first test case where it is not.
        """
        shapes = [case.dims for case in task.benches[:1]] if timed else []
        compiled = await together(
            self.compile(task, kernel, dims, tune, assembled=position == 0)
            for position, dims in enumerate([*shapes, *(case.dims for case in task.judged_cases)])
        )
        tests = compiled[len(shapes) :]
        failed = next((one for one in tests if one.build is None), None)
        builds = tuple(one.build for one in tests if one.build is not None)
        said = failed or next(one for one in compiled if one.build is not None)
        return CompiledCases(said.report, builds)

    async def _compile(
        self,
        task: Task,
        parsed: KernelFile,
        dims: Mapping[str, int],
        tune: Mapping[str, int],
        *,
        assembled: bool,
    ) -> Compiled:
        request = planning.compile_request(parsed, task, dims, tune, self.architecture)
        plan = planning.plan(parsed, task, dims, tune, any_scalars(task))
        if self.runs_ptx and not assembled and not _must_reside(plan):
            request = replace(request, assembled=False)
        result = await self.compiler.compile(request, cpu_s=self.cpu_s)
        if result.program is None:
            return Compiled(_failure(parsed, result, self.architecture))
        # PTX may be megabytes long.
        return await asyncio.to_thread(self._built, task, parsed, dims, tune, result, assembled)

    def _built(
        self,
        task: Task,
        parsed: KernelFile,
        dims: Mapping[str, int],
        tune: Mapping[str, int],
        result: CompileResult,
        assembled: bool,
    ) -> Compiled:
        program = result.program
        assert program is not None, "looked at before"
        parameters = signatures.parameters(parsed, program)
        plan = planning.plan(parsed, task, dims, tune, any_scalars(task), parameters)
        signatures.check(parsed, plan, parameters)
        report = CompileReport(
            Verdict.PASS,
            _summary(program),
            (*result.diagnostics, *_remarks(parsed)),
            program.resources,
            self.architecture,
            result.cached,
            ptx_key(program.ptx),
            screen(program.ptx) if assembled else (),
        )
        return Compiled(report, Build(task, parsed, dict(dims), dict(tune), program, parameters))


_DEBUG_SECTION = re.compile(
    r"^\s*\.section\s+\.(?:debug|nv_debug)\w*\s*\{.*?^\s*\}", re.MULTILINE | re.DOTALL
)
_DEBUG_LINE = re.compile(r"^\s*\.(?:loc|file)\b.*$", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def ptx_key(ptx: str) -> str:
    """Return the sha256, in hexadecimal, of PTX without what only debuggers read.

    `.loc` and `.file` lines, debug sections, comments and blank lines are left out, so that two files that
    differ only in comments and layout have one key.
    """
    bare = _DEBUG_LINE.sub("", _DEBUG_SECTION.sub("", _COMMENT.sub("", ptx)))
    lines = (line.strip() for line in bare.splitlines())
    return hashlib.sha256("\n".join(line for line in lines if line).encode()).hexdigest()


def _must_reside(plan: Plan) -> bool:
    """Whether a launch succeeds or not by how many registers its kernel takes."""
    return any(launch.mode is LaunchMode.COOPERATIVE for launch in plan.launches)


def any_scalars(task: Task) -> dict[str, int | float]:
    """Return a value for every scalar: which one does not matter for the shape of a plan."""
    return {argument.name: 0 for argument in task.arguments if argument.is_scalar}


def _summary(program: Program) -> str:
    kernels = "; ".join(_resources(kernel) for kernel in program.resources[:SHOWN_ERRORS])
    return shorten(f"Compiled for {program.architecture}{f': {kernels}' if kernels else ''}.")


def _resources(kernel: KernelResources) -> str:
    text = f"{kernel.name} uses {kernel.registers} registers and {kernel.shared_bytes} bytes of shared memory"
    if kernel.spill_store_bytes or kernel.spill_load_bytes:
        text += f", spills {kernel.spill_store_bytes} bytes"
    return text


_LIMITS = {
    None: Verdict.COMPILE_ERROR,
    "deadline": Verdict.TIMEOUT,
    "memory": Verdict.RESOURCE_LIMIT,
    "lost": Verdict.UNDECIDED,
}


def _remarks(parsed: KernelFile) -> tuple[Diagnostic, ...]:
    headers = (
        Diagnostic("remark", f"<{header}> is for host code; here it is empty, and may be left out")
        for header in parsed.includes
        if host_only(header)
    )
    host = (
        Diagnostic("remark", f"`{part.name}` is host code, and was left out", part.line)
        for part in parsed.left_out
    )
    own = (
        Diagnostic(
            "remark", f"lines from {one.line + 1} on are those of {one.name}, from its first", one.line
        )
        for one in parsed.sections
    )
    return (*headers, *host, *own)


def _failure(parsed: KernelFile, result: CompileResult, architecture: str) -> CompileReport:
    if result.unsupported:
        return _unsupported(parsed, result, architecture)
    verdict = _LIMITS[result.limit]
    errors = [diagnostic for diagnostic in result.diagnostics if diagnostic.severity == "error"]
    lines = parsed.source.split("\n")
    shown = [_located(diagnostic, parsed, lines) for diagnostic in errors[:SHOWN_ERRORS]]
    if len(errors) > SHOWN_ERRORS:
        shown.append(f"and {len(errors) - SHOWN_ERRORS} more errors")
    message = shorten("\n".join(shown) or result.log.strip() or "The compiler failed and gave no reason.")
    return CompileReport(
        verdict, message, result.diagnostics, architecture=architecture, cached=result.cached
    )


def _unsupported(parsed: KernelFile, result: CompileResult, architecture: str) -> CompileReport:
    name = result.unsupported
    lines = enumerate(parsed.source.split("\n"), start=1)
    line = next((number for number, text in lines if name in text), None)
    place = f", line {line}" if line else ""
    message = f"{name}{place}: {architecture}, which this device is compiled for, does not have it"
    return CompileReport(
        Verdict.UNSUPPORTED, message, result.diagnostics, architecture=architecture, cached=result.cached
    )


def _located(diagnostic: Diagnostic, parsed: KernelFile, lines: list[str]) -> str:
    text = shorten(diagnostic.message, 400)
    if diagnostic.line is None:
        return text
    place = place_of(parsed.sections, diagnostic.line)
    located = f"{place.file or parsed.file}:{place.line}: {text}"
    if 1 <= diagnostic.line <= len(lines) and (source := lines[diagnostic.line - 1].strip()):
        located += f"\n    {shorten(source, 160)}"
    return located
