"""Builds tasks from a few lines, and runs what the composer writes on the simulator against NumPy."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sandbox.budget import Budget
from sandbox.compiler import headers
from sandbox.compiler.nvrtc import Nvrtc, Unit
from sandbox.compiler.role import OPTIONS
from sandbox.compiler.toolkit import find_toolkit
from sandbox.plan import Role
from sandbox.program import Program
from sandbox.simulator.execute import running
from tools.expressions import parse
from tools.kernel import file as kernel_file
from tools.kernel import planning
from tools.tasks.task import Target, Task, TaskArgument


def make_task(reference: str, arguments: Sequence[str], dims: str, *, deterministic: bool = True) -> Task:
    """Make a task; each argument is written `in x float32 rows, cols`."""
    parsed: list[TaskArgument] = []
    for text in arguments:
        role, name, dtype, *shape = text.split(maxsplit=3)
        extents = tuple(part.strip() for part in shape[0].split(",")) if shape else ()
        data = "constant(0.5)" if role == "scalar" else None
        parsed.append(TaskArgument(name, None if role == "scalar" else Role(role), dtype, extents, data))
    target = Target()
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
        target,
        Path(),
        "",
        reference,
        "",
    )


@cache
def _nvrtc() -> Nvrtc:
    return Nvrtc(find_toolkit().library)


@cache
def _compiled(source: str, defines: tuple[tuple[str, str], ...], kernels: tuple[str, ...]) -> Program:
    options = [*OPTIONS, "--gpu-architecture=sm_90", *(f"-I{folder}" for folder in find_toolkit().include)]
    options += [f"-D{name}={value}" for name, value in defines]
    outcome = _nvrtc().compile(Unit(source.encode(), "kernel.cu", options, headers.in_memory(), kernels))
    assert outcome.error is None, f"{outcome.log}\n{source}"
    assert "warning" not in outcome.log, f"{outcome.log}\n{source}"
    key = hashlib.sha256(repr((source, defines, kernels)).encode()).hexdigest()
    return Program(key, "sm_90", outcome.ptx.decode(), outcome.cubin, dict(outcome.lowered), ())


def build(task: Task, text: str, dims: Mapping[str, int], tune: Mapping[str, int] | None = None) -> Program:
    """Compile a kernel file for some sizes; fails the test where the compiler complains."""
    request = planning.compile_request(kernel_file.parse(text), task, dims, tune, "sm_90")
    return _compiled(request.source, request.defines, request.kernels)


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
) -> Outcome:
    """Run a kernel file on random inputs; fails the test on any fault."""
    rng = np.random.default_rng(sum(dims.values()))
    inputs: dict[str, Any] = {}
    for argument in task.arguments:
        if argument.role in (Role.IN, Role.INOUT):
            drawn = rng.normal(size=_sizes(argument, dims))
            drawn = (
                drawn * 100
                if argument.dtype.startswith("int")
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
    whole = ("int", "bool")
    given = {n: a if a.dtype.name.startswith(whole) else a.astype(np.float64) for n, a in inputs.items()}
    scalars = {argument.name: 0.5 for argument in task.arguments if argument.role is None}
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
) -> None:
    """Run a kernel file and compare with NumPy."""
    outcome = run(task, text, dims, reference, tune)
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
