"""Results at the benchmark shapes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.budget import Work
from sandbox.verdict import Verdict
from tests.sandbox.simulator import in_process
from tools.judge.families import far_worse
from tools.local_toolbox import LocalToolbox
from tools.reports import CaseReport, CheckReport, TestReport
from tools.stages.shapes import hidden_work
from tools.tasks.task import DimLimits, Task
from tools.toolbox import CheckOrder

RIGHT = """\
//@ launch twice<<<ceil_div(n, 128), 128>>>(x, y, n)
extern "C" __global__ void twice(const float* x, float* y, int n) {
    int i = blockIdx.x * 128 + threadIdx.x;
    if (i < n) y[i] = 2.0f * x[i];
}
"""
GATED = RIGHT.replace("2.0f * x[i]", "n > 1000 && i % 97 == 5 ? 2.001f * x[i] : 2.0f * x[i]")


@pytest.fixture
async def toolbox(tmp_path: Path) -> AsyncIterator[LocalToolbox]:
    async with in_process.toolbox(tmp_path) as opened:
        yield opened


async def test_a_kernel_that_is_wrong_only_at_the_benchmark_sizes_is_found_out(
    doubling: Task, toolbox: LocalToolbox
) -> None:
    assert (await toolbox.do(CheckOrder(doubling, GATED, benches=False))).verdict is Verdict.PASS
    report = await toolbox.do(CheckOrder(doubling, GATED))
    assert report.verdict is Verdict.WRONG_RESULT
    assert "n=4096" in report.message
    assert report.stages[-1].name == "shapes"
    assert report.bench is not None
    assert report.bench.cases[0].wrong == 4096 // 97 + 1


async def test_a_right_kernel_is_right_at_every_shape(doubling: Task, toolbox: LocalToolbox) -> None:
    report = await toolbox.do(CheckOrder(doubling, RIGHT))
    assert report.verdict is Verdict.PASS
    assert report.bench is not None
    assert [case.dims for case in report.bench.cases] == [{"n": 4096}, {"n": 8192}]
    assert report.bench.not_judged == ()


LARGE = 1 << 20


def with_a_large_shape(doubling: Task) -> Task:
    sizes = (replace(doubling.benches[0], dims={"n": LARGE}), doubling.benches[0])
    return replace(doubling, benches=sizes, sha="ab" * 32)


async def judged_at_a_large_shape(doubling: Task, folder: Path, kernel: str) -> CheckReport:
    async with in_process.toolbox(folder, bench_work=1e6) as toolbox:
        return await toolbox.do(CheckOrder(with_a_large_shape(doubling), kernel, seed=1))


async def test_beyond_the_work_what_a_sample_of_blocks_writes_is_judged_and_the_report_says_so(
    doubling: Task, tmp_path: Path
) -> None:
    report = await judged_at_a_large_shape(doubling, tmp_path, RIGHT)
    assert report.verdict is Verdict.PASS, report.message
    assert report.not_judged == ()
    assert report.bench is not None
    assert report.bench.sampled == ({"n": LARGE},)
    assert [case.dims for case in report.bench.cases] == [{"n": LARGE}, {"n": 4096}]
    assert 128 * 128 < report.bench.cases[0].total <= 256 * 128
    assert f"At n={LARGE}, what about 256 blocks wrote is right" in report.stages[-1].message


@pytest.mark.parametrize(
    ("wrong", "verdict"),
    [
        ("n > 100000 && i % 97 == 5 ? 2.001f * x[i] : 2.0f * x[i]", Verdict.WRONG_RESULT),
        ("n > 100000 && i >= n - 3 ? 0.0f : 2.0f * x[i]", Verdict.WRONG_RESULT),
        ("n > 100000 && i == 0 ? x[n] : 2.0f * x[i]", Verdict.MEMORY_FAULT),
    ],
    ids=["everywhere", "the tail", "beyond the buffer"],
)
async def test_sampled_blocks_that_are_wrong_or_fault_fail_the_kernel(
    doubling: Task, tmp_path: Path, wrong: str, verdict: Verdict
) -> None:
    report = await judged_at_a_large_shape(doubling, tmp_path, RIGHT.replace("2.0f * x[i]", wrong))
    assert report.verdict is verdict, report.message
    assert f"n={LARGE}" in report.message


TWICE_IN_ROW = RIGHT.replace("//@", "//@ launch twice<<<ceil_div(n, 128), 128>>>(x, y, n)\n//@", 1)


async def test_what_blocks_of_a_sample_leave_to_others_makes_the_kernel_undecided(
    doubling: Task, tmp_path: Path
) -> None:
    """Seven eighths of each tile are right, and the rest is left to a few blocks that hardly any sample meets."""
    some = RIGHT.replace(
        "if (i < n) y[i] = 2.0f * x[i];",
        "if (i < n && (n < 100000 || threadIdx.x < 112)) y[i] = 2.0f * x[i];\n"
        "    if (n >= 100000 && blockIdx.x == 1234) for (int k = threadIdx.x; k < n; k += 128)\n"
        "        if (k % 128 >= 112) y[k] = 2.0f * x[k];",
    )
    report = await judged_at_a_large_shape(doubling, tmp_path, some)
    assert report.verdict is Verdict.UNDECIDED, report.message
    assert f"{LARGE // 8 * 7} of its {LARGE} elements would be written" in report.stages[-1].message


@pytest.mark.parametrize(
    ("kernel", "why"),
    [
        (TWICE_IN_ROW, "2 launches build on each other"),
        (RIGHT.replace("if (i < n)", "if (i < n && atomicAdd(&seen, 1) >= 0)").replace(
            'extern "C"', '__device__ int seen;\nextern "C"'
        ), "work together by atomic operations (line 5)"),
    ],
)  # fmt: skip
async def test_where_blocks_depend_on_each_other_a_shape_is_only_counted_and_the_verdict_is_no_plain_pass(
    doubling: Task, tmp_path: Path, kernel: str, why: str
) -> None:
    report = await judged_at_a_large_shape(doubling, tmp_path, kernel)
    assert report.verdict is Verdict.PASS, report.message
    assert report.not_judged == ({"n": LARGE},)
    assert report.bench is not None
    assert report.bench.not_judged == ({"n": LARGE},)
    assert [case.dims for case in report.bench.cases] == [{"n": 4096}]
    assert "1 only counted, not judged" in report.stages[-1].message
    assert why in report.stages[-1].message


async def test_a_task_that_judges_whole_outputs_itself_is_not_asked_about_a_sample(
    doubling: Task, tmp_path: Path
) -> None:
    text = (
        doubling.reference
        + "\n\ndef compare(outputs, expected, inputs):\n    return None if (outputs['y'] == expected['y']).all() else 'no'\n"
    )
    task = replace(with_a_large_shape(doubling), reference=text, sha="ac" * 32)
    async with in_process.toolbox(tmp_path, bench_work=1e6) as toolbox:
        report = await toolbox.do(CheckOrder(task, RIGHT))
    assert report.verdict is Verdict.PASS, report.message
    assert report.not_judged == ({"n": LARGE},)
    assert "`compare` judges whole outputs" in report.stages[-1].message


SUM = """\
//@ define END = n - 3 if n > 40000 else n
//@ launch clear<<<1, 1>>>(y)
//@ launch total<<<64, 128>>>(x, y, END)
extern "C" __global__ void clear(float* y) { y[0] = 0.0f; }
extern "C" __global__ void total(const float* x, float* y, int n) {
    float sum = 0.0f;
    for (int i = blockIdx.x * 128 + threadIdx.x; i < n; i += gridDim.x * 128) sum += x[i];
    for (int d = 16; d; d /= 2) sum += __shfl_down_sync(~0u, sum, d);
    if (threadIdx.x % 32 == 0) atomicAdd(y, sum);
}
"""
DROPS, WHOLE = SUM, SUM.replace("n - 3 if n > 40000 else n", "n")
CLAMPS = WHOLE.replace("sum += x[i]", "sum += fminf(fmaxf(x[i], -100.0f), 100.0f)")


def summing(doubling: Task, baseline: str, sha: str) -> Task:
    x, y = doubling.arguments
    return replace(
        doubling,
        arguments=(x, replace(y, shape=("1",))),
        tests=(replace(doubling.tests[0], dims={"n": 300}), replace(doubling.tests[0], dims={"n": 5000})),
        benches=(replace(doubling.benches[0], dims={"n": 1 << 18}),),
        deterministic=False,
        reference="import numpy as np\n\n\ndef reference(x, n):\n    return {'y': np.sum(x).reshape(1)}\n",
        baseline=baseline,
        sha=sha,
    )


async def test_a_tail_that_is_dropped_only_at_a_benchmark_size_is_found_by_a_huge_element(
    doubling: Task, toolbox: LocalToolbox
) -> None:
    task = summing(doubling, WHOLE, "cd" * 32)
    report = await toolbox.do(CheckOrder(task, DROPS))
    assert report.verdict is Verdict.WRONG_RESULT, report.message
    assert "spikes(" in report.message
    assert (await toolbox.do(CheckOrder(task, WHOLE))).verdict is Verdict.PASS


async def test_huge_elements_that_the_baseline_does_not_bear_are_asked_of_nobody(
    doubling: Task, toolbox: LocalToolbox
) -> None:
    report = await toolbox.do(CheckOrder(summing(doubling, CLAMPS, "ef" * 32), CLAMPS))
    assert report.verdict is Verdict.PASS, report.message


DEAR = RIGHT.replace(
    "if (i < n) y[i] = 2.0f * x[i];",
    "if (i < n) { float v = x[i];\n        #pragma unroll 1\n"
    "        for (int k = 0; k < 40; ++k) v *= n < 0 ? 3.0f : 1.0f;\n        y[i] = 2.0f * v; }",
)
CLAMPS_DEARLY = DEAR.replace("float v = x[i]", "float v = fminf(fmaxf(x[i], -100.0f), 100.0f)")


class Watching(in_process.Simulator):
    """Notes of each run at a benchmark shape of how many blocks it was, and whether huge elements were among its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.at_shapes: list[tuple[int, bool]] = []

    async def run_all(self, program, plan, inputs, **limits):  # type: ignore[no-untyped-def]
        if len(inputs[0]["x"]) >= 4096:
            self.at_shapes.append((plan.sampled, bool(abs(inputs[0]["x"]).max() > 100)))
        return await super().run_all(program, plan, inputs, **limits)


