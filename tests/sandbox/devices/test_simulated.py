from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest

from sandbox.budget import Budget, Work, allowed
from sandbox.devices.simulated import SimulatedDevice
from sandbox.isolation.base import Isolation
from sandbox.plan import BufferArgument, BufferSpec, Launch, Plan, Role, ScalarArgument
from sandbox.program import Program
from sandbox.verdict import Provenance, Verdict
from tests import compiling

pytestmark = pytest.mark.usefixtures("nothing_left")

SIZE = 1000
DOUBLE = """
__global__ void kernel(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = 2 * x[i];
}
"""
ENDLESS = "__global__ void kernel(const float* x, float* y, int n) { volatile int i = 0; while (true) ++i; }"
FAULTY = "__global__ void kernel(const float* x, float* y, int n) {\n  y[n + threadIdx.x] = 1;\n}"
X = np.random.default_rng(0).random(SIZE, np.float32)


def plan(size: int = SIZE) -> Plan:
    buffers = (BufferSpec("x", Role.IN, "float32", size), BufferSpec("y", Role.OUT, "float32", size))
    arguments = (BufferArgument("x"), BufferArgument("y"), ScalarArgument("int32", size))
    return Plan(buffers, (Launch("kernel", (-(-size // 256), 1, 1), (256, 1, 1), 0, arguments, 1),))


def compiled(source: str) -> Program:
    return compiling.program(source, ("kernel",))


@pytest.fixture
async def device(isolation: Isolation) -> AsyncIterator[SimulatedDevice]:
    async with SimulatedDevice("sim:h200", isolation, workers=2) as device:
        yield device


async def test_a_plan_runs_and_its_buffers_come_back(isolation: Isolation, device: SimulatedDevice) -> None:
    assert (device.name, device.architecture) == ("sim:h200", "sm_90")
    program = compiled(DOUBLE)
    result = await device.run(program, plan(), {"x": X}, poison=1, budget=Budget(20))
    assert result.fault is None
    np.testing.assert_array_equal(result.outputs["y"], 2 * X)
    np.testing.assert_array_equal(result.inputs["x"], X)


async def test_a_plan_runs_over_several_inputs_up_to_the_first_that_fails(
    isolation: Isolation, device: SimulatedDevice
) -> None:
    given = [{"x": X}, {"x": -X}, {"x": X + 1}]
    results = await device.run_all(compiled(DOUBLE), plan(), given, poison=1, budget=Budget(20))
    for own, result in zip(given, results, strict=True):
        np.testing.assert_array_equal(result.outputs["y"], 2 * own["x"])
    (failed,) = await device.run_all(compiled(FAULTY), plan(), given, poison=1, budget=Budget(20))
    assert failed.fault is not None
    assert failed.fault.verdict is Verdict.MEMORY_FAULT


async def test_a_profile_comes_back_with_its_provenance(
    isolation: Isolation, device: SimulatedDevice
) -> None:
    program = compiled(DOUBLE)
    result = await device.profile(program, plan(100_000), {"x": X}, budget=Budget(20))
    assert result.fault is None
    assert result.latency_us is not None
    assert result.provenance is Provenance.ESTIMATED
    assert len(result.launches) == 1


async def test_a_fault_comes_back_with_the_line_it_happened_on(
    isolation: Isolation, device: SimulatedDevice
) -> None:
    program = compiled(FAULTY)
    result = await device.run(program, plan(), {"x": X}, poison=1, budget=Budget(20))
    assert result.fault is not None
    assert (result.fault.verdict, result.fault.line, result.fault.buffer) == (Verdict.MEMORY_FAULT, 2, "y")
    assert result.outputs == {}


SMALLEST = Work(10, 5)
"""About what a baseline does on a single element."""


async def test_a_kernel_that_never_ends_is_found_by_its_work_and_the_next_one_runs(
    isolation: Isolation, device: SimulatedDevice
) -> None:
    program = compiled(ENDLESS)
    budget = Budget(60, allowed(SMALLEST), SMALLEST)
    result = await device.run(program, plan(), {"x": X}, poison=1, budget=budget)
    assert result.fault is not None
    assert (result.fault.verdict, result.fault.line) == (Verdict.TIMEOUT, 1)
    assert "loop that never ends" in result.fault.message
    numbers = [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]{3,}", result.fault.message)]
    assert numbers[0] > numbers[1] >= 100_000
    profile = await device.profile(program, plan(), {"x": X}, budget=budget)
    assert profile.fault is not None
    assert profile.fault.verdict is Verdict.TIMEOUT
    good = await device.run(compiled(DOUBLE), plan(), {"x": X}, poison=1, budget=budget)
    assert good.fault is None


async def test_without_proof_that_it_never_ends_a_kernel_is_undecided(
    isolation: Isolation, device: SimulatedDevice
) -> None:
    result = await device.run(compiled(ENDLESS), plan(), {"x": X}, poison=1, budget=Budget(0.3))
    assert result.fault is not None
    assert (result.fault.verdict, result.fault.line) == (Verdict.UNDECIDED, 1)
    assert "0.3 s of processor time" in result.fault.message


async def test_a_worker_that_is_lost_is_replaced_and_lost_twice_is_undecided(
    isolation: Isolation, worker_pids: Callable[[], list[int]]
) -> None:
    program, endless = compiled(DOUBLE), compiled(ENDLESS)

    async def kill_after(seconds: float) -> None:
        await asyncio.sleep(seconds)
        for pid in worker_pids():
            os.kill(pid, signal.SIGKILL)

    async with SimulatedDevice("sim:h200", isolation) as device:
        await device.warm()
        killing = asyncio.create_task(kill_after(0.5))
        result = await device.run(endless, plan(), {"x": X}, poison=1, budget=Budget(60, backstop_s=3))
        await killing
        assert result.fault is not None
        assert result.fault.verdict is Verdict.UNDECIDED
        assert "and another one before" in result.fault.message
        good = await device.run(program, plan(), {"x": X}, poison=1, budget=Budget(60))
        assert good.fault is None


async def test_too_much_memory_is_a_resource_limit(isolation: Isolation) -> None:
    program = compiled(DOUBLE)
    size = 1 << 26
    async with SimulatedDevice("sim:h200", isolation, memory_bytes=1 << 29) as device:
        result = await device.run(
            program, plan(size), {"x": np.zeros(size, np.float32)}, poison=1, budget=Budget(60)
        )
    assert result.fault is not None
    assert result.fault.verdict is Verdict.RESOURCE_LIMIT
    assert "0.5 GiB" in result.fault.message


async def test_plans_run_side_by_side_beside_one_that_hangs(
    isolation: Isolation, device: SimulatedDevice
) -> None:
    good, endless = compiled(DOUBLE), compiled(ENDLESS)
    programs = [good, endless, good, good]
    results = await asyncio.gather(
        *(
            device.run(program, plan(), {"x": X}, poison=seed, budget=Budget(5, Work(10**8, 10**5)))
            for seed, program in enumerate(programs)
        )
    )
    verdicts = [result.fault.verdict if result.fault else Verdict.PASS for result in results]
    assert verdicts == [Verdict.PASS, Verdict.TIMEOUT, Verdict.PASS, Verdict.PASS]


async def test_cancelling_a_run_leaves_no_worker(
    isolation: Isolation, device: SimulatedDevice, worker_pids: Callable[[], list[int]]
) -> None:
    program = compiled(ENDLESS)
    task = asyncio.create_task(device.run(program, plan(), {"x": X}, poison=1, budget=Budget(60)))
    await asyncio.sleep(0.8)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(100):
        if not worker_pids():
            return
        await asyncio.sleep(0.02)
    pytest.fail("a worker outlived the run")
