"""A metamorphic check: inputs times a power of two give outputs times a power of two, bit for bit.

Floating point arithmetic commutes with powers of two as long as nothing over- or underflows (Higham, Accuracy
and Stability of Numerical Algorithms, 2nd ed., section 2.1), so a kernel of a homogeneous operation either shows
the relation exactly, or holds a threshold, a constant or a narrow intermediate that the operation does not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sandbox.budget import Budget
from sandbox.device import Array, Device, RunResult
from tools.judge.error_bound import FORMATS
from tools.judge.questions import Oracle, Question
from tools.judge.stress import base_case, free_inputs
from tools.judge.testing import Subject
from tools.tasks.task import Case, Task

FACTORS = {"float16": 4.0, "bfloat16": 256.0, "float32": 256.0, "float64": 256.0}
"""What inputs are multiplied by; within the range of halves that come from `normal(0, 1)`."""

_DEGREES = (1, 2, 0)


@dataclass(frozen=True)
class Scaling:
    """Runs one kernel on an input and on its multiple.

    Attributes:
        subject: The kernel, compiled for a case.
        seconds: Of processor time for one run; of wall time on a GPU.
    """

    task: Task
    device: Device
    oracle: Oracle
    subject: Subject
    seconds: float

    async def degrees(self, seed: int) -> dict[str, int]:
        """Return how each floating output scales: `factor**degree`; empty where one of them does not."""
        runs = await self._runs(seed)
        if runs is None:
            return {}
        found: dict[str, int] = {}
        for name, before, after, factor in runs:
            least = self._least(name)
            degree = next((d for d in _DEGREES if not _broken(before, after, factor**d, least).any()), None)
            if degree is None:
                return {}
            found[name] = degree
        return found

    async def objection(self, degrees: Mapping[str, int], seed: int) -> str | None:
        """Return what is wrong with a kernel of an operation that scales so; None where nothing is."""
        runs = await self._runs(seed)
        if runs is None:
            return "The kernel ran on an input, and failed on its multiple by a power of two."
        for name, before, after, factor in runs:
            power = factor ** degrees[name]
            broken = _broken(before, after, power, self._least(name))
            if broken.any():
                place = int(np.argmax(broken))
                return (
                    f"Inputs times {factor:g} must give {name} times {power:g}, to the last bit: {name}[{place}] "
                    f"(flat index) went from {before[place]:.9g} to {after[place]:.9g}. Look for a threshold, a "
                    "constant or a narrow intermediate that the operation does not have."
                )
        return None

    def _least(self, name: str) -> float:
        """The smallest value of an output that has full precision."""
        dtypes = {argument.name: argument.dtype for argument in self.task.arguments}
        return FORMATS[dtypes[name]].smallest_normal

    async def _runs(self, seed: int) -> list[tuple[str, Array, Array, float]] | None:
        """Every floating output before and after, in float64, and the factor; None after a fault."""
        question = await self.oracle.question(self.subject.case, seed)
        free = free_inputs(self.task)
        dtypes = {argument.name: argument.dtype for argument in self.task.arguments}
        factor = min((FACTORS[dtypes[name]] for name in free), default=1.0)
        first = await self._run(question, {}, seed)
        second = await self._run(question, dict.fromkeys(free, factor), seed)
        if first.fault is not None or second.fault is not None:
            return None
        names = [answer.name for answer in question.expected if answer.dtype in FORMATS]
        return [(name, _wide(first.outputs[name]), _wide(second.outputs[name]), factor) for name in names]

    async def _run(self, question: Question, factors: Mapping[str, float], seed: int) -> RunResult:
        inputs = {
            name: np.ascontiguousarray(_times(array, factors.get(name, 1.0))).reshape(-1)
            for name, array in question.inputs.items()
        }
        plan = self.subject.plan(question.scalars)
        return await self.device.run(
            self.subject.program, plan, inputs, poison=seed, budget=Budget(self.seconds)
        )


def scaling_subject(task: Task, subjects: Sequence[Subject]) -> Subject | None:
    """Return what the check is made with: a task of some size whose answers are unique and repeatable, else None."""
    if not task.deterministic or not free_inputs(task):
        return None
    chosen = base_case(task)
    return next((replace(s, case=Case(chosen.dims)) for s in subjects if s.case.dims == chosen.dims), None)


def _times(array: Array, factor: float) -> Array:
    return array if factor == 1.0 else (array.astype(np.float64) * factor).astype(array.dtype)


def _wide(array: Array) -> Array:
    with np.errstate(invalid="ignore"):
        return array.astype(np.float64).reshape(-1)


def _broken(before: Array, after: Array, power: float, least: float) -> Array:
    """Where the relation fails; infinities, and what lacks full precision, are left out."""
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = before * power
        full = np.isfinite(before) & np.isfinite(after) & (np.abs(before) >= least)
        return full & (scaled != after)
