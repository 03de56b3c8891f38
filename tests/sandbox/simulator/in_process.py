"""The whole judge in this process: compiler, references and simulator without workers, for many small kernels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.budget import Budget
from sandbox.compiler.role import CompileRole
from sandbox.compiler.toolkit import find_toolkit
from sandbox.device import ProfileResult, RunResult
from sandbox.plan import Plan
from sandbox.program import CompileRequest, CompileResult, Program
from sandbox.reference.role import ReferenceRole
from sandbox.simulator import profiling
from sandbox.simulator.execute import running
from sandbox.verdict import Provenance
from sandbox.worker.messages import CompareCall, CompileCall, Expected, ReferenceCall
from tools.local_toolbox import LocalToolbox
from tools.parts import Limits, ToolboxParts
from tools.stages.compiling import CompileStage
from tools.tasks import generators
from tools.tasks.task import Task

Array = np.ndarray[Any, Any]


@cache
def _compiler() -> CompileRole:
    toolkit = find_toolkit()
    return CompileRole({"nvrtc": [str(toolkit.library)], "include": [str(path) for path in toolkit.include]})


class Compiles:
    """Compiles each request once."""

    def __init__(self) -> None:
        self._kept: dict[CompileRequest, CompileResult] = {}

    async def compile(self, request: CompileRequest, *, cpu_s: float) -> CompileResult:
        if request not in self._kept:
            result = _compiler().answer(CompileCall(request))
            if result.program is not None:
                key = hashlib.sha256(result.program.ptx.encode()).hexdigest()
                result = replace(result, program=replace(result.program, key=key))
            self._kept[request] = result
        return self._kept[request]

    async def aclose(self) -> None:
        self._kept.clear()


class Answers:
    """Runs references."""

    async def expected(
        self,
        text: str,
        inputs: Mapping[str, Array],
        dims: Mapping[str, int],
        dtypes: Mapping[str, str],
        *,
        seed: int = 0,
    ) -> Expected:
        answer = ReferenceRole().answer(ReferenceCall(text, dict(inputs), dict(dims), 4, seed))
        assert isinstance(answer, Expected), answer
        return answer

    async def compare(
        self, text: str, inputs: Mapping[str, Array], outputs: Mapping[str, Array], expected: Expected
    ) -> str | None:
        answer: Any = ReferenceRole().answer(CompareCall(text, dict(inputs), dict(outputs), expected.outputs))
        return answer.reason

    async def aclose(self) -> None: ...


class Simulator:
    """Runs plans here, and keeps what they were noted for."""

    name = "sim:h200"
    architecture = "sm_90"
    provenance = Provenance.ESTIMATED
    measures = False

    def __init__(self) -> None:
        self.notes: set[str] = set()

    async def run(
        self, program: Program, plan: Plan, inputs: Mapping[str, Array], *, poison: int, budget: Budget
    ) -> RunResult:
        result = running.run(program, plan, inputs, poison, budget=budget)
        self.notes.update(result.notes)
        return result

    async def profile(
        self, program: Program, plan: Plan, samples: Mapping[str, Array], *, budget: Budget
    ) -> ProfileResult:
        return profiling.profile(program, plan, samples, "h200", budget=budget)

    async def warm(self) -> None: ...

    async def aclose(self) -> None: ...


def toolbox(folder: Path, device: Simulator, compiler: Compiles, run_s: float = 5.0) -> LocalToolbox:
    """A toolbox whose judge is the real one; `folder` keeps what it freezes."""
    parts = ToolboxParts(compiler, Answers(), device, "none", 1)
    return LocalToolbox("sim:h200", cache=folder, limits=Limits(run_s=run_s), parts=parts)


async def in_lock_step(task: Task, kernel: str, compiler: Compiles, seed: int) -> dict[str, Array]:
    """What a kernel gives for the last test case where all threads keep step and no hazard is looked for."""
    case = task.tests[-1]
    build = (await CompileStage(compiler, Simulator.architecture).compile(task, kernel, case.dims)).build
    assert build is not None
    inputs = {name: array.reshape(-1) for name, array in generators.inputs_for(task, case, seed).items()}
    result = running.run(build.program, build.plan({}), inputs, 2, hazards=False)
    assert result.fault is None, result.fault
    return dict(result.outputs)
