"""Workers that use the real PyCUDA before a driver's library without a GPU, confined as they are for a user."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sandbox.budget import Budget
from sandbox.device import Fault
from sandbox.devices.cuda import CudaDevice
from sandbox.devices.cuda_present import find_gpu, usable
from sandbox.errors import WorkerDiedError
from sandbox.isolation import gpu
from sandbox.isolation.base import Isolation
from sandbox.plan import LaunchMode, Plan
from sandbox.timing.measured import TimedPlan
from sandbox.timing.schedule import TimingRules
from sandbox.verdict import Provenance, Verdict
from tests.sandbox.cuda.fake_driver.build import BUS_ID, NAME
from tests.sandbox.cuda.standing_in import INPUTS, NODES, SIZE, X, Y, keep_rates, plan, program

pytestmark = pytest.mark.usefixtures("nothing_left")

confined = pytest.mark.parametrize("isolation", ["bubblewrap", "process"], indirect=True)
alike = pytest.mark.parametrize("isolation", ["process"], indirect=True)
"""For what is the same under every isolation."""


@pytest.fixture
async def device(stand_in: Path, isolation: Isolation) -> AsyncGenerator[CudaDevice]:
    keep_rates(stand_in)
    async with CudaDevice.on(find_gpu(0), isolation) as found:
        yield found


async def fault(device: CudaDevice, wanted: Plan, deadline_s: float = 20) -> Fault:
    result = await device.run(program(), wanted, INPUTS, poison=3, budget=Budget(deadline_s))
    assert result.fault is not None
    return result.fault


async def assert_right(device: CudaDevice) -> None:
    result = await device.run(program(), plan(), INPUTS, poison=3, budget=Budget(20))
    assert result.fault is None, result.fault
    np.testing.assert_array_equal(result.outputs["out"], X + Y)
    np.testing.assert_array_equal(result.inputs["x"], X)


@confined
async def test_a_plan_runs_in_a_worker_with_the_real_pycuda(device: CudaDevice) -> None:
    assert usable()
    assert (device.name, device.architecture) == ("cuda:0", "sm_90")
    await assert_right(device)
    facts = (await device.health()).facts
    assert (facts.name, facts.bus_id, facts.multiprocessors) == (NAME, BUS_ID, 4)
    wrong = await device.run(program(), plan("add_wrong"), INPUTS, poison=3, budget=Budget(20))
    assert np.flatnonzero(wrong.outputs["out"] != X + Y).tolist() == [SIZE - 1]


@confined
async def test_a_worker_with_real_pycuda_replaces_itself_after_a_sticky_error(
    device: CudaDevice, worker_pids: Callable[[], list[int]]
) -> None:
    await assert_right(device)
    before = set(worker_pids())
    found = await fault(device, plan("add_beyond_memory"))
    assert (found.verdict, found.kernel, found.line) == (Verdict.MEMORY_FAULT, "add_beyond_memory", 7)
    assert "an illegal memory access was encountered (CUDA_ERROR_ILLEGAL_ADDRESS)" in found.message
    await assert_right(device)
    assert before.isdisjoint(worker_pids())


@confined
async def test_a_kernel_that_never_ends_is_killed_and_the_next_worker_is_tried_out_first(
    device: CudaDevice,
) -> None:
    found = await fault(device, plan("add_without_end"), deadline_s=0.5)
    assert found.verdict is Verdict.TIMEOUT
    await assert_right(device)


@alike
async def test_a_write_past_the_end_of_a_buffer_hits_its_guard_zone(device: CudaDevice) -> None:
    found = await fault(device, plan("add_past_the_end"))
    assert (found.verdict, found.buffer) == (Verdict.MEMORY_FAULT, "out")
    # One byte in 256 is what it was before.
    assert found.offset in range(4 * SIZE, 4 * SIZE + 4)


@alike
async def test_launches_that_the_driver_refuses_cost_no_worker(
    device: CudaDevice, worker_pids: Callable[[], list[int]]
) -> None:
    await assert_right(device)
    before = set(worker_pids())
    wide = {"block": (1025, 1, 1)}
    greedy = {"shared_bytes": 1 << 20}
    crowded = {"mode": LaunchMode.COOPERATIVE, "grid": (1 << 20, 1, 1)}
    torn = {"mode": LaunchMode.CLUSTER, "cluster": (3, 1, 1)}
    for changes, name in (
        (wide, "INVALID_VALUE"), (greedy, "INVALID_VALUE"), (crowded, "COOPERATIVE_LAUNCH_TOO_LARGE"),
        (torn, "INVALID_CLUSTER_SIZE"), ({"kernel": "other"}, "NOT_FOUND"),
    ):  # fmt: skip
        found = await fault(device, plan(**changes))
        assert found.verdict is Verdict.LAUNCH_ERROR
        assert f"CUDA_ERROR_{name}" in found.message
    for changes in (
        {"shared_bytes": 100 << 10}, {"mode": LaunchMode.COOPERATIVE},
        {"mode": LaunchMode.CLUSTER, "cluster": (2, 1, 1)},
    ):  # fmt: skip
        result = await device.run(program(), plan(**changes), INPUTS, poison=3, budget=Budget(20))
        assert result.fault is None, result.fault
    assert set(worker_pids()) == before


@alike
async def test_buffers_that_do_not_fit_the_gpu_are_a_resource_limit(device: CudaDevice) -> None:
    buffers = tuple(replace(one, size=1 << 29) if one.name == "out" else one for one in plan().buffers)
    found = await fault(device, replace(plan(), buffers=buffers))
    assert found.verdict is Verdict.RESOURCE_LIMIT
    assert "out of memory (CUDA_ERROR_OUT_OF_MEMORY)" in found.message
    await assert_right(device)


@alike
async def test_a_candidate_is_timed_beside_a_baseline_by_real_events(device: CudaDevice) -> None:
    timed, rules = TimedPlan(program(), plan()), TimingRules(warm_s=0.05, limit_s=2)
    sets = [INPUTS, {"x": Y, "y": Y}]
    reloaded = replace(timed, program=replace(program(), globals_bytes=4))
    times = await device.time_pairs(reloaded, timed, sets, rules=rules, deadline_s=30)
    assert times.fault is None, times.fault
    assert len(times.candidate) == len(times.baseline) > 0
    assert times.candidate[0] == pytest.approx(2.004, rel=1e-3)
    assert times.warm == pytest.approx(2.004, rel=1e-2)
    assert times.clocks[0] == pytest.approx(1500)
    by_set = {output.inputs: output.values["out"] for output in times.outputs}
    for index, values in by_set.items():
        np.testing.assert_array_equal(values, sets[index]["x"] + sets[index]["y"])
    stray = await device.time_pairs(
        TimedPlan(program(), plan("add_beyond_memory")), timed, sets, rules=rules, deadline_s=30
    )
    assert stray.fault is not None
    assert (stray.fault.verdict, stray.of_baseline) == (Verdict.MEMORY_FAULT, False)
    await assert_right(device)


@alike
async def test_a_profile_without_counters_has_measured_times_and_says_why(device: CudaDevice) -> None:
    result = await device.profile(program(), plan(), INPUTS, budget=Budget(6))
    assert result.fault is None, result.fault
    assert result.provenance is Provenance.MEASURED
    assert result.latency_us == pytest.approx(2.004, rel=1e-3)
    assert [launch.kernel for launch in result.launches] == ["vector_add"]
    found = await device.ceilings()
    assert found is not None
    assert (found.bytes_per_s, found.cache_bytes) == (5e12, 1 << 20)


@confined
async def test_a_worker_that_may_not_use_the_gpus_node_says_that_there_is_no_gpu(
    device: CudaDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "device_nodes", lambda index: [Path(NODES[0])])
    with pytest.raises(WorkerDiedError, match="no CUDA-capable device is detected"):
        await device.health()
