"""Nsight Compute in front of a job: what it is asked, and what is made of its answers."""

from __future__ import annotations

import pytest

from sandbox.nsight import counters
from sandbox.nsight.job import PlanRunner
from sandbox.nsight.profiler import NOT_INSTALLED, Profiler
from tests.sandbox.nsight.stand_ins import SAMPLE, doubled, recorded

TARGET = PlanRunner("simulate", "h200", packages=("numpy", "ml_dtypes"))


async def count(profiler: Profiler, *, full: bool = False):
    program, plan = doubled()
    return await profiler.count(program, plan, {"x": SAMPLE}, deadline_s=30, full=full)


@pytest.fixture
def table() -> str:
    program, _ = doubled()
    return recorded("ncu_raw.csv", symbol=program.symbols["doubled"])


async def test_each_launch_of_the_plan_gets_its_counters(stand_in, table):
    ncu = stand_in("ncu", table)
    counted = await count(Profiler(TARGET, program=ncu.path))
    assert counted.note == ""
    assert [launch.values["gpu__time_duration.sum"] for launch in counted.launches] == [
        (2368, "nsecond"),
        (2400, "nsecond"),
    ]
    (words,) = ncu.calls
    assert words[words.index("--kernel-name") + 1] == f"regex:^({doubled()[0].symbols['doubled']})$"


async def test_every_section_is_asked_for_where_all_is_wanted_and_only_then(stand_in, table):
    ncu = stand_in("ncu", table)
    profiler = Profiler(TARGET, program=ncu.path)
    assert (await count(profiler, full=True)).launches
    assert (await count(profiler)).launches
    whole, small = ncu.calls
    assert whole[whole.index("--set") + 1] == "full"
    assert "--set" not in small


async def test_metrics_that_are_not_there_are_left_out_and_named(stand_in, table):
    ncu = stand_in("ncu", recorded("ncu_unknown.txt"), table)
    profiler = Profiler(TARGET, program=ncu.path)
    counted = await count(profiler)
    assert len(counted.launches) == 2
    missing = "lts__d_atomic_input_cycles_active.avg.pct_of_peak_sustained_elapsed"
    assert counted.note.endswith(missing)
    first, second = ncu.calls
    asked = second[second.index("--metrics") + 1].split(",")
    assert missing in first[first.index("--metrics") + 1].split(",")
    assert missing not in asked
    assert len(asked) == len(counters.SMALL) - 1


async def test_forbidden_counters_are_asked_for_once(stand_in):
    ncu = stand_in("ncu", recorded("ncu_forbidden.txt"))
    profiler = Profiler(TARGET, program=ncu.path)
    assert (await count(profiler)).note == counters.COUNTERS_FORBIDDEN
    assert (await count(profiler)).note == counters.COUNTERS_FORBIDDEN
    assert len(ncu.calls) == 1


async def test_a_table_of_other_launches_is_not_taken_for_the_plans(stand_in):
    ncu = stand_in("ncu", recorded("ncu_raw.csv", symbol="another"))
    counted = await count(Profiler(TARGET, program=ncu.path))
    assert counted.launches == ()
    assert "2 launches where 2 were due" in counted.note


async def test_without_nsight_compute_the_reason_says_where_it_comes_from(monkeypatch):
    monkeypatch.setattr("sandbox.nsight.profiler.find_program", lambda name: None)
    assert (await count(Profiler(TARGET))).note == NOT_INSTALLED
