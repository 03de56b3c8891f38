"""A GPU as a device: its worker's role answers in this process, over a recording driver."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandbox import codec
from sandbox.budget import Budget
from sandbox.cuda.harness import Harness
from sandbox.devices.cuda import CudaDevice, probe
from sandbox.devices.cuda_present import PresentGpu, find_gpu
from sandbox.devices.cuda_role import CudaRole
from sandbox.devices.device_lock import DeviceLock
from sandbox.devices.open import device_name, open_device
from sandbox.errors import MissingDependencyError, UsageError, WorkerDeadlineError
from sandbox.isolation.gpu import GpuNode, gpus
from sandbox.isolation.process import ProcessIsolation
from sandbox.nsight.job import PlanRunner
from sandbox.timing.measured import TimedPlan
from sandbox.timing.schedule import TimingRules
from sandbox.verdict import Provenance, Verdict
from sandbox.wire import MessageLimits
from sandbox.worker_process import REPLY_LIMITS, WorkerMemoryError
from tests.sandbox.cuda.recording_driver import FACTS, RecordingDriver, doubling
from tests.sandbox.cuda.test_running import LAUNCH, PLAN, PROGRAM, SIZE, X

GPU = PresentGpu(0, "0000:01:00.0", "Recorded", "sm_90")


class Workers:
    """Answers as a worker would, through the wire's encoding; `makes` opens a fresh one."""

    def __init__(self, makes: Callable[[], RecordingDriver]) -> None:
        self._makes = makes
        self.opened: list[RecordingDriver] = []
        self.role: CudaRole | None = None
        self.error: Exception | None = None
        self.limits: list[MessageLimits] = []
        self.closed = False

    async def request(
        self,
        call: Any,
        *accepted: Any,
        deadline_s: float,
        limits: MessageLimits = REPLY_LIMITS,
        spent: Any = None,
    ) -> Any:
        if self.error is not None:
            raise self.error
        self.limits.append(limits)
        if self.role is None:
            driver = self._makes()
            self.opened.append(driver)
            self.role = CudaRole(driver, Harness(driver), guard=1 << 10)
        answer = self.role.answer(codec.from_message(codec.to_message(call), *self.role.accepts))
        answer = codec.from_message(codec.to_message(answer), *accepted)
        if spent is not None and spent(answer):
            self.role = None
        return answer

    async def aclose(self) -> None:
        self.closed = True


def device(workers: Workers, folder: Path) -> CudaDevice:
    lock = DeviceLock(folder / "lock")
    return CudaDevice(GPU, workers, workers, lock, PlanRunner("cuda:0", "cuda:0"), folder)


async def test_a_plan_runs_and_its_buffers_come_back(tmp_path: Path) -> None:
    workers = Workers(lambda: RecordingDriver({"_Z1kv": doubling}))
    used = device(workers, tmp_path)
    assert (used.name, used.architecture) == ("cuda:0", "sm_90")
    result = await used.run(PROGRAM, PLAN, {"x": X}, poison=1, budget=Budget(5))
    assert result.fault is None
    np.testing.assert_array_equal(result.outputs["y"], 2 * X)
    assert workers.limits[0].total - workers.limits[0].header == 8 * SIZE
    await used.aclose()
    assert workers.closed


async def test_a_timing_comes_back_with_its_pairs_and_outputs_and_a_forged_one_is_rejected(
    tmp_path: Path,
) -> None:
    workers = Workers(lambda: RecordingDriver({"_Z1kv": doubling}))
    used, timed = device(workers, tmp_path), TimedPlan(PROGRAM, PLAN)
    rules = TimingRules(warm_s=0.01)
    times = await used.time_pairs(timed, timed, [{"x": X}], rules=rules, deadline_s=20)
    assert times.fault is None
    assert len(times.candidate) == len(times.baseline) == 30
    np.testing.assert_array_equal(times.outputs[0].values["y"], 2 * X)
    assert workers.limits[0].total - workers.limits[0].header == rules.kept * 8 * SIZE
    forging = Workers(lambda: RecordingDriver({"_Z1kv": doubling}, cost=lambda *_: 1e9))
    times = await device(forging, tmp_path).time_pairs(timed, None, [{"x": X}], rules=rules, deadline_s=20)
    assert times.fault is not None
    assert times.fault.verdict is Verdict.REJECTED
    assert "samples of" in times.fault.message


async def test_a_profile_has_the_time_of_every_launch_and_what_bounds_it_by_rates_that_are_kept(
    tmp_path: Path,
) -> None:
    kept = {"copy_gbps": 4000.0, "fma_gflops": 60_000.0}
    (tmp_path / "Recorded-0000_01_00.0.json").write_text(json.dumps(kept))
    workers = Workers(lambda: RecordingDriver({"_Z1kv": doubling}, cost=lambda *_: 7.0))
    used = device(workers, tmp_path)
    plan = replace(PLAN, launches=(LAUNCH, LAUNCH))
    result = await used.profile(PROGRAM, plan, {"x": X[:3]}, budget=Budget(5))
    assert result.fault is None
    assert (result.latency_us, result.provenance) == (pytest.approx(14.0), Provenance.MEASURED)
    assert [launch.latency_us for launch in result.launches] == [pytest.approx(7.0)] * 2
    assert all(launch.roofline_fraction > 0 for launch in result.launches)
    found = await used.ceilings()
    assert found is not None
    assert (found.bytes_per_s, found.cache_bytes) == (5e12, FACTS.l2_bytes)


