"""The kernels that measure ceilings do what they are said to do, and what was measured is kept."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

from sandbox.nsight import ceilings
from sandbox.nsight.ceilings import FLOPS_A_TURN, MeasuredRates
from sandbox.simulator import profiling
from sandbox.simulator.execute import running
from tests.compiling import program

FOLDER = Path(ceilings.__file__).parent


def test_the_ptx_is_that_of_the_source():
    source = (FOLDER / "ceilings.cu").read_text()
    ptx = program(source, ("ceiling_copy", "ceiling_fma"), "sm_75").ptx
    ptx = re.sub(r"^\s*\.section.*?^\s*}\s*$", "", ptx, flags=re.MULTILINE | re.DOTALL)
    kept = (re.sub(r"//.*", "", line).rstrip() for line in ptx.splitlines())
    plain = "\n".join(line for line in kept if line and not re.match(r"\s*\.(loc|file)\b", line)) + "\n"
    if os.environ.get("WARPWRIGHT_UPDATE_GOLDEN"):
        (FOLDER / "ceilings.ptx").write_text(plain)
    assert plain == (FOLDER / "ceilings.ptx").read_text()


def test_the_copy_copies_and_the_arithmetic_is_as_much_as_is_claimed():
    program = ceilings.program("sm_90")
    x = np.arange(8192, dtype=np.float32)
    copied = running.run(program, ceilings.copy_plan(8192), {"x": x}, 1)
    assert copied.fault is None
    np.testing.assert_array_equal(copied.outputs["y"], x)
    profiles = [
        profiling.profile(program, ceilings.fma_plan(256, turns), {"x": x[:8]}, "h200") for turns in (10, 20)
    ]
    fma = "smsp__inst_executed_pipe_fma.sum"
    counts = [
        next(metric.value for metric in profile.launches[0].metrics if metric.name == fma)
        for profile in profiles
    ]
    warps = 256 // 32
    assert (counts[1] - counts[0]) / 10 / warps == pytest.approx(FLOPS_A_TURN / 2, abs=1)


async def test_ceilings_are_measured_once_for_a_device_and_driver(tmp_path):
    timed: list[str] = []

    async def time(program, plan, samples):
        timed.append(plan.launches[0].kernel)
        return {"ceiling_copy": 100.0, "ceiling_fma": 200.0}[plan.launches[0].kernel]

    first = await ceilings.ceilings(time, "sm_90", device="GPU-1/580", folder=tmp_path)
    again = await ceilings.ceilings(time, "sm_90", device="GPU-1/580", folder=tmp_path)
    other = await ceilings.ceilings(time, "sm_90", device="GPU-1/581", folder=tmp_path)
    assert first == again == other
    # 2 * 256 MiB in 100 us; 2^20 threads * 64 turns * 128 operations in 200 us.
    assert first == MeasuredRates(pytest.approx(5368.7, rel=1e-4), pytest.approx(42949.7, rel=1e-4))
    assert timed == ["ceiling_copy", "ceiling_fma"] * 2
    for file in tmp_path.glob("*.json"):
        file.write_text('{"copy_gbps": -1.0, "fma_gflops": 3.0}')
    await ceilings.ceilings(time, "sm_90", device="GPU-1/580", folder=tmp_path)
    assert len(timed) == 6, "what makes no sense is measured anew"


async def test_a_kernel_that_did_not_run_leaves_no_ceiling(tmp_path):
    async def time(program, plan, samples):
        return None

    assert await ceilings.ceilings(time, "sm_90", device="d", folder=tmp_path) is None
    assert not list(tmp_path.iterdir())
