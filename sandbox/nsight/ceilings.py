"""What a GPU reaches at most, measured once for each device and driver and kept in a file."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from sandbox.device import Array
from sandbox.plan import BufferArgument, BufferSpec, Launch, Plan, Role, ScalarArgument
from sandbox.program import Program

COPIED = 1 << 26
"""Float32 elements of each side of the copy: 256 MiB, several times any L2."""
THREADS = 1 << 20
TURNS = 64
FLOPS_A_TURN = 2 * 8 * 8

_BLOCK = 256
_COPY_BLOCKS = 4096

Time = Callable[[Program, Plan, Mapping[str, Array]], Awaitable[float | None]]
"""Returns the latency of a plan whose buffers are filled with these samples, microseconds; None where it failed."""


@dataclass(frozen=True)
class MeasuredRates:
    """Rates that kernels written for nothing else reached; measured.

    Attributes:
        copy_gbps: Device memory, read plus written, 1e9 bytes a second.
        fma_gflops: Float32 outside tensor cores, 1e9 operations a second, a multiply-add being two.
    """

    copy_gbps: float
    fma_gflops: float


def program(architecture: str) -> Program:
    """Return the two kernels as PTX, which the driver compiles; no compiler of ours is needed."""
    ptx = Path(__file__).with_suffix(".ptx").read_text()
    symbols = {name: name for name in ("ceiling_copy", "ceiling_fma")}
    return Program("ceilings", architecture, ptx, ptx.encode() + b"\0", symbols, ())


def copy_plan(elements: int = COPIED) -> Plan:
    """Return the copy of so many float32 elements, a multiple of 4."""
    return _plan("ceiling_copy", elements, elements, _COPY_BLOCKS, elements // 4)


def fma_plan(threads: int = THREADS, turns: int = TURNS) -> Plan:
    """Return `threads * turns * FLOPS_A_TURN` operations; threads a multiple of 256."""
    return _plan("ceiling_fma", 8, threads, threads // _BLOCK, turns)


def _plan(kernel: str, read: int, written: int, blocks: int, count: int) -> Plan:
    buffers = (BufferSpec("x", Role.IN, "float32", read), BufferSpec("y", Role.OUT, "float32", written))
    arguments = (BufferArgument("x"), BufferArgument("y"), ScalarArgument("int32", count))
    return Plan(buffers, (Launch(kernel, (blocks, 1, 1), (_BLOCK, 1, 1), 0, arguments, 1),))


async def measure(time: Time, architecture: str) -> MeasuredRates | None:
    """Measure both; None where a kernel did not run.

    Args:
        time: Times a plan on the device.
        architecture: Of the device, `sm_90`.
    """
    compiled = program(architecture)
    # Values near one: zeros would need less power, and let the clock rise.
    sample = {"x": np.linspace(0.25, 0.75, 4096, dtype=np.float32)}
    copied = await time(compiled, copy_plan(), sample)
    computed = await time(compiled, fma_plan(), sample)
    if not copied or not computed:
        return None
    return MeasuredRates(2 * 4 * COPIED / copied / 1e3, THREADS * TURNS * FLOPS_A_TURN / computed / 1e3)


async def ceilings(
    time: Time, architecture: str, *, device: str, folder: Path | None
) -> MeasuredRates | None:
    """Return the ceilings from their file, else measure them and write it.

    Args:
        time: Times a plan on the device.
        architecture: Of the device.
        device: What identifies device and driver: its UUID and the driver's version.
        folder: Where the files are kept; None to measure in any case.
    """
    file = None if folder is None else folder / f"{re.sub(r'[^A-Za-z0-9.-]', '_', device)}.json"
    known = _kept(file)
    if known is not None:
        return known
    found = await measure(time, architecture)
    if found is not None and file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(asdict(found)) + "\n")
        fresh.replace(file)
    return found


def _kept(file: Path | None) -> MeasuredRates | None:
    try:
        kept = MeasuredRates(**json.loads(file.read_text())) if file is not None else None
    except (OSError, ValueError, TypeError):
        return None
    usable = kept is not None and all(
        isinstance(rate, float) and math.isfinite(rate) and rate > 0 for rate in asdict(kept).values()
    )
    return kept if usable else None
