"""How `benchmarks.gpu` divides its time: everything gets some, and what does not fit is named."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from benchmarks.gpu import budget
from benchmarks.gpu.__main__ import SHARES, device_of, status
from benchmarks.gpu.budget import Clock, shares, within
from benchmarks.gpu.kernel_parts import KernelParts
from benchmarks.gpu.kernels import entries
from benchmarks.gpu.measuring import Machine
from benchmarks.gpu.results import Kernel, Results, markdown
from sandbox.device import LaunchProfile
from sandbox.errors import UsageError
from sandbox.facts import Fact
from sandbox.verdict import Provenance, Verdict
from tests.benchmarks.fake_gpu_run import kernels
from tests.compiling import InProcess
from tools.reports import CheckReport, ProfileReport, ShapeTiming
from tools.tasks.task import Task
from tools.toolbox import Order, ProfileOrder


@dataclass
class Watch:
    """A clock that a test turns."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def watch(monkeypatch) -> Watch:
    found = Watch()
    monkeypatch.setattr(budget, "time", found)
    return found


def begun(seconds: float = 100.0) -> Clock:
    clock = Clock(seconds)
    clock.part(1.0)
    return clock


def test_sixty_kernels_that_take_all_they_may_are_all_begun(watch):
    clock, limits = begun(270.0), []
    for limit in shares(clock, [1.0] * 60):
        limits.append(limit)
        watch.now += limit * 0.66
    assert len(limits) == 60
    assert min(limits) > budget.LEAST_S
    assert watch.now <= 270


def test_however_long_each_takes_the_part_ends_in_time(watch):
    limits = []
    for limit in shares(begun(), [1.0] * 20):
        limits.append(limit)
        watch.now += limit
    assert watch.now <= 100
    assert limits[0] == pytest.approx(1.5 * 100 / 20)


def test_what_one_leaves_the_others_get_and_none_gets_more_than_a_minute(watch):
    limits = shares(begun(), [1.0] * 4)
    first = next(limits)
    assert next(limits) > first, "the first one took no time"
    watch.now = 40
    assert next(limits) == pytest.approx(1.5 * 60 / 2)
    assert next(shares(begun(1000), [1.0])) == budget.ITEM_S


def test_the_first_kernel_of_a_task_may_take_longer(watch):
    limits = shares(begun(), [4.0, 1.0, 1.0])
    assert next(limits) == budget.ITEM_S
    watch.now = 60
    assert next(limits) == pytest.approx(1.5 * 40 / 2)


def test_parts_follow_each_other_and_leave_some_time(watch):
    clock = Clock(100)
    assert sum(SHARES.values()) < 1
    clock.part(0.2)
    watch.now = 5
    clock.part(0.1)
    assert clock.left == pytest.approx(25)


def test_what_does_not_fit_or_fails_is_named():
    skipped: list[str] = []

    async def long() -> int:
        await asyncio.sleep(60)
        return 1

    async def bad() -> int:
        raise UsageError("of its own fault")

    async def good() -> int:
        return 1

    async def all_of_them() -> list[int | None]:
        return [
            await within(0.5, skipped, "none left", good),
            await within(1.05, skipped, "too long", long),
            await within(10, skipped, "bad", bad),
            await within(10, skipped, "good", good),
        ]

    assert asyncio.run(all_of_them()) == [None, None, None, 1]
    assert skipped == ["none left: out of time", "too long: not done within 1 s", "bad: of its own fault"]