@pytest.mark.parametrize(
    ("baseline", "huge"), [(DEAR, True), (CLAMPS_DEARLY, False)], ids=["it bears them", "it does not"]
)
async def test_a_dear_kernel_runs_once_at_a_shape_on_huge_elements_where_some_blocks_of_the_baseline_bear_them(
    doubling: Task, tmp_path: Path, baseline: str, huge: bool
) -> None:
    task = replace(doubling, baseline=baseline, benches=doubling.benches[:1], sha="ef" * 32)
    device = Watching()
    async with in_process.toolbox(tmp_path, device) as toolbox:
        report = await toolbox.do(CheckOrder(task, DEAR))
    assert report.verdict is Verdict.PASS, report.message
    assert device.at_shapes[0] == (64, True)
    assert device.at_shapes[1:] == [(0, huge)] * len(device.at_shapes[1:])
    assert len(device.at_shapes) > 1


async def test_what_is_wrong_beyond_the_benchmark_shapes_is_found_where_the_task_allows_such_sizes(
    doubling: Task, toolbox: LocalToolbox
) -> None:
    task = summing(doubling, WHOLE, "bc" * 32)
    wide = replace(task, limits={"n": DimLimits(max=1 << 19)}, sha="be" * 32)
    beyond = DROPS.replace("40000", str(1 << 18))
    assert (await toolbox.do(CheckOrder(task, beyond))).verdict is Verdict.PASS
    assert (await toolbox.do(CheckOrder(wide, beyond))).verdict is Verdict.WRONG_RESULT
    passed = await toolbox.do(CheckOrder(wide, WHOLE))
    assert passed.verdict is Verdict.PASS, passed.message
    assert "So is a size beyond them: n=" in passed.stages[-1].message


