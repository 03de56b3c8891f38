"""What a GPU measured, read back from its results file, with what the simulator counts of the same kernels."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from benchmarks.gpu.kernels import Entry
from sandbox.errors import UsageError
from sandbox.simulator.cost.constants import CostConstants
from sandbox.simulator.cost.demand import Demand, demand
from sandbox.simulator.cost.estimate import timed
from sandbox.simulator.gpus.architecture import Architecture
from sandbox.simulator.gpus.architectures import ARCHITECTURES
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.profiling import count
from sandbox.verdict import Provenance, Verdict
from tools.judge.oracle import bench_samples
from tools.stages.compiling import CompileStage

_SIMULATED = "sim:"
_SAID = ("gpu", "device", "date", "command")


@dataclass(frozen=True)
class Measured:
    """One kernel's measured latency; `sha` and `task_sha` say which kernel file and task folder it was."""

    group: str
    variant: str
    sha: str
    task_sha: str
    measured_us: float


@dataclass(frozen=True)
class Measurements:
    """One results file: which GPU, which simulated one stands beside it, when, by which command."""

    gpu: str
    device: str
    model: str
    date: str
    command: str
    kernels: tuple[Measured, ...]


def read_all(files: Sequence[Path]) -> list[Measurements]:
    """Read several files, and put those of one GPU together; where two timed one kernel, the last one counts.

    Raises:
        UsageError: One is no results file, or holds nothing that a GPU measured.
    """
    by_model: dict[str, list[Measurements]] = {}
    for file in files:
        one = read(file)
        by_model.setdefault(one.model, []).append(one)
    return [_together(some) for some in by_model.values()]


def _together(found: Sequence[Measurements]) -> Measurements:
    kernels = {(kernel.group, kernel.variant): kernel for one in found for kernel in one.kernels}
    said = {name: "; ".join(dict.fromkeys(getattr(one, name) for one in found)) for name in _SAID}
    return Measurements(model=found[0].model, kernels=tuple(kernels.values()), **said)


def read(file: Path) -> Measurements:
    """Read what `python -m benchmarks.gpu` wrote as `gpu.json`.

    Raises:
        UsageError: It is no such file, or holds nothing that a GPU measured.
    """
    try:
        table = json.loads(file.read_text())
        said = {name: str(table[name]) for name in _SAID}
        model = str(table["simulator"]).removeprefix(_SIMULATED)
        kernels = tuple(_kernels(table["kernels"]))
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise UsageError(f"{file}: no results file of `python -m benchmarks.gpu` ({why})") from None
    if said["gpu"].startswith(_SIMULATED) or not kernels:
        msg = f"{file}: nothing in it was measured ({said['gpu']}): constants are never fitted to estimates"
        raise UsageError(msg)
    if model not in ARCHITECTURES:
        raise UsageError(f"{file}: there is no simulated GPU {model} to fit")
    return Measurements(model=model, kernels=kernels, **said)


def _kernels(rows: Sequence[Mapping[str, Any]]) -> list[Measured]:
    found: list[Measured] = []
    for row in rows:
        latency = cast("float | None", row["measured_us"])
        measured = (row["verdict"], row["measured_provenance"]) == (Verdict.PASS, Provenance.MEASURED)
        if latency is not None and measured and math.isfinite(latency) and latency > 0:
            names = (str(row[name]) for name in ("group", "variant", "sha", "task_sha"))
            found.append(Measured(*names, measured_us=float(latency)))
    return found


@dataclass(frozen=True)
class Observation:
    """One kernel: its measured latency, and what every launch at every benchmark shape asks of the GPU."""

    group: str
    variant: str
    measured_us: float
    gpu: Architecture
    shapes: tuple[tuple[Demand, ...], ...]

    @property
    def held_with(self) -> str:
        """Its task."""
        return self.group

    def estimated_us(self, constants: CostConstants, launch_us: float) -> float:
        """What the cost model makes of the counts; as in a profile, the geometric mean over the shapes."""
        gpu = replace(self.gpu, launch_us=launch_us)
        logs = [
            math.log(math.fsum(timed(asked, gpu, constants).latency_us for asked in launches))
            for launches in self.shapes
        ]
        return math.exp(math.fsum(logs) / len(logs))


async def observe(
    measurements: Measurements, entries: Sequence[Entry], stage: CompileStage
) -> tuple[list[Observation], list[str]]:
    """Count on the simulator what the GPU ran.

    The kernels are those of this repository, so they run in this process and not in a worker.

    Returns:
        The observations, and what was left out: kernels that are not in this tree as they were timed, or
        that the simulator does not run.
    """
    gpu = ARCHITECTURES[measurements.model]
    known = {(entry.group, entry.variant): entry for entry in entries}
    found: list[Observation] = []
    left: list[str] = []
    for kernel in measurements.kernels:
        name = f"{kernel.group}/{kernel.variant}"
        entry = known.get((kernel.group, kernel.variant))
        if entry is None or (entry.sha, entry.task.sha) != (kernel.sha, kernel.task_sha):
            left.append(f"{name}: not in this tree as it was timed")
            continue
        try:
            shapes = await _count(entry, stage, gpu)
        except (FaultError, UsageError) as error:
            left.append(f"{name}: {error}")
            continue
        found.append(Observation(kernel.group, kernel.variant, kernel.measured_us, gpu, shapes))
    return found, left


async def _count(
    entry: Entry, stage: CompileStage, architecture: Architecture
) -> tuple[tuple[Demand, ...], ...]:
    shapes: list[tuple[Demand, ...]] = []
    for case in entry.task.benches:
        compiled = await stage.compile(entry.task, entry.text, case.dims)
        if compiled.build is None:
            raise UsageError(compiled.report.message)
        samples = bench_samples(entry.task, case)
        plan = compiled.build.plan(samples.scalars)
        counted = count(compiled.build.program, plan, samples.buffers, architecture)
        shapes.append(tuple(demand(one.counter, one.shape, architecture) for one in counted))
    return tuple(shapes)