async def test_a_lost_context_costs_its_worker_and_the_next_run_gets_a_fresh_one(tmp_path: Path) -> None:
    faulty: list[int] = [700]

    def kernel(driver: RecordingDriver, *rest: Any) -> None:
        driver.deferred = faulty.pop() if faulty else 0
        doubling(driver, *rest)

    workers = Workers(lambda: RecordingDriver({"_Z1kv": kernel}))
    used = device(workers, tmp_path)
    first = await used.run(PROGRAM, PLAN, {"x": X}, poison=1, budget=Budget(5))
    assert first.fault is not None
    assert first.fault.verdict is Verdict.MEMORY_FAULT
    second = await used.run(PROGRAM, PLAN, {"x": X}, poison=1, budget=Budget(5))
    assert second.fault is None
    assert len(workers.opened) == 2
    refused = replace(PLAN, launches=(replace(LAUNCH, shared_bytes=1 << 20),))
    third = await used.run(PROGRAM, refused, {"x": X}, poison=1, budget=Budget(5))
    assert third.fault is not None
    assert third.fault.verdict is Verdict.LAUNCH_ERROR
    assert len(workers.opened) == 2


@pytest.mark.parametrize(
    ("error", "verdict"),
    [(WorkerDeadlineError("late"), Verdict.TIMEOUT), (WorkerMemoryError("full"), Verdict.RESOURCE_LIMIT)],
)
async def test_deaths_of_the_worker_come_back_as_faults(
    tmp_path: Path, error: Exception, verdict: Verdict
) -> None:
    workers = Workers(RecordingDriver)
    workers.error = error
    result = await device(workers, tmp_path).run(PROGRAM, PLAN, {"x": X}, poison=1, budget=Budget(5))
    assert result.fault is not None
    assert result.fault.verdict is verdict


async def test_a_run_waits_for_the_timing_of_another_process(tmp_path: Path) -> None:
    used = device(Workers(lambda: RecordingDriver({"_Z1kv": doubling})), tmp_path)
    async with DeviceLock(tmp_path / "lock").held(alone=True):
        waiting = asyncio.create_task(used.run(PROGRAM, PLAN, {"x": X}, poison=1, budget=Budget(5)))
        done, _ = await asyncio.wait({waiting}, timeout=0.1)
        assert not done
    assert (await waiting).fault is None


async def test_a_healthy_gpu_passes_its_probe_and_a_wrong_answer_is_named(tmp_path: Path) -> None:
    workers = Workers(RecordingDriver)
    assert (await device(workers, tmp_path).health()).facts == FACTS
    asked = probe()
    answer = await workers.request(asked.call, asked.accepted, deadline_s=1)
    assert asked.complaint(answer) is None
    assert "was due" in (asked.complaint(replace(answer, digest=answer.digest ^ 1)) or "")


def test_gpus_are_those_with_a_node_in_the_order_of_their_bus_ids(tmp_path: Path) -> None:
    listed, nodes = tmp_path / "gpus", tmp_path / "dev"
    nodes.mkdir()
    for bus_id, minor in (("0000:81:00.0", 0), ("0000:01:00.0", 3), ("0000:02:00.0", 1)):
        (listed / bus_id).mkdir(parents=True)
        (listed / bus_id / "information").write_text(f"Model: \t\t NVIDIA\nDevice Minor: \t {minor}\n")
    (nodes / "nvidia0").touch()
    (nodes / "nvidia3").touch()
    assert gpus(listed, nodes) == [
        GpuNode("0000:01:00.0", nodes / "nvidia3"), GpuNode("0000:81:00.0", nodes / "nvidia0"),
    ]  # fmt: skip
    assert gpus(tmp_path / "none", nodes) == []


def test_a_gpu_is_found_by_its_number_and_the_driver_says_what_it_is() -> None:
    nodes = [GpuNode("0000:01:00.0", Path("/dev/nvidia3")), GpuNode("0000:81:00.0", Path("/dev/nvidia0"))]
    told = {"0000:81:00.0": '{"name": "NVIDIA H200", "architecture": "sm_90"}'}
    assert find_gpu(1, nodes=nodes, ask=told.__getitem__) == PresentGpu(
        1, "0000:81:00.0", "NVIDIA H200", "sm_90"
    )
    with pytest.raises(MissingDependencyError, match=r"cuda:2.*this machine has 2.*sim:h200"):
        find_gpu(2, nodes=nodes, ask=told.__getitem__)


def test_auto_is_the_first_gpu_where_there_is_one_and_else_the_simulated_h200() -> None:
    assert device_name("auto", gpu=True) == "cuda:0"
    assert device_name("auto", gpu=False) == "sim:h200"
    assert (device_name("cuda"), device_name("cuda:13")) == ("cuda:0", "cuda:13")
    with pytest.raises(UsageError, match="cuda:N"):
        device_name("cuda:x")


@pytest.mark.skipif(bool(gpus()), reason="there is a GPU")
def test_without_a_gpu_the_text_says_so_and_what_to_use() -> None:
    with pytest.raises(MissingDependencyError, match=r"no NVIDIA GPU.*sim:h200"):
        open_device("cuda:0", ProcessIsolation())
