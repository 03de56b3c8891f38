"""The whole judge in this process: compiler, references and simulator without workers, for many small kernels."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.budget import Budget
from sandbox.device import Inspection, ProfileResult, RunResult
from sandbox.errors import UsageError
from sandbox.plan import Plan
from sandbox.program import CompileRequest, CompileResult, Program
from sandbox.reference.role import ReferenceRole
from sandbox.simulator import profiling
from sandbox.simulator.execute import running
from sandbox.verdict import Provenance
from sandbox.worker.messages import CompareCall, Expected, ReferenceCall, ReferenceFault
from tests import compiling
from tools.local_toolbox import LocalToolbox
from tools.parts import Limits, ToolboxParts
from tools.stages.compiling import CompileStage
from tools.tasks import generators
from tools.tasks.task import Task

Array = np.ndarray[Any, Any]


class Compiles:
    """Compiles each request once, without machine code where nothing is timed or counted."""

    def __init__(self, *, assembled: bool = False) -> None:
        self._assembled = assembled

    async def compile(self, request: CompileRequest, *, cpu_s: float) -> CompileResult:
        return compiling.compiled(request, assembled=self._assembled)

    async def aclose(self) -> None: ...


class Answers:
    """Runs references."""

    async def expected(
        self,
        text: str,
        inputs: Mapping[str, Array],
        dims: Mapping[str, int],
        dtypes: Mapping[str, str],
        *,
        accumulate: str | None = None,
        seed: int = 0,
    ) -> Expected:
        return _answer(ReferenceCall(text, dict(inputs), dict(dims), dtypes, 4, seed, accumulate))

    async def in_float32(
        self, text: str, inputs: Mapping[str, Array], dims: Mapping[str, int], dtypes: Mapping[str, str]
    ) -> Expected:
        return _answer(ReferenceCall(text, dict(inputs), dict(dims), dtypes, 0, 0, single=True))

    async def compare(
        self, text: str, inputs: Mapping[str, Array], outputs: Mapping[str, Array], expected: Expected
    ) -> str | None:
        answer: Any = ReferenceRole().answer(CompareCall(text, dict(inputs), dict(outputs), expected.outputs))
        return answer.reason

    async def aclose(self) -> None: ...


def _answer(call: ReferenceCall) -> Expected:
    answer = ReferenceRole().answer(call)
    if isinstance(answer, ReferenceFault):
        raise UsageError(answer.message)
    assert isinstance(answer, Expected), answer
    return answer


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

    async def run_all(
        self,
        program: Program,
        plan: Plan,
        inputs: Sequence[Mapping[str, Array]],
        *,
        poison: int,
        budget: Budget,
    ) -> Sequence[RunResult]:
        results = running.run_all(program, plan, inputs, poison, budget=budget)
        self.notes.update(note for result in results for note in result.notes)
        return results

    async def profile(
        self, program: Program, plan: Plan, samples: Mapping[str, Array], *, budget: Budget
    ) -> ProfileResult:
        return profiling.profile(program, plan, samples, "h200", budget=budget)

    async def inspect(
        self, program: Program, plan: Plan, inputs: Mapping[str, Array], *, deadline_s: float
    ) -> Inspection:
        return Inspection(None, "nothing to add", ("simulator",))

    async def warm(self) -> None: ...

    async def aclose(self) -> None: ...


def frozen_once() -> Path:
    """The folder in which all processes of a run of tests freeze a task of the catalogue or of a folder once."""
    return Path(os.environ[compiling.SHARED])


def toolbox(
    folder: Path,
    device: Simulator | None = None,
    compiler: Compiles | None = None,
    run_s: float = 60.0,
    **limits: float,
) -> LocalToolbox:
    """A toolbox whose judge is the real one; `folder` keeps what it freezes, and `limits` are others of `Limits`."""
    parts = ToolboxParts(compiler or Compiles(assembled=True), Answers(), device or Simulator(), "none", 1)
    return LocalToolbox("sim:h200", cache=folder, limits=Limits(run_s=run_s, **limits), parts=parts)


async def in_lock_step(task: Task, kernel: str, compiler: Compiles, seed: int) -> dict[str, Array]:
    """What a kernel gives for the last test case where all threads keep step and no hazard is looked for."""
    case = task.tests[-1]
    build = (await CompileStage(compiler, Simulator.architecture).compile(task, kernel, case.dims)).build
    assert build is not None
    inputs = {name: array.reshape(-1) for name, array in generators.inputs_for(task, case, seed).items()}
    result = running.run(build.program, build.plan({}), inputs, 2, hazards=False)
    assert result.fault is None, result.fault
    return dict(result.outputs)
