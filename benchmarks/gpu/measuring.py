"""The parts of the measurement, each with a share of the time; what does not fit is named, not waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from benchmarks.gpu import instruction_tests
from benchmarks.gpu.kernels import Entry
from benchmarks.gpu.results import Count, Kernel, Results, SameResults
from sandbox.device import Array, Device, LaunchProfile
from sandbox.errors import UsageError, WorkerError
from sandbox.nsight.ceilings import measure
from sandbox.plan import Plan
from sandbox.program import Program
from sandbox.verdict import Provenance, Verdict
from tools.compiling import Compiles, CompileStage
from tools.generators import inputs_for, scalars_for
from tools.reports import ProfileReport
from tools.toolbox import Toolbox

T = TypeVar("T")

ITEM_S = 60.0
"""The most that one kernel may take of the time."""


@dataclass(frozen=True)
class Machine:
    """Where things run: both toolboxes, the devices behind them, and what compiles."""

    gpu: Device
    simulator: Device
    gpu_tools: Toolbox
    simulator_tools: Toolbox
    compiler: Compiles


class Clock:
    """Gives out time: a part ends when its share, and what earlier parts left over, is used up."""

    def __init__(self, seconds: float) -> None:
        """Start."""
        self._start = time.monotonic()
        self._seconds = seconds
        self._until = 0.0

    @property
    def passed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def part(self, share: float) -> None:
        """Begin a part with this share of the whole."""
        self._until += share * self._seconds

    @property
    def left(self) -> float:
        """Seconds left for the part."""
        return self._until - self.passed


async def _item(clock: Clock, results: Results, what: str, work: Callable[[], Awaitable[T]]) -> T | None:
    """Do one thing within the time; None where there was none, or where it failed, which is noted."""
    limit = min(ITEM_S, clock.left)
    if limit <= 1:
        results.skipped.append(f"{what}: out of time")
        return None
    try:
        async with asyncio.timeout(limit):
            return await work()
    except TimeoutError:
        results.skipped.append(f"{what}: not done within {limit:.0f} s")
    except (WorkerError, UsageError) as error:
        results.skipped.append(f"{what}: {str(error)[:300]}")
    return None


async def measure_ceilings(machine: Machine, clock: Clock, results: Results) -> None:
    """Measure what the GPU reaches at most."""

    async def latency(program: Program, plan: Plan, samples: Mapping[str, Array]) -> float | None:
        return (await machine.gpu.profile(program, plan, samples, deadline_s=20)).latency_us

    results.ceilings = await _item(
        clock, results, "ceilings", lambda: measure(latency, machine.gpu.architecture)
    )


async def run_instruction_tests(machine: Machine, clock: Clock, results: Results) -> None:
    """Compare the generated expressions."""
    programs: dict[str, Program | str] = {}
    requests = instruction_tests.requests(machine.gpu.architecture)
    for dtype, request in zip(instruction_tests.EXACT, requests, strict=True):
        compiled = await machine.compiler.compile(request, deadline_s=60)
        said = compiled.diagnostics[0].message if compiled.diagnostics else "not compiled"
        programs[dtype] = compiled.program or said
    found = await _item(
        clock, results, "instruction tests",
        lambda: instruction_tests.compare(machine.gpu, machine.simulator, programs, 20),
    )  # fmt: skip
    results.instructions = found or []


async def compare_results(machine: Machine, clock: Clock, results: Results, entries: Sequence[Entry]) -> None:
    """Run every task's baseline on both devices, on one input of its last test case."""
    for entry in (entry for entry in entries if entry.variant == "baseline"):
        found = await _item(
            clock, results, f"results of {entry.group}", lambda entry=entry: _same(machine, entry)
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
        ran = await device.run(compiled.build.program, plan, inputs, poison=1, deadline_s=30)
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


async def measure_kernels(machine: Machine, clock: Clock, results: Results, entries: Sequence[Entry]) -> None:
    """Judge, time and count every kernel on the GPU; what timed runs computed is judged with them."""
    for entry in entries:
        what = f"{entry.group}/{entry.variant}"
        report = await _item(
            clock,
            results,
            what,
            lambda entry=entry: machine.gpu_tools.check(entry.task, entry.text, benches=False),
        )
        if report is None:
            results.kernels.append(Kernel(entry.group, entry.variant))
            continue
        kernel = Kernel(entry.group, entry.variant, report.verdict.value, report.message)
        timed = report.profile
        if timed is not None and timed.latency_us is not None and timed.provenance is Provenance.MEASURED:
            kernel = replace(
                kernel, measured_us=timed.latency_us, measured_provenance=timed.provenance.value,
                measured_bottleneck=timed.bottleneck, measured_roofline=timed.roofline_fraction,
                speedup=timed.speedup, counts=tuple(_seen(timed)),
            )  # fmt: skip
        results.kernels.append(kernel)


async def estimate_kernels(
    machine: Machine, clock: Clock, results: Results, entries: Sequence[Entry]
) -> None:
    """Estimate and count every kernel on the simulator, and put the counts side by side."""
    places = {(kernel.group, kernel.variant): index for index, kernel in enumerate(results.kernels)}

    async def estimate(entry: Entry) -> None:
        what = f"estimate of {entry.group}/{entry.variant}"
        work = machine.simulator_tools.profile
        report = await _item(clock, results, what, lambda: work(entry.task, entry.text))
        if report is None or report.verdict is not Verdict.PASS:
            results.skipped += [f"{what}: {report.message}"] if report else []
            return
        index = places[entry.group, entry.variant]
        kernel = results.kernels[index]
        results.kernels[index] = replace(
            kernel, estimated_us=report.latency_us, estimated_bottleneck=report.bottleneck,
            counts=tuple(_compared(kernel.counts, report)),
        )  # fmt: skip

    await asyncio.gather(*(estimate(entry) for entry in entries))


def _launches(report: ProfileReport) -> list[tuple[str, LaunchProfile]]:
    return [
        (f"{shape}.{index} {launch.kernel}", launch)
        for shape, timing in enumerate(report.shapes)
        for index, launch in enumerate(timing.launches)
    ]


def _seen(report: ProfileReport) -> list[Count]:
    """What the GPU measured, the other side still open."""
    return [
        Count(name, metric.name, metric.unit, metric.value, 0.0, "", None)
        for name, launch in _launches(report)
        for metric in launch.metrics
        if metric.provenance is Provenance.MEASURED
    ]


def _compared(seen: Sequence[Count], report: ProfileReport) -> list[Count]:
    """What both sides have."""
    simulated = {
        (name, metric.name): metric for name, launch in _launches(report) for metric in launch.metrics
    }
    found: list[Count] = []
    for count in seen:
        other = simulated.get((count.launch, count.metric))
        if other is not None:
            apart = (other.value - count.measured) / count.measured if count.measured else None
            apart = 0.0 if count.measured == other.value else apart
            found.append(
                replace(
                    count,
                    simulated=other.value,
                    simulated_provenance=other.provenance.value,
                    difference=apart,
                )
            )
    return found
