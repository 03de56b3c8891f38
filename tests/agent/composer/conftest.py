"""Builds tasks from a few lines, and runs what the composer writes on the simulator against NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sandbox.budget import Budget
from sandbox.program import Program
from sandbox.simulator.execute import running
from tests import compiling
from tools.expressions import parse
from tools.kernel import file as kernel_file
from tools.kernel import planning
from tools.tasks.task import Task, TaskArgument


def make_task(reference: str, arguments: Sequence[str], dims: str, *, deterministic: bool = True) -> Task:
    """Make a task; each argument is written `in x float32 rows, cols`."""
    parsed: list[TaskArgument] = []
    for text in arguments:
        role, name, dtype, *shape = text.split(maxsplit=3)
        extents = tuple(part.strip() for part in shape[0].split(",")) if shape else ()
        data = "constant(0.5)" if role == "scalar" else None
        parsed.append(TaskArgument(name, role, dtype, extents, data))
    return Task(
        "untold",
        "A task.",
        tuple(dims.split()),
        tuple(parsed),
        (),
        (),
        "1",
        "1",
        deterministic,
        folder=Path(),
        sha="",
        reference=reference,
        baseline="",
    )


def build(task: Task, text: str, dims: Mapping[str, int], tune: Mapping[str, int] | None = None) -> Program:
    """Compile a kernel file for some sizes; fails the test where the compiler complains."""
    request = planning.compile_request(kernel_file.parse(text), task, dims, tune, "sm_90")
    result = compiling.compiled(request, assembled=False)
    assert result.program is not None, f"{result.log}\n{text}"
    assert "warning" not in result.log, f"{result.log}\n{text}"
    return result.program


def _dtype(name: str) -> np.dtype[Any]:
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def _sizes(argument: TaskArgument, dims: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(parse(extent).evaluate(dims) for extent in argument.shape)


@dataclass(frozen=True)
class Outcome:
    """What a run computed beside what NumPy computes, in float64."""

    got: dict[str, Any]
    expected: dict[str, Any]


def run(
    task: Task,
    text: str,
    dims: Mapping[str, int],
    reference: Callable[..., Any],
    tune: Mapping[str, int] | None = None,
    below: int | None = None,
) -> Outcome:
    """Run a kernel file on random inputs, whole numbers from 0 up to `below`; fails the test on any fault."""
    rng = np.random.default_rng(sum(dims.values()))
    inputs: dict[str, Any] = {}
    for argument in task.arguments:
        if argument.is_input:
            is_whole = argument.dtype.lstrip("u").startswith("int")
            drawn = rng.normal(size=_sizes(argument, dims))
            drawn = (
                rng.integers(0, below, _sizes(argument, dims))
                if is_whole and below
                else (drawn * 100).astype(np.int64)
                if is_whole
                else drawn > 0
                if argument.dtype == "bool"
                else drawn
            )
            inputs[argument.name] = np.asarray(drawn).astype(_dtype(argument.dtype))
    plan = planning.plan(kernel_file.parse(text), task, dims, tune)
    flat = {name: np.ascontiguousarray(array).reshape(-1) for name, array in inputs.items()}
    result = running.run(build(task, text, dims, tune), plan, flat, 7, budget=Budget(60))
    assert result.fault is None, f"{result.fault}\n{text}"
    for name, array in result.inputs.items():
        assert np.array_equal(array.view(np.uint8), flat[name].view(np.uint8)), f"{name} was modified"
    whole = ("int", "uint", "bool")
    given = {n: a if a.dtype.name.startswith(whole) else a.astype(np.float64) for n, a in inputs.items()}
    scalars = {argument.name: 0.5 for argument in task.arguments if argument.is_scalar}
    expected = {
        n: np.asarray(v, dtype=np.float64).reshape(-1)
        for n, v in reference(**given, **scalars, **dims).items()
    }
    return Outcome({name: array.astype(np.float64) for name, array in result.outputs.items()}, expected)


def check(
    task: Task,
    text: str,
    dims: Mapping[str, int],
    reference: Callable[..., Any],
    tune: Mapping[str, int] | None = None,
    below: int | None = None,
) -> None:
    """Run a kernel file and compare with NumPy."""
    outcome = run(task, text, dims, reference, tune, below)
    half = any(argument.dtype in ("float16", "bfloat16") for argument in task.arguments)
    for name, expected in outcome.expected.items():
        scale = max(1.0, math.sqrt(max(dims.values())))
        tolerance = (2e-2 if half else 2e-6) * scale
        np.testing.assert_allclose(outcome.got[name], expected, rtol=tolerance, atol=tolerance, err_msg=text)


class Bench:
    """The functions of this file, for tests."""

    task = staticmethod(make_task)
    build = staticmethod(build)
    check = staticmethod(check)
    run = staticmethod(run)


@pytest.fixture
def bench() -> Bench:
    return Bench()
