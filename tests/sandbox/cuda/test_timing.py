"""The timer before a recording driver whose clock the test writes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sandbox.cuda.driver import LaunchSettings
from sandbox.cuda.harness import Harness
from sandbox.cuda.timing import PairTiming
from sandbox.plan import FilledConstant, Role
from sandbox.timing.measured import PairedTimes, TimedPlan
from sandbox.timing.schedule import LOOKS, TimingRules
from sandbox.verdict import Verdict
from sandbox.worker.messages import CudaTimes
from tests.sandbox.cuda.recording_driver import RecordingDriver, doubling, integer
from tests.sandbox.cuda.test_running import LAUNCH, PLAN, PROGRAM, SIZE

SETS = tuple({"x": np.random.default_rng(seed).random(SIZE, np.float32)} for seed in range(3))
RULES = TimingRules(warm_s=0.01, limit_s=60.0)
CANDIDATE = TimedPlan(replace(PROGRAM, symbols={"k": "fast"}), PLAN)
BASE = TimedPlan(replace(PROGRAM, symbols={"k": "slow"}), PLAN)


class Wall:
    """A clock that goes on by a little whenever it is looked at."""

    def __init__(self, step: float = 1e-6) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def gpu(**options: Any) -> RecordingDriver:
    noise = np.random.default_rng(0)
    cost = {"fast": 10.0, "slow": 20.0}
    options = {"cost": lambda symbol, times: cost[symbol] * float(np.exp(noise.normal(0, 0.01)))} | options
    return RecordingDriver({"fast": doubling, "slow": doubling} | options.pop("kernels", {}), **options)


def timed(
    driver: RecordingDriver,
    baseline: TimedPlan | None = BASE,
    *,
    candidate: TimedPlan = CANDIDATE,
    rules: TimingRules = RULES,
    wall: Wall | None = None,
) -> CudaTimes:
    timing = PairTiming(driver, Harness(driver), rules, guard=1 << 8, clock=wall or Wall(1e-5))
    return timing.times(candidate, baseline, SETS)


def test_samples_come_in_pairs_and_stop_at_the_first_look_that_is_sure() -> None:
    driver = gpu()
    times = timed(driver).times
    assert times.fault is None
    assert len(times.candidate) == len(times.baseline) == LOOKS[0]
    assert np.median(times.baseline) / np.median(times.candidate) == pytest.approx(2, rel=0.02)
    assert len(times.clocks) == LOOKS[0]
    assert set(times.clocks) == {1500.0}
    assert len(driver.memory) == 1  # the harness's own cell


def test_a_sample_is_cold_and_its_events_wait_until_all_is_queued() -> None:
    driver = gpu()
    timed(driver)
    names = [call[1] if call[0] == "launch" else call[0] for call in driver.calls]
    at = names.index("fast")
    assert names[at - 1] == "record"
    assert names[at + 1] == "record"
    before = names[:at]
    order = ["reset_persisting_lines", "ww_read", "synchronize", "ww_spin", "record"]
    assert [
        name
        for name in before[len(before) - before[::-1].index("reset_persisting_lines") - 1 :]
        if name in order
    ] == order
    flushed = [count for _, _, count in driver.called("fill") if count > 4]
    assert set(flushed) == {2 * driver.facts.l2_bytes // 4}
    assert len(flushed) >= 2 * LOOKS[0]


def test_candidate_and_baseline_run_in_blocks_of_a_b_b_a_or_b_a_a_b() -> None:
    driver = gpu()
    timed(driver)
    runs = [name for name in driver.launched() if name in {"fast", "slow", "ww_clock"}]
    first, last = runs.index("ww_clock"), len(runs) - runs[::-1].index("ww_clock")
    pairs = "".join(name[0] for name in runs[first:last]).strip("w").split("ww")
    assert len(pairs) == LOOKS[0]
    assert set(pairs) <= {"fs", "sf"}
    assert all(one == other[::-1] for one, other in zip(pairs[::2], pairs[1::2], strict=True))


def test_outputs_of_timed_runs_come_back_once_for_each_set_of_inputs() -> None:
    times = timed(gpu()).times
    assert [output.inputs for output in times.outputs] == [0, 1, 2]
    assert sum(output.runs for output in times.outputs) + times.unkept == len(times.candidate)
    for output in times.outputs:
        np.testing.assert_array_equal(output.values["y"], 2 * SETS[output.inputs]["x"])
    assert times.unkept == 0


def test_a_kernel_that_works_only_while_it_is_warmed_up_leaves_what_it_did() -> None:
    def lazy(driver: RecordingDriver, settings: LaunchSettings, arguments: tuple[bytes, ...]) -> None:
        if driver.ran["fast"] < 25:
            doubling(driver, settings, arguments)

    times = timed(gpu(kernels={"fast": lazy})).times
    wrong = [o for o in times.outputs if not np.array_equal(o.values["y"], 2 * SETS[o.inputs]["x"])]
    assert wrong


def test_every_timed_run_has_poison_of_its_own() -> None:
    seen: set[bytes] = set()

    def looking(driver: RecordingDriver, settings: LaunchSettings, arguments: tuple[bytes, ...]) -> None:
        seen.add(driver.view(integer(arguments[1]), 4 * SIZE).tobytes())
        doubling(driver, settings, arguments)

    driver = gpu(kernels={"fast": looking})
    timed(driver, None)
    cold = driver.launched().count("fast")
    assert len(seen) >= LOOKS[0]
    assert len(seen) <= cold


def test_runs_that_differ_are_kept_as_far_as_there_is_room_and_every_set_has_its_share() -> None:
    def restless(driver: RecordingDriver, settings: LaunchSettings, arguments: tuple[bytes, ...]) -> None:
        driver.view(integer(arguments[1]), 4 * SIZE).view(np.float32)[:] = driver.ran["fast"]

    times = timed(gpu(kernels={"fast": restless}), rules=replace(RULES, kept=4)).times
    assert len(times.outputs) == 4
    assert {output.inputs for output in times.outputs} == {0, 1, 2}
    assert times.unkept == len(times.candidate) - 4


@pytest.mark.parametrize(("where", "verdict"), [("x", Verdict.INPUT_MODIFIED), ("y", Verdict.MEMORY_FAULT)])
def test_writes_to_inputs_and_guard_zones_end_the_timing(where: str, verdict: Verdict) -> None:
    def hostile(driver: RecordingDriver, settings: LaunchSettings, arguments: tuple[bytes, ...]) -> None:
        doubling(driver, settings, arguments)
        place = integer(arguments[0]) if where == "x" else integer(arguments[1]) + 4 * SIZE
        driver.view(place, 4).view(np.uint32)[:] ^= 1

    found = timed(gpu(kernels={"fast": hostile}))
    assert found.times.fault is not None
    assert (found.times.fault.verdict, found.times.of_baseline, found.spent) == (verdict, False, True)


def test_a_fault_of_the_baseline_is_not_the_candidates() -> None:
    def faulty(driver: RecordingDriver, settings: LaunchSettings, arguments: tuple[bytes, ...]) -> None:
        driver.deferred = 700

    found = timed(gpu(kernels={"slow": faulty}))
    assert found.times.fault is not None
    assert (found.times.fault.verdict, found.times.of_baseline) == (Verdict.MEMORY_FAULT, True)


def test_pairs_in_which_the_clock_changed_are_dropped_and_counted() -> None:
    def slowing(symbol: str, times: int) -> float:
        driver.facts = replace(
            driver.facts, clock_khz=1_500_000 if driver.ran.get("fast", 0) % 7 else 1_000_000
        )
        return 10.0

    driver = gpu()
    driver.cost = slowing
    times = timed(driver).times
    assert times.dropped > 0
    assert len(times.candidate) == len(times.baseline) == len(times.clocks)


def test_device_globals_are_loaded_anew_before_every_run_where_there_are_any() -> None:
    kept, counted = gpu(), gpu()
    timed(kept)
    timed(counted, candidate=replace(CANDIDATE, program=replace(CANDIDATE.program, globals_bytes=4)))
    assert len(kept.called("load")) == 3
    assert len(counted.called("load")) >= 3 + LOOKS[0]


def test_constant_arrays_hold_the_inputs_of_each_run_and_filling_them_is_not_timed() -> None:
    driver = gpu()
    driver.variables["W"] = (driver.allocate(8), 8)
    plan = replace(PLAN, constants=(FilledConstant("W", "x"),))
    times = timed(driver, candidate=replace(CANDIDATE, plan=plan)).times
    assert times is not None
    names = [name for name, *_ in driver.calls]
    fills = [at for at, call in enumerate(driver.calls) if call[:2] == ("copy", driver.variables["W"][0])]
    assert len(fills) > len(SETS)
    for at, call in enumerate(driver.calls):
        if call[:2] == ("launch", "fast") and "record" in names[at + 1 : at + 2]:
            begun = at - names[at::-1].index("record")
            assert not [fill for fill in fills if begun < fill < at]


def test_a_sample_whose_launches_came_too_late_is_taken_again_after_a_longer_delay() -> None:
    driver = gpu()
    timed(driver, wall=Wall(4e-4), rules=replace(RULES, limit_s=3.0))
    delays = [settings for symbol, settings in driver.called("launch") if symbol == "ww_spin"]
    assert len(delays) > driver.launched().count("ww_clock")


def test_the_time_limit_ends_it_between_blocks() -> None:
    noise = np.random.default_rng(1)
    driver = gpu(cost=lambda symbol, times: float(np.exp(noise.normal(0, 1))))
    times = timed(driver, wall=Wall(1e-5), rules=replace(RULES, limit_s=0.02)).times
    assert 0 < len(times.candidate) < LOOKS[-1]


def test_launch_cost_is_shown_apart_from_the_time_of_a_graph() -> None:
    driver = gpu(cost=lambda symbol, times: 3.0)
    times = timed(driver).times
    assert times.warm == pytest.approx(3.0)
    assert times.warm_baseline == pytest.approx(3.0)
    assert times.gap == pytest.approx(0.0)
    assert len(driver.called("begin_graph")) == len(driver.called("drop_graph")) == 2
    assert set(times.empty) == {2.0}


def test_a_kernel_that_changes_its_inputs_has_no_warm_time() -> None:
    buffers = tuple(replace(one, role=Role.INOUT) if one.name == "y" else one for one in PLAN.buffers)
    plan = replace(PLAN, buffers=buffers, launches=(LAUNCH,))
    driver = gpu()
    sets = [one | {"y": np.zeros(SIZE, np.float32)} for one in SETS]
    timing = PairTiming(driver, Harness(driver), RULES, guard=1 << 8, clock=Wall(1e-5))
    times: PairedTimes = timing.times(replace(CANDIDATE, plan=plan), None, sets).times
    assert (times.fault, times.warm, times.gap) == (None, None, None)
    assert not driver.called("begin_graph")
