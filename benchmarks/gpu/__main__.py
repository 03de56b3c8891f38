"""Everything that a machine with a GPU can tell, by one command that ends within its time.

    python -m benchmarks.gpu --out DIR [--programs FILE] [--gpu cuda:0] [--model h200] [--seconds 450]

Needs NumPy and PyCUDA, no network, and nothing of ours installed; run it in the source tree. Programs come from a
file that `python -m benchmarks.gpu.programs` wrote elsewhere, or from this machine's nvcc. See docs/gpu.md.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu import measuring
from benchmarks.gpu.kernels import Entry, entries
from benchmarks.gpu.measuring import Clock, Machine
from benchmarks.gpu.nvcc import Nvcc
from benchmarks.gpu.programs import CarriedCompiler
from benchmarks.gpu.results import Results, markdown, write
from sandbox.device import Device
from sandbox.devices.open import open_device
from sandbox.devices.simulated import SimulatedDevice
from sandbox.errors import MissingDependencyError, UsageError
from sandbox.facts import facts
from sandbox.isolation.base import Isolation
from sandbox.isolation.choose import choose_isolation
from sandbox.reference.service import References
from sandbox.simulator.architectures import ARCHITECTURES
from tools.local_toolbox import LocalToolbox
from tools.parts import CompilerService, Limits, Parts

SHARES = {"ceilings": 0.04, "instructions": 0.05, "results": 0.07, "kernels": 0.73, "estimates": 0.08}
"""Of the time; the rest is for starting, writing and stopping."""


@dataclass(frozen=True)
class Run:
    """What to measure, where to write it, and for how long; `width` runs of the simulator at once."""

    out: Path
    kernels: Sequence[Entry]
    seconds: float = 450.0
    width: int = 1
    command: str = ""


def model_of(architecture: str, wanted: str | None) -> str:
    """Return the simulated GPU to compare with: the one that is named, else the first of that architecture.

    Raises:
        UsageError: There is none.
    """
    found = [name for name, model in ARCHITECTURES.items() if model.compute == architecture]
    ordered = sorted(found, key=lambda name: name != "h200")
    if wanted is not None:
        ordered = [wanted] if wanted in found else []
    if not ordered:
        raise UsageError(f"no simulated GPU {wanted or ''} of {architecture} to compare with")
    return ordered[0]


async def measure(
    gpu: Device, simulator: Device, compiler: CompilerService, isolation: Isolation, run: Run
) -> Results:
    """Do all parts; the devices and the compiler stay the caller's to close.

    Args:
        gpu: The GPU.
        simulator: A simulated GPU of the same architecture.
        compiler: Compiles for it.
        isolation: Of the workers that compute references.
        run: What to measure, and for how long.
    """
    clock = Clock(run.seconds)
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    results = Results(gpu.name, simulator.name, run.command, date, facts=facts())
    limits = Limits(compile_s=120, bench_s=60, profile_s=60, timing_s=5)
    with tempfile.TemporaryDirectory() as cache:
        boxes = [
            LocalToolbox(
                cache=Path(cache),
                limits=limits,
                parts=Parts(compiler, References(isolation), device, isolation.name, width),
            )
            for device, width in ((gpu, 1), (simulator, run.width))
        ]
        machine = Machine(gpu, simulator, boxes[0], boxes[1], compiler)
        async with AsyncExitStack() as stack:
            for box in boxes:
                stack.push_async_callback(box.aclose)
            for name, share in SHARES.items():
                clock.part(share)
                await _part(name, machine, clock, results, run.kernels)
                results.seconds = clock.passed
                write(results, run.out)
    return results


async def _part(
    name: str, machine: Machine, clock: Clock, results: Results, kernels: Sequence[Entry]
) -> None:
    match name:
        case "ceilings":
            await measuring.measure_ceilings(machine, clock, results)
        case "instructions":
            await measuring.run_instruction_tests(machine, clock, results)
        case "results":
            await measuring.compare_results(machine, clock, results, kernels)
        case "kernels":
            await measuring.measure_kernels(machine, clock, results, kernels)
        case _:
            await measuring.estimate_kernels(machine, clock, results, kernels)


async def _main(given: argparse.Namespace, command: str) -> Results:
    isolation = choose_isolation()
    width = max(1, min(8, len(os.sched_getaffinity(0))))
    gpu = open_device(given.gpu, isolation)
    model = model_of(gpu.architecture, given.model)
    simulator = SimulatedDevice(f"sim:{model}", isolation, workers=width)
    compiler: CompilerService = CarriedCompiler(given.programs) if given.programs else Nvcc()
    run = Run(given.out, entries(tuple(given.task)), seconds=given.seconds, width=width, command=command)
    return await measure(gpu, simulator, compiler, isolation, run)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 2 where there is no GPU, 1 where a kernel that should pass did not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, required=True, help="folder for gpu.json and gpu.md")
    parser.add_argument("--programs", type=Path, help="what `python -m benchmarks.gpu.programs` wrote")
    parser.add_argument("--gpu", default="cuda:0", help="the GPU (%(default)s)")
    parser.add_argument("--model", help="the simulated GPU to compare with (one of the same architecture)")
    parser.add_argument("--seconds", type=float, default=450.0, help="for everything (%(default)s)")
    parser.add_argument("--task", action="append", default=[], help="only this one, as in the table")
    given = parser.parse_args(arguments)
    words = " ".join(sys.argv[1:] if arguments is None else arguments)
    try:
        results = asyncio.run(_main(given, f"python -m benchmarks.gpu {words}"))
    except (MissingDependencyError, UsageError, FileNotFoundError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(markdown(results))
    return 0 if results.kernels and all(one.verdict == "pass" for one in results.kernels) else 1


if __name__ == "__main__":
    raise SystemExit(main())
