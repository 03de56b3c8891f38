"""Everything that a machine with a GPU can tell, by one command that ends within its time.

    python -m benchmarks.gpu --out DIR [--programs FILE] [--gpu cuda:0] [--model h200] [--seconds 450] [--kernelbench]

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
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu import measuring
from benchmarks.gpu.budget import Clock
from benchmarks.gpu.event_timing import EventTimer
from benchmarks.gpu.kernel_parts import KernelParts
from benchmarks.gpu.kernels import Entry, entries
from benchmarks.gpu.library_part import at_kernelbench, time_libraries
from benchmarks.gpu.measuring import Machine
from benchmarks.gpu.nvcc import Nvcc
from benchmarks.gpu.programs import CarriedCompiler
from benchmarks.gpu.results import Results, markdown, write
from sandbox.device import Device
from sandbox.devices.open import open_device
from sandbox.devices.simulated import SimulatedDevice
from sandbox.errors import UsageError, WarpwrightError
from sandbox.facts import Fact, facts
from sandbox.isolation.base import Isolation
from sandbox.isolation.choose import choose_isolation
from sandbox.reference.service import References
from sandbox.simulator.gpus.architectures import ARCHITECTURES
from sandbox.timing.measured import times_pairs
from sandbox.verdict import Verdict
from tools.local_toolbox import LocalToolbox
from tools.parts import CompilerService, Limits, ToolboxParts
from tools.toolbox import Toolbox

SHARES = {
    "ceilings": 0.04,
    "instructions": 0.05,
    "results": 0.07,
    "timings": 0.52,
    "libraries": 0.08,
    "estimates": 0.07,
    "counters": 0.13,
}
"""Of the time, in this order; what a part leaves is the next one's. The rest is for starting, writing, stopping."""
LIMITS = Limits(compile_s=120, bench_s=60, profile_s=60, timing_s=2, timing_inputs=1)
"""Some sixty kernels have to fit: 30 pairs take less than two seconds, unless a kernel is slow; and it is answers on
the CPU, not the GPU, that most of the time goes to, so that timed runs share one set of inputs."""


@dataclass(frozen=True)
class Run:
    """What to measure, where to write it, and for how long; `width` runs of the simulator at once.

    Attributes:
        libraries: The tasks that libraries are timed on; empty for all of the suite.
    """

    out: Path
    kernels: Sequence[Entry]
    seconds: float = 450.0
    width: int = 1
    command: str = ""
    libraries: Sequence[str] = ()


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
    known = facts()
    results = Results(gpu.name, simulator.name, run.command, date, device_of(known, gpu.name), facts=known)
    with tempfile.TemporaryDirectory() as name:
        references, cache = References(isolation), Path(name)

        def gpu_tools() -> Toolbox:
            timer = EventTimer(gpu, gpu, results.ceilings) if times_pairs(gpu) else gpu
            parts = ToolboxParts(compiler, references, timer, isolation.name)
            return LocalToolbox(cache=cache, limits=LIMITS, parts=parts)

        parts = ToolboxParts(compiler, references, simulator, isolation.name, run.width)
        simulator_tools = LocalToolbox(cache=cache, limits=LIMITS, parts=parts)
        machine = Machine(gpu, simulator, gpu_tools, simulator_tools, compiler)

        def save() -> None:
            results.seconds = clock.passed
            write(results, run.out)

        try:
            kernels = KernelParts(machine, clock, results, run.kernels, save)
            work = _work(machine, clock, results, kernels, run.libraries)
            for part, share in SHARES.items():
                clock.part(share)
                await work[part]()
                save()
        finally:
            await references.aclose()
    return results


def device_of(known: Sequence[Fact], gpu: str) -> str:
    """Return what is known of the GPU: its name, its driver, its clocks."""
    return next((fact.value for fact in known if fact.name == f"GPU {gpu}"), "")


def _work(
    machine: Machine, clock: Clock, results: Results, kernels: KernelParts, only: Sequence[str]
) -> dict[str, Callable[[], Awaitable[None]]]:
    return {
        "ceilings": lambda: measuring.measure_ceilings(machine, clock, results),
        "instructions": lambda: measuring.run_instruction_tests(machine, clock, results),
        "results": lambda: measuring.compare_results(machine, clock, results, kernels.entries),
        "timings": kernels.time,
        "libraries": lambda: time_libraries(clock, results, only),
        "estimates": kernels.estimate,
        "counters": kernels.count,
    }


async def _main(given: argparse.Namespace, command: str) -> Results:
    isolation = choose_isolation()
    width = max(1, min(8, len(os.sched_getaffinity(0))))
    gpu = open_device(given.gpu, isolation)
    model = model_of(gpu.architecture, given.model)
    simulator = SimulatedDevice(f"sim:{model}", isolation, workers=width)
    compiler: CompilerService = CarriedCompiler(given.programs) if given.programs else Nvcc()
    kernels = entries(tuple(given.task))
    kernels += at_kernelbench(kernels) if given.kernelbench else []
    run = Run(given.out, kernels, given.seconds, width, command, tuple(given.task))
    try:
        return await measure(gpu, simulator, compiler, isolation, run)
    finally:
        await asyncio.gather(gpu.aclose(), simulator.aclose(), compiler.aclose())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 2 where there is no GPU, 1 where a kernel failed or none was judged."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, required=True, help="folder for gpu.json and gpu.md")
    parser.add_argument("--programs", type=Path, help="what `python -m benchmarks.gpu.programs` wrote")
    parser.add_argument("--gpu", default="cuda:0", help="the GPU (%(default)s)")
    parser.add_argument("--model", help="the simulated GPU to compare with (one of the same architecture)")
    parser.add_argument("--seconds", type=float, default=450.0, help="for everything (%(default)s)")
    parser.add_argument("--task", action="append", default=[], help="only this one, as in the table")
    parser.add_argument(
        "--kernelbench",
        action="store_true",
        help="also the suite's baselines and best kernels at KernelBench's sizes: of some, inputs take minutes",
    )
    given = parser.parse_args(arguments)
    words = " ".join(sys.argv[1:] if arguments is None else arguments)
    try:
        results = asyncio.run(_main(given, f"python -m benchmarks.gpu {words}"))
    except (WarpwrightError, FileNotFoundError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(markdown(results))
    return status(results)


def status(results: Results) -> int:
    """Return 0 where kernels passed and none failed; one that there was no time for has no verdict."""
    verdicts = {one.verdict for one in results.kernels} - {""}
    return 0 if verdicts == {Verdict.PASS.value} else 1


if __name__ == "__main__":
    raise SystemExit(main())
