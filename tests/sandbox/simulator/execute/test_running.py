"""Runs over several inputs side by side: each has its own memory and answer, and is judged as if it were alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from sandbox.device import Array, RunResult
from sandbox.simulator.execute import attempt, running
from sandbox.verdict import Verdict

SIZE = 300


def inputs(count: int) -> list[dict[str, Array]]:
    draw = np.random.default_rng(5)
    return [{"x": draw.integers(0, 100, SIZE).astype(np.int32)} for _ in range(count)]


def run_all(
    cuda: Any, source: str, given: Sequence[dict[str, Array]], poison: int = 4, **options: Any
) -> list[RunResult]:
    arguments = {"x": given[0]["x"], "out": ("int32", SIZE), "n": SIZE}
    program = cuda(source).program("k", assembled="mode" in options)
    return running.run_all(program, cuda(source).plan("k", 3, 128, arguments, **options), given, poison)


SUMS = """__device__ int seen;
extern "C" __global__ void k(const int* x, int* out, int n) {
  __shared__ int partial[128];
  int i = blockIdx.x * 128 + threadIdx.x;
  partial[threadIdx.x] = i < n ? x[i] : 0;
  __syncthreads();
  if (i < n) out[i] = partial[threadIdx.x] + (threadIdx.x ? partial[threadIdx.x - 1] : 0) + gridDim.x;
  if (i < n) atomicAdd(&seen, 1);
}"""
SERVED = """#include <cooperative_groups.h>
__device__ int total;
extern "C" __global__ void k(const int* x, int* out, int n) {
  int i = blockIdx.x * 128 + threadIdx.x;
  if (i < n) atomicAdd(&total, x[i]);
  cooperative_groups::this_grid().sync();
  if (i < n) out[i] = *(volatile int*)&total;
}"""


@pytest.mark.parametrize("poison", [4, 7])
def test_every_input_gets_its_own_answer(cuda: Any, poison: int) -> None:
    given = inputs(5)
    for own, result in zip(given, run_all(cuda, SUMS, given, poison), strict=True):
        assert result.fault is None, result.fault
        before = np.where(np.arange(SIZE) % 128, np.roll(own["x"], 1), 0)
        assert (result.outputs["out"] == own["x"] + before + 3).all()
        assert (result.inputs["x"] == own["x"]).all()


@pytest.mark.parametrize("poison", [4, 7])
def test_device_variables_and_grid_barriers_are_each_inputs_own(cuda: Any, poison: int) -> None:
    given = inputs(4)
    for own, result in zip(given, run_all(cuda, SERVED, given, poison, mode="cooperative"), strict=True):
        assert result.fault is None, result.fault
        assert (result.outputs["out"] == own["x"].sum()).all()


@pytest.fixture
def widths(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Over how many inputs each attempt ran."""
    found: list[int] = []
    once = attempt.Attempt.run

    def counted(self: attempt.Attempt, exact: bool | None, *, inverted: bool = False) -> Any:
        found.append(len(self.inputs))
        return once(self, exact, inverted=inverted)

    monkeypatch.setattr(attempt.Attempt, "run", counted)
    return found


def test_they_really_run_side_by_side(cuda: Any, widths: list[int]) -> None:
    assert len(run_all(cuda, SUMS, inputs(5))) == 5
    assert widths == [5]


def test_large_plans_run_one_after_another(
    cuda: Any, widths: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "LANES_PER_BATCH", 2 * 3 * 128)
    assert len(run_all(cuda, SUMS, inputs(5))) == 5
    assert widths == [2, 2, 1]


ASTRAY = """extern "C" __global__ void k(const int* x, int* out, int n) {
  int i = blockIdx.x * 128 + threadIdx.x;
  if (i < n) out[i] = x[x[0] == 77 ? i + (1 << 14) : i];
}"""


def test_what_reads_beyond_its_own_memory_faults_though_others_lie_behind_it(cuda: Any) -> None:
    given = inputs(4)
    for own in given:
        own["x"][0] = 1
    given[2]["x"][0] = 77
    *passed, failed = run_all(cuda, ASTRAY, given)
    assert [result.fault for result in passed] == [None, None]
    assert failed.fault is not None
    assert failed.fault.verdict is Verdict.MEMORY_FAULT
    assert failed.fault.block == (0, 0, 0)


RACES = SUMS.replace("__syncthreads();", "")
WRITES_ITS_INPUT = SUMS.replace(
    "partial[threadIdx.x] = i", "if (i == 9) ((int*)x)[9] = 0; partial[threadIdx.x] = i"
)
ADDS = SUMS.replace("if (i < n) out[i] =", "if (i < n) out[i] +=")


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        (RACES, Verdict.RACE),
        (WRITES_ITS_INPUT, Verdict.INPUT_MODIFIED),
        (ADDS, Verdict.UNINITIALIZED),
    ],
)
@pytest.mark.parametrize("poison", [4, 7])
def test_a_fault_of_all_is_told_of_the_first(cuda: Any, source: str, verdict: Verdict, poison: int) -> None:
    given = inputs(3)
    alone = running.run(
        cuda(source).program("k", assembled=False),
        cuda(source).plan("k", 3, 128, {"x": given[0]["x"], "out": ("int32", SIZE), "n": SIZE}),
        given[0],
        poison,
    )
    (result,) = run_all(cuda, source, given, poison)
    assert result.fault is not None
    assert result.fault == alone.fault
    assert result.fault.verdict is verdict
