"""The profile stage, with the real compiler and a device whose clock is a function."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.device import Bottleneck, Fault, Hotspot, LaunchProfile, ProfileResult
from sandbox.plan import Plan
from sandbox.program import Program
from sandbox.verdict import Provenance, Verdict
from tests.compiling import InProcess
from tests.tools.function_device import FunctionDevice
from tools.judge.oracle import bench_samples
from tools.stages.compiling import CompileStage
from tools.stages.profiling import ProfileStage, geometric_mean, with_text
from tools.tasks.task import Task


def clock(program: Program, plan: Plan) -> float:
    """Blocks of 256 threads take 10 us at 4096 elements; smaller blocks take longer in proportion."""
    return 10.0 * plan.buffers[0].size / 4096 * 256 / plan.launches[0].block[0]


@pytest.fixture
def compiler() -> InProcess:
    return InProcess()


def stage(compiler: InProcess, device: FunctionDevice, *, repeatable: bool = False) -> ProfileStage:
    return ProfileStage(CompileStage(compiler, "sm_90"), device, bench_samples, repeatable=repeatable)


def device() -> FunctionDevice:
    return FunctionDevice(lambda program, plan, buffers: None, clock)


def test_the_lines_that_cost_most_come_with_their_text() -> None:
    hot = (
        Hotspot(2, "st", "sectors per request", 32.0, 1.0),
        Hotspot(9, "st", "", 1.0, 0.1),
        Hotspot(None, "", "", 1, 0),
    )
    launch = LaunchProfile("k", 1, 3.0, Provenance.ESTIMATED, Bottleneck.DRAM, 0.5, 1, 1, hotspots=hot)
    [told] = with_text(ProfileResult(None, 3.0, launches=(launch,)), "first\n  y[i] = 0;\n").launches
    assert [one.text for one in told.hotspots] == ["y[i] = 0;", "", ""]


async def test_latency_and_speedup_are_geometric_means_over_the_shapes(
    compiler: InProcess, doubling: Task
) -> None:
    report = await stage(compiler, device()).profile(doubling, doubling.baseline, {"BLOCK": 256})
    assert report.verdict is Verdict.PASS
    assert report.latency_us == pytest.approx((10 * 20) ** 0.5)
    assert report.speedup == pytest.approx(2)
    assert [shape.baseline_us for shape in report.shapes] == [20, 40]
    assert report.provenance is Provenance.ESTIMATED
    assert report.message.startswith("14.14 us estimated, 2 times as fast as the baseline, bound by dram")
    assert (report.bottleneck, report.roofline_fraction) == ("dram", 0.5)


async def test_the_baseline_is_timed_once(compiler: InProcess, doubling: Task) -> None:
    used = device()
    profiling = stage(compiler, used)
    for _ in range(2):
        await profiling.profile(doubling, doubling.baseline, {"BLOCK": 64})
    assert len(used.profiled) == 2 * len(doubling.benches) + len(doubling.benches)


async def test_a_repeatable_device_is_not_asked_twice_for_the_same_code(
    compiler: InProcess, doubling: Task
) -> None:
    used = device()
    profiling = stage(compiler, used, repeatable=True)
    first = await profiling.profile(doubling, doubling.baseline)
    commented = await profiling.profile(doubling, doubling.baseline + "// the same\n")
    assert first == commented
    assert len(used.profiled) == len(doubling.benches)


class Faulty(FunctionDevice):
    """Refuses the larger shape."""

    async def profile(
        self, program: Program, plan: Plan, *arguments: object, **options: object
    ) -> ProfileResult:
        if plan.buffers[0].size > 5000:
            return ProfileResult(Fault(Verdict.UNSUPPORTED, "no such instruction"))
        return ProfileResult(None, 1.0)


async def test_a_fault_at_any_shape_is_the_verdict_and_names_the_shape(
    compiler: InProcess, doubling: Task
) -> None:
    faulty = Faulty(lambda program, plan, buffers: None)
    profiled = await stage(compiler, faulty).profile(doubling, doubling.baseline)
    assert profiled.verdict is Verdict.UNSUPPORTED
    assert profiled.message == "At benchmark shape n=8192: no such instruction"
    assert profiled.latency_us is None


async def test_a_kernel_that_does_not_compile_has_no_latency(compiler: InProcess, doubling: Task) -> None:
    profiled = await stage(compiler, device()).profile(doubling, doubling.baseline.replace("y[i]", "z[i]"))
    assert profiled.verdict is Verdict.COMPILE_ERROR
    assert profiled.message.startswith("At benchmark shape n=4096: kernel.cu:5")


async def test_a_task_without_benchmark_shapes_passes_without_a_latency(
    compiler: InProcess, doubling: Task
) -> None:
    profiled = await stage(compiler, device()).profile(replace(doubling, benches=()), doubling.baseline)
    assert (profiled.verdict, profiled.latency_us) == (Verdict.PASS, None)


@given(values=st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=8))
def test_the_geometric_mean_lies_between_the_extremes(values: list[float]) -> None:
    mean = geometric_mean(values)
    assert mean is not None
    assert min(values) * (1 - 1e-9) <= mean <= max(values) * (1 + 1e-9)


def test_there_is_no_geometric_mean_of_nothing_or_of_zero() -> None:
    assert geometric_mean([]) is None
    assert geometric_mean([1.0, 0.0]) is None


async def test_an_estimate_below_what_the_task_needs_at_peak_rates_is_no_latency(
    compiler: InProcess, doubling: Task
) -> None:
    """Moving 32 KiB takes an H200 at least 7 ns; where the clock says less, the number says nothing of the kernel."""

    class Simulated(FunctionDevice):
        name = "sim:h200"

    for latency, verdict in ((0.001, Verdict.UNDECIDED), (0.1, Verdict.PASS)):
        fast = Simulated(lambda program, plan, buffers: None, lambda program, plan, us=latency: us)
        report = await stage(compiler, fast).profile(doubling, doubling.baseline)
        assert report.verdict is verdict
        assert ("implausible: 0.001 us cannot be" in report.message) is (verdict is Verdict.UNDECIDED)
