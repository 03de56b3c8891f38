"""Hold the cost model against the kernel times that others published.

    python -m benchmarks.published [--json] [--only FAMILY]... [--held-out]
    python -m benchmarks.published --pairs [--device NAME]...

Counts kernels of ours that do what the published ones are said to do, prices them with the model as it is, and prints
for each family estimated over measured, how many pairs stand in the right order, and the worst that does not. With
`--held-out` every family is priced by constants fitted without it. Needs warpwright's extra `bench` for that, and no
GPU; counting takes some minutes of processor time. `--pairs` asks every simulated GPU, or those named, whether it
keeps the order of kernels that differ for a reason that all GPUs share.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gpu.fit import BEFORE
from benchmarks.gpu.fitting import each_held_out
from benchmarks.published.dataset import families, names, pairs
from benchmarks.published.observing import Published, observe
from benchmarks.published.pairs import Order, orders
from benchmarks.published.report import Report, as_table, text
from sandbox.compiler.service import Compiler
from sandbox.errors import WarpwrightError
from sandbox.isolation.choose import choose_isolation
from sandbox.simulator.gpus.architectures import ARCHITECTURES


async def _observed(only: Sequence[str]) -> tuple[list[Published], list[str]]:
    with tempfile.TemporaryDirectory() as cache:
        async with Compiler(choose_isolation(), cache=Path(cache)) as compiler:
            return await observe(families(only), compiler)


async def _orders(devices: Sequence[str]) -> list[Order]:
    found: list[Order] = []
    with tempfile.TemporaryDirectory() as cache:
        async with Compiler(choose_isolation(), cache=Path(cache)) as compiler:
            for device in devices:
                found += await orders(pairs(), ARCHITECTURES[device], compiler)
    return found


def _keep(devices: Sequence[str]) -> int:
    """Say which GPUs keep which pairs; 1 where one does not."""
    found = asyncio.run(_orders(devices))
    for device in devices:
        mine = [one for one in found if one.gpu == device]
        sys.stdout.write(f"{device}: {sum(one.kept for one in mine)} of {len(mine)} pairs in order\n")
        for one in mine:
            if not one.kept:
                pair = one.pair
                said = f"{pair.family} {pair.shape} {pair.faster} before {pair.slower} ({pair.reason})"
                sys.stdout.write(f"  NOT {said}: {one.ratio:.3f}\n")
    return 0 if all(one.kept for one in found) else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 2 where it cannot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.published", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--only", action="append", choices=names(), help="only this family; may be repeated")
    parser.add_argument("--held-out", action="store_true", help="estimate each family by a fit without it")
    parser.add_argument("--pairs", action="store_true", help="ask GPUs whether they keep the known pairs")
    parser.add_argument("--device", action="append", choices=list(ARCHITECTURES), help="a GPU to ask")
    given = parser.parse_args(arguments)
    try:
        if given.pairs:
            return _keep(given.device or list(ARCHITECTURES))
        observed, left = asyncio.run(_observed(given.only or ()))
        held_out = tuple(map(float, each_held_out(observed, BEFORE))) if given.held_out else None
    except WarpwrightError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    in_use = tuple(map(float, BEFORE.estimates(observed)))
    report = Report(tuple(observed), in_use, tuple(left), held_out)
    sys.stdout.write(json.dumps(as_table(report), indent=1) + "\n" if given.json else text(report))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