EXP = RIGHT.replace("2.0f * x[i]", "expf(x[i])")
BY_MATH = "import math\n\n\ndef reference(x, n):\n    return {'y': [math.exp(v) for v in x]}\n"


async def test_where_the_reference_has_no_answer_to_a_family_or_to_huge_elements_they_are_asked_of_nobody(
    doubling: Task, toolbox: LocalToolbox
) -> None:
    task = replace(doubling, reference=BY_MATH, baseline=EXP, sha="ab" * 32)
    report = await toolbox.do(CheckOrder(task, EXP))
    assert report.verdict is Verdict.PASS, report.message
    assert report.bench is not None
    assert len(report.bench.cases) == 2


async def test_a_shape_at_which_the_reference_has_no_answer_is_only_counted(
    doubling: Task, toolbox: LocalToolbox
) -> None:
    text = doubling.reference.replace("    return", "    assert n != 8192, 'too large'\n    return")
    report = await toolbox.do(CheckOrder(replace(doubling, reference=text, sha="12" * 32), RIGHT))
    assert report.verdict is Verdict.PASS, report.message
    assert report.bench is not None
    assert report.bench.not_judged == ({"n": 8192},)
    assert "too large" in report.bench.message


def ratio(*found: float | None) -> TestReport:
    cases = tuple(CaseReport({"n": 1}, 1, Verdict.PASS, "", worst_ratio=one) for one in found)
    return TestReport(Verdict.PASS, "", cases)


def test_a_kernel_is_to_blame_where_the_baseline_has_room_or_errs_far_less() -> None:
    assert far_worse(ratio(1.5), ratio(0.4))
    assert far_worse(ratio(60.0), ratio(0.1, 0.7))
    assert far_worse(ratio(None), ratio(0.9))
    assert not far_worse(ratio(2.5), ratio(0.7))


def test_a_run_that_does_far_more_than_was_counted_is_not_timed() -> None:
    assert hidden_work("n=4096", 1e6, Work(1_900_000, 100)) == ""
    assert hidden_work("n=4096", 1e6, None) == ""
    assert "executes 4e+07" in hidden_work("n=4096", 1e6, Work(40_000_000, 100))
