"""The parts that are not about kernels one by one: ceilings, instructions, results of baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.gpu import instruction_tests
from benchmarks.gpu.budget import ITEM_S, Clock, shares, within
from benchmarks.gpu.kernels import Entry
from benchmarks.gpu.results import Results, SameResults
from sandbox.budget import Budget
from sandbox.device import Array, Device
from sandbox.nsight.ceilings import measure
from sandbox.plan import Plan
from sandbox.program import Program
from tools.stages.compiling import Compiles, CompileStage
from tools.tasks.generators import inputs_for, scalars_for
from tools.toolbox import Toolbox


@dataclass(frozen=True)
class Machine:
    """Where things run: the devices, the toolboxes before them, and what compiles.

    Attributes:
        gpu_tools: Makes a toolbox before the GPU, one for each task: a toolbox remembers the answers to all
            benchmark inputs, and they are large.
    """

    gpu: Device
    simulator: Device
    gpu_tools: Callable[[], Toolbox]
    simulator_tools: Toolbox
    compiler: Compiles


async def measure_ceilings(machine: Machine, clock: Clock, results: Results) -> None:
    """Measure what the GPU reaches at most."""

    async def latency(program: Program, plan: Plan, samples: Mapping[str, Array]) -> float | None:
        return (await machine.gpu.profile(program, plan, samples, budget=Budget(20))).latency_us

    results.ceilings = await within(
        min(ITEM_S, clock.left),
        results.skipped,
        "ceilings",
        lambda: measure(latency, machine.gpu.architecture),
    )


async def run_instruction_tests(machine: Machine, clock: Clock, results: Results) -> None:
    """Compare the generated expressions."""
    programs: dict[str, Program | str] = {}
    requests = instruction_tests.requests(machine.gpu.architecture)
    for dtype, request in zip(instruction_tests.EXACT, requests, strict=True):
        compiled = await machine.compiler.compile(request, cpu_s=60)
        said = compiled.diagnostics[0].message if compiled.diagnostics else "not compiled"
        programs[dtype] = compiled.program or said
    found = await within(
        min(ITEM_S, clock.left), results.skipped, "instruction tests",
        lambda: instruction_tests.compare(machine.gpu, machine.simulator, programs, 20),
    )  # fmt: skip
    results.instructions = found or []


async def compare_results(machine: Machine, clock: Clock, results: Results, entries: Sequence[Entry]) -> None:
    """Run every task's baseline on both devices, on one input of its last test case."""
    baselines = [entry for entry in entries if entry.variant == "baseline"]
    for entry, limit_s in zip(baselines, shares(clock, [1.0] * len(baselines)), strict=True):
        found = await within(
            limit_s, results.skipped, f"results of {entry.group}", lambda entry=entry: _same(machine, entry)
        )
        results.same_results += [found] if found else []


async def _same(machine: Machine, entry: Entry) -> SameResults:
    case = entry.task.tests[-1]
    compiled = await CompileStage(machine.compiler, machine.gpu.architecture).compile(
        entry.task, entry.text, case.dims
    )
    if compiled.build is None:
        return SameResults(entry.group, problem=compiled.report.message)
    inputs = {name: array.reshape(-1) for name, array in inputs_for(entry.task, case, 7).items()}
    plan = compiled.build.plan(scalars_for(entry.task, case, 7))
    outputs: list[Mapping[str, Array]] = []
    for device in (machine.gpu, machine.simulator):
        ran = await device.run(compiled.build.program, plan, inputs, poison=1, budget=Budget(30))
        if ran.fault is not None:
            return SameResults(entry.group, problem=f"{device.name}: {ran.fault.message}")
        outputs.append(ran.outputs)
    first, second = outputs
    equal = sum(int(_equal(first[name], second[name]).sum()) for name in first)
    total = sum(array.size for array in first.values())
    worst = max((_apart(first[name], second[name]) for name in first), default=0.0)
    return SameResults(entry.group, equal, total, worst)


def _equal(first: Array, second: Array) -> Array:
    bits = np.dtype(f"uint{8 * first.itemsize}")
    return first.view(bits) == second.view(bits)


def _apart(first: Array, second: Array) -> float:
    with np.errstate(invalid="ignore"):
        apart = np.abs(first.astype(np.float64) - second.astype(np.float64))
    return float(np.nanmax(apart, initial=0.0))
