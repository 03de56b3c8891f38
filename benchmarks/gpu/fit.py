"""Say what measurements of one GPU or several would have the cost model's constants be.

    python -m benchmarks.gpu.fit [DIR/gpu.json...] [--published] [--out DIR] [--programs FILE]
        [--hold-out kernels|tasks]

Counts on the simulator what the GPUs ran, fits by least squares, and compares estimates before and after, of kernels
that were fitted and of kernels that were held out. `--published` adds the times of `benchmarks.published`. It changes
no file of the source: it prints what to put where, and what it left out.
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
from benchmarks.gpu.fitting import Observed, Setting, fit, solver
from benchmarks.gpu.kernels import entries
from benchmarks.gpu.observations import Measurements, observe, read_all
from benchmarks.gpu.programs import CarriedCompiler
from benchmarks.published import dataset, observing
from sandbox.errors import UsageError, WarpwrightError
from sandbox.simulator.cost.constants import USED
from sandbox.simulator.gpus.architectures import ARCHITECTURES
from tools.stages.compiling import Compiles, CompileStage

BEFORE = Setting(USED, next(iter(ARCHITECTURES.values())).launch_us)


async def counted(
    measured: Sequence[Measurements], published: bool, compiler: Compiles
) -> tuple[list[Observed], list[str]]:
    """Count every kernel; also say which were left out, and why."""
    found: list[Observed] = []
    left: list[str] = []
    for one in measured:
        stage = CompileStage(compiler, ARCHITECTURES[one.model].compute)
        observations, without = await observe(one, entries(), stage)
        found += observations
        left += [f"{one.model}: {text}" for text in without]
    if published:
        some, without = await observing.observe(dataset.families(), compiler)
        found += some
        left += without
    sys.stderr.write(f"{len(found)} kernels counted\n")
    return found, left


async def _count(
    given: argparse.Namespace, measured: Sequence[Measurements]
) -> tuple[list[Observed], list[str]]:
    if given.programs is not None:
        return await counted(measured, given.published, CarriedCompiler(given.programs))
    from sandbox.compiler.service import Compiler
    from sandbox.isolation.choose import choose_isolation

    with tempfile.TemporaryDirectory() as cache:
        async with Compiler(choose_isolation(), cache=Path(cache)) as compiler:
            return await counted(measured, given.published, compiler)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 2 where there is nothing to fit, 1 where it does not help kernels that were held out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.fit", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "file",
        type=Path,
        nargs="*",
        help="gpu.json, as `python -m benchmarks.gpu` wrote it; several, of one GPU or of more",
    )
    parser.add_argument("--published", action="store_true", help="also the times that others published")
    parser.add_argument("--out", type=Path, help="folder for fit.json and fit.md")
    parser.add_argument("--programs", type=Path, help="what `python -m benchmarks.gpu.programs` wrote")
    parser.add_argument("--hold-out", choices=("kernels", "tasks"), default="kernels", help="(%(default)s)")
    given = parser.parse_args(arguments)
    words = " ".join(sys.argv[1:] if arguments is None else arguments)
    try:
        measured = read_all(given.file)
        if not measured and not given.published:
            raise UsageError("name a gpu.json, or --published")
        solver()  # what it lacks is said before minutes of counting
        observations, left = asyncio.run(_count(given, measured))
        found = fit(observations, BEFORE, given.hold_out)
    except (WarpwrightError, FileNotFoundError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    report = fit_report.Report(
        found, tuple(measured), f"python -m benchmarks.gpu.fit {words}", tuple(left), given.published
    )
    if given.out is not None:
        fit_report.write(report, given.out)
    sys.stdout.write(fit_report.markdown(report))
    before, after = found.qualities["held out"]
    return 0 if after.median_error < before.median_error else 1


if __name__ == "__main__":
    raise SystemExit(main())
