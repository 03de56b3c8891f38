from __future__ import annotations

from dataclasses import replace

import pytest

from agent.niches import READ, SHARED_READ, niche_of
from sandbox.device import Bottleneck, Breakdown, Cause, LaunchProfile, Metric, WhatIf
from sandbox.program import KernelResources
from sandbox.verdict import Provenance, Verdict
from tools.reports import CheckReport, CompileReport, ProfileReport, ShapeTiming


def launch(us: float, bound: Bottleneck = Bottleneck.DRAM, **values: float) -> LaunchProfile:
    metrics = tuple(Metric(name, value, "", Provenance.COUNTED) for name, value in values.items())
    return LaunchProfile("k", 1, us, Provenance.ESTIMATED, bound, 0.5, 1, 1, metrics=metrics)


def checked(*launches: LaunchProfile, shared_bytes: int = 0) -> CheckReport:
    us = sum(one.latency_us for one in launches)
    shape = ShapeTiming({"n": 1}, us, Provenance.ESTIMATED, None, launches)
    profile = ProfileReport(
        Verdict.PASS, "", us, shapes=(shape,), bottleneck=Bottleneck.L2, roofline_fraction=0.4
    )
    resources = (KernelResources("k", "k", 32, shared_bytes, 0, 0, 0),)
    return CheckReport(
        Verdict.PASS, "t", "sim:h200", Provenance.ESTIMATED, "",
        compile=CompileReport(Verdict.PASS, "", resources=resources), profile=profile,
    )  # fmt: skip


def test_the_longest_launch_says_what_bounds_a_kernel() -> None:
    found = niche_of(checked(launch(1.0, Bottleneck.ATOMICS), launch(5.0, Bottleneck.XU)))
    assert found is not None
    assert (found.bottleneck, found.roofline) == (Bottleneck.XU, 0.4)
    assert found.decomposition.startswith("several, ")


@pytest.mark.parametrize(
    ("values", "shared_bytes", "memory"),
    [
        ({READ: 4.0}, 0, "narrow"),
        ({READ: 16.0}, 0, "wide"),
        ({READ: 4.0}, 1024, "narrow+shared"),
        ({READ: 16.0, SHARED_READ: 9.0}, 0, "wide+shared"),
    ],
)
def test_memory_use_is_read_from_requests_and_compiled_code(
    values: dict[str, float], shared_bytes: int, memory: str
) -> None:
    found = niche_of(checked(launch(1.0, **values), shared_bytes=shared_bytes))
    assert found is not None
    assert found.memory == memory


@pytest.mark.parametrize(("executed", "grain"), [(1e3, "thin"), (1e5, "medium"), (1e7, "thick")])
def test_how_much_a_thread_does_is_what_it_executes(executed: float, grain: str) -> None:
    one = replace(launch(1.0, launch__grid_size=10.0, launch__block_size=32.0), executed=executed)
    found = niche_of(checked(one))
    assert found is not None
    assert found.decomposition == f"one launch, {grain}"


def test_a_promise_is_what_is_left_when_the_worst_cause_of_each_launch_is_cured() -> None:
    cures = (WhatIf(Cause.BANK_CONFLICTS, 3.0), WhatIf(Cause.BARRIERS, 5.0))
    curable = replace(launch(8.0), breakdown=Breakdown((), 0.5, 1.0, cures, 0.1))
    found = niche_of(checked(curable, launch(2.0)))
    assert found is not None
    assert found.promise_us == pytest.approx(5.0)


def test_what_was_not_timed_has_no_niche() -> None:
    assert niche_of(CheckReport(Verdict.RACE, "t", "sim:h200", Provenance.ESTIMATED, "")) is None
