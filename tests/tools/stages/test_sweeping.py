"""The sweep over tunables."""

from __future__ import annotations

import pytest

from sandbox.program import KernelResources
from sandbox.verdict import Verdict
from tools.reports import CompileReport, ProfileReport, TestReport
from tools.stages.sweeping import MAX_WRONG, Sweep, Tune, sweep_settings


async def twice_as_many(tune: Tune) -> int:
    """Each setting has twice the threads of the one before."""
    return 2 ** tune["B"]


async def swept(
    latencies: dict[int, float | None],
    wrong: frozenset[int] | set[int] = frozenset(),
    registers: dict[int, int] | None = None,
) -> tuple[Sweep, list[int]]:
    tested: list[int] = []

    async def profile(tune: Tune) -> ProfileReport:
        latency = latencies[tune["B"]]
        if latency is None:
            return ProfileReport(Verdict.LAUNCH_ERROR, f"B={tune['B']} is too large")
        return ProfileReport(Verdict.PASS, f"{latency} us", latency)

    async def test(tune: Tune) -> TestReport:
        tested.append(tune["B"])
        return TestReport(Verdict.WRONG_RESULT if tune["B"] in wrong else Verdict.PASS, "")

    async def compile_(tune: Tune) -> CompileReport:
        used = KernelResources("k", "k", (registers or {}).get(tune["B"], 32), 0, 0, 0, 0)
        return CompileReport(Verdict.PASS, "", resources=(used,))

    settings = [{"B": value} for value in latencies]
    return await sweep_settings(settings, profile, test, compile_, twice_as_many), tested


async def test_the_fastest_correct_setting_wins_and_is_tested() -> None:
    sweep, tested = await swept({1: 5.0, 2: 3.0, 3: 4.0})
    assert (sweep.verdict, sweep.tune, sweep.tried, tested) == (Verdict.PASS, {"B": 2}, 3, [2])
    assert sweep.test is not None
    assert sweep.message == "3 settings profiled; best B=2: 3.0 us"


@pytest.mark.parametrize(
    ("latencies", "growth", "tried"),
    [
        ({1: 400.0, 2: 390.0, 3: 380.0}, 1024, 2),
        ({1: 400.0, 2: 390.0, 3: 380.0}, 0, 1),
        ({1: 400.0, 2: 40.0, 3: 4.0}, 1024, 3),
        ({1: 40.0, 2: 39.0, 3: 41.0}, 0, 3),
    ],
)
async def test_a_kernel_far_behind_the_baseline_is_swept_only_if_its_settings_matter(
    latencies: dict[int, float], growth: int, tried: int
) -> None:
    async def profile(tune: Tune) -> ProfileReport:
        latency = latencies[tune["B"]]
        return ProfileReport(Verdict.PASS, "", latency, speedup=20.0 / latency)

    async def test(tune: Tune) -> TestReport:
        return TestReport(Verdict.PASS, "")

    async def compile_(tune: Tune) -> CompileReport:
        return CompileReport(Verdict.PASS, "")

    async def threads(tune: Tune) -> int:
        return 1024 + growth * tune["B"] * tune["B"]

    sweep = await sweep_settings([{"B": value} for value in latencies], profile, test, compile_, threads)
    assert sweep.tried == tried


async def test_a_fast_but_wrong_setting_yields_to_the_next() -> None:
    sweep, tested = await swept({1: 5.0, 2: 3.0, 3: 4.0}, wrong={2})
    assert (sweep.tune, tested) == ({"B": 3}, [2, 3])
    assert "1 fast but wrong" in sweep.message


async def test_where_the_default_is_fastest_its_test_is_completed() -> None:
    sweep, tested = await swept({1: 1.0, 2: 3.0})
    assert (sweep.tune, tested) == ({"B": 1}, [1])
    assert sweep.test is not None


async def test_a_default_that_is_wrong_at_what_it_was_not_tested_at_before_fails_the_kernel() -> None:
    sweep, tested = await swept({1: 1.0, 2: 3.0}, wrong={1})
    assert (sweep.verdict, sweep.tune, tested) == (Verdict.WRONG_RESULT, {"B": 1}, [1])
    assert sweep.test is not None
    assert [one.verdict for one in sweep.settings] == [Verdict.WRONG_RESULT, Verdict.PASS]


async def test_where_every_fast_setting_is_wrong_so_is_the_kernel() -> None:
    sweep, tested = await swept({1: 5.0, 2: 3.0}, wrong={1, 2})
    assert (sweep.verdict, tested) == (Verdict.WRONG_RESULT, [2, 1])


async def test_equal_latencies_keep_the_default() -> None:
    sweep, _ = await swept({1: 3.0, 2: 3.0})
    assert sweep.tune == {"B": 1}


async def test_of_settings_that_an_estimate_cannot_tell_apart_the_leaner_one_is_taken() -> None:
    sweep, tested = await swept({1: 5.0, 2: 3.0, 3: 3.05}, registers={2: 255, 3: 40})
    assert (sweep.tune, tested) == ({"B": 3}, [3])
    sweep, tested = await swept({1: 5.0, 2: 3.0, 3: 3.2}, registers={2: 255, 3: 40})
    assert (sweep.tune, tested) == ({"B": 2}, [2])


async def test_after_a_few_wrong_settings_the_default_is_taken() -> None:
    latencies: dict[int, float | None] = {0: 100.0, **{number: float(number) for number in range(1, 10)}}
    sweep, tested = await swept(latencies, wrong=set(range(1, 10)))
    assert (sweep.verdict, sweep.tune) == (Verdict.PASS, {"B": 0})
    assert tested == [*range(1, MAX_WRONG + 1), 0]


async def test_settings_that_the_device_refuses_are_left_out() -> None:
    sweep, _ = await swept({1: 5.0, 2: None})
    assert sweep.tune == {"B": 1}
    assert "1 of them failed" in sweep.message


async def test_where_nothing_can_be_profiled_the_default_says_why() -> None:
    sweep, _ = await swept({1: None, 2: None})
    assert sweep.verdict is Verdict.LAUNCH_ERROR
    assert sweep.message == "B=1 is too large"


async def test_where_only_the_default_fails_another_setting_is_taken() -> None:
    sweep, tested = await swept({1: None, 2: 4.0})
    assert (sweep.verdict, sweep.tune, tested) == (Verdict.PASS, {"B": 2}, [2])