@dataclass
class Tools:
    """Toolboxes and a GPU that take a time by the test's clock, and say what they were asked."""

    watch: Watch
    takes_s: float = 1.0
    asked: list[str] = field(default_factory=list)
    name: str = "cuda:0"
    architecture: str = "sm_90"
    measures: bool = True

    async def do(self, order: Order[Task, Any]) -> CheckReport | ProfileReport:
        if isinstance(order, ProfileOrder):
            return self._report(Provenance.ESTIMATED)
        self._note("time")
        profile = self._report(Provenance.MEASURED)
        return CheckReport(Verdict.PASS, order.task.name, self.name, Provenance.MEASURED, "", profile=profile)

    async def time_pairs(self, candidate, baseline, inputs, *, rules, deadline_s):
        raise AssertionError("toolboxes time")

    async def ceilings(self) -> None:
        return None

    async def explain(self, timed, inputs, parts, *, deadline_s) -> tuple[LaunchProfile, ...]:
        self._note("count")
        launch = self._launch(Provenance.MEASURED)
        return (replace(launch, bottleneck="dram", note="ncu has less than all"),)

    def _note(self, what: str) -> None:
        self.watch.now += self.takes_s
        self.asked.append(what)

    def _report(self, provenance: Provenance) -> ProfileReport:
        shape = ShapeTiming({}, 3.0, provenance, launches=(self._launch(provenance),))
        return ProfileReport(Verdict.PASS, "", 3.0, provenance, shapes=(shape,))

    def _launch(self, provenance: Provenance) -> LaunchProfile:
        return LaunchProfile("k", 1, 3.0, provenance, "", 0.5, 1, 1)


def measured(watch: Watch, seconds: float) -> tuple[Results, Tools]:
    """Time, estimate and count three kernels in so many seconds for each part."""
    tools, clock = Tools(watch), Clock(seconds)
    results = Results("cuda:0", "sim:h200", "", "")
    machine = Machine(tools, tools, lambda: tools, tools, InProcess())
    parts = KernelParts(machine, clock, results, kernels(), lambda: None)

    async def all_parts() -> None:
        for part in (parts.time, parts.estimate, parts.count):
            clock.part(1.0)
            await part()

    asyncio.run(all_parts())
    return results, tools


def test_every_kernel_is_timed_before_any_is_counted(watch):
    results, tools = measured(watch, 20.0)
    assert tools.asked == ["time"] * 3 + ["count"] * 3
    assert [one.measured_us for one in results.kernels] == [3.0] * 3
    assert {one.measured_bottleneck for one in results.kernels} == {"dram"}
    assert results.skipped == ["counters: ncu has less than all"], "once, not for every kernel"


def test_counters_for_which_there_is_no_time_are_named_and_the_times_are_there(watch, monkeypatch):
    monkeypatch.setattr(Tools, "takes_s", 1.9, raising=False)
    monkeypatch.setattr(Tools, "_note", _slow_counting)
    results, tools = measured(watch, 4.0)
    assert tools.asked == ["time"] * 3 + ["count"]
    assert all(one.measured_us for one in results.kernels)
    assert results.skipped[-1] == ("counters of 2 kernels: out of time: vector_add/slow, vector_add/wrong")


def _slow_counting(self: Tools, what: str) -> None:
    self.watch.now += 11.0 if what == "count" else 0.5
    self.asked.append(what)


def test_the_results_say_which_kernel_files_and_which_device_they_are_of(watch):
    results, _ = measured(watch, 20.0)
    assert [(one.sha, one.task_sha) for one in results.kernels] == [
        (one.sha, one.task.sha) for one in kernels()
    ]
    known = [Fact("GPU cuda:0", True, "NVIDIA H200, driver 580.65.06"), Fact("numpy", True, "2")]
    assert device_of(known, "cuda:0") == "NVIDIA H200, driver 580.65.06"
    assert device_of(known, "cuda:1") == ""
    text = markdown(replace(results, device="NVIDIA H200, driver 580.65.06", date="a day", command="this"))
    assert "NVIDIA H200, driver 580.65.06.\n\na day, `this`, 0 s." in text


def test_kernels_of_a_group_lie_side_by_side_the_baseline_first():
    groups = [entry.group for entry in entries()]
    assert [group for group, after in zip(groups, [*groups[1:], ""], strict=True) if group != after] == list(
        dict.fromkeys(groups)
    )
    assert [entry.variant for entry in entries(("softmax",))][:2] == ["baseline", "best"]


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [(["pass", "pass"], 0), (["pass", ""], 0), (["pass", "race"], 1), (["", ""], 1), ([], 1)],
)
def test_a_kernel_without_time_is_no_failure_but_none_at_all_is(verdicts, expected):
    found = [Kernel("task", str(place), verdict=verdict) for place, verdict in enumerate(verdicts)]
    assert status(Results("cuda:0", "sim:h200", "", "", kernels=found)) == expected
