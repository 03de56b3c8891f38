"""Say what a GPU's measurements would have the cost model's assumed constants be.

    python -m benchmarks.gpu.fit DIR/gpu.json... [--out DIR] [--programs FILE] [--hold-out kernels|tasks]

Counts on the simulator what the GPU ran, fits by least squares, and compares estimates before and after, of kernels
that were fitted and of kernels that were held out. It changes no file of the source: it prints what to put where.
Runs where warpwright is installed with its extra `bench`; it needs no GPU.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gpu import fit_report
from benchmarks.gpu.fitting import Fit, HoldOut, Setting, fit, solver
from benchmarks.gpu.kernels import entries
from benchmarks.gpu.observations import Measurements, observe, read_all
from benchmarks.gpu.programs import CarriedCompiler
from sandbox.errors import WarpwrightError
from sandbox.simulator.cost.constants import USED
from sandbox.simulator.gpus.architectures import ARCHITECTURES
from tools.stages.compiling import Compiles, CompileStage


async def fitted(measurements: Measurements, compiler: Compiles, hold_out: HoldOut) -> tuple[Fit, list[str]]:
    """Count and fit; also say which kernels were left out, and why."""
    architecture = ARCHITECTURES[measurements.model]
    stage = CompileStage(compiler, architecture.compute)
    observations, left = await observe(measurements, entries(), stage)
    sys.stderr.write(f"{len(observations)} kernels counted; fitting takes some minutes\n")
    return fit(observations, Setting(architecture, USED), hold_out), left


async def _main(given: argparse.Namespace, measurements: Measurements) -> tuple[Fit, list[str]]:
    if given.programs is not None:
        return await fitted(measurements, CarriedCompiler(given.programs), given.hold_out)
    from sandbox.compiler.service import Compiler
    from sandbox.isolation.choose import choose_isolation

    with tempfile.TemporaryDirectory() as cache:
        async with Compiler(choose_isolation(), cache=Path(cache)) as compiler:
            return await fitted(measurements, compiler, given.hold_out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 2 where there is nothing to fit, 1 where it does not help kernels that were held out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.fit", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "file",
        type=Path,
        nargs="+",
        help="gpu.json, as `python -m benchmarks.gpu` wrote it; several of one GPU",
    )
    parser.add_argument("--out", type=Path, help="folder for fit.json and fit.md")
    parser.add_argument("--programs", type=Path, help="what `python -m benchmarks.gpu.programs` wrote")
    parser.add_argument("--hold-out", choices=("kernels", "tasks"), default="kernels", help="(%(default)s)")
    given = parser.parse_args(arguments)
    words = " ".join(sys.argv[1:] if arguments is None else arguments)
    try:
        measurements = read_all(given.file)
        solver()  # what it lacks is said before minutes of counting
        found, left = asyncio.run(_main(given, measurements))
    except (WarpwrightError, FileNotFoundError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    report = fit_report.Report(found, measurements, f"python -m benchmarks.gpu.fit {words}", tuple(left))
    if given.out is not None:
        fit_report.write(report, given.out)
    sys.stdout.write(fit_report.markdown(report))
    before, after = found.qualities["held out"]
    return 0 if after.median_error < before.median_error else 1


if __name__ == "__main__":
    raise SystemExit(main())
