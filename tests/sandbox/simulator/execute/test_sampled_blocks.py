"""Runs of a sample of blocks: which of them run, and what can be told of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sandbox.device import RunResult
from sandbox.simulator.execute import running
from sandbox.verdict import Verdict

OWN = """extern "C" __global__ void k(const float* x, float* out, int n) {
  int i = blockIdx.x * 64 + threadIdx.x; if (i < n && i % 5) out[i] = 2 * x[i]; }"""


def sampled(cuda: Any, source: str, blocks: int, poison: int = 1, **options: Any) -> RunResult:
    x = np.arange(64 * 1000, dtype=np.float32)
    arguments = {"x": x, "out": ("float32", x.size), "n": x.size}
    program = cuda(source).program("k", assembled=options.get("mode") == "cooperative")
    plan = cuda(source).plan("k", 1000, 64, arguments, **options)
    return running.run(program, replace(plan, sampled=blocks), {"x": x}, poison)


def test_what_sampled_blocks_wrote_is_told_element_by_element(cuda: Any) -> None:
    result = sampled(cuda, OWN, 40)
    assert result.fault is None, result.fault
    told = result.told["out"]
    blocks = np.flatnonzero(told.reshape(1000, 64).any(axis=1))
    assert {0, 999} <= set(blocks.tolist())
    assert 30 < len(blocks) <= 40
    index = np.arange(told.size)
    assert (told == (np.isin(index // 64, blocks) & (index % 5 != 0))).all()
    assert (result.outputs["out"][told] == 2.0 * index[told]).all()


def test_the_block_that_wrote_most_says_how_much_all_may_write(cuda: Any) -> None:
    assert sampled(cuda, OWN, 40).reach == {
        "out": 1000 * 52
    }  # 64 consecutive numbers have 52 that 5 does not divide
    assert sampled(cuda, OWN.replace("i % 5", "i % 64 < 60"), 40).reach == {"out": 1000 * 60}
    assert sampled(cuda, OWN.replace("&& i % 5", ""), 2).reach == {"out": 1000 * 64}


def test_the_seed_draws_the_blocks_and_repeats_them(cuda: Any) -> None:
    first, again, other = (sampled(cuda, OWN, 40, poison).told["out"] for poison in (2, 2, 3))
    assert (first == again).all()
    assert (first != other).any()


def test_blocks_of_a_cluster_run_together(cuda: Any) -> None:
    result = sampled(cuda, OWN, 16, mode="cluster", cluster=(4, 1, 1))
    assert result.fault is None, result.fault
    blocks = np.flatnonzero(result.told["out"].reshape(1000, 64).any(axis=1))
    assert len(blocks) == 4 * len(set((blocks // 4).tolist())) <= 16


def test_a_whole_run_tells_nothing_of_its_own(cuda: Any) -> None:
    assert sampled(cuda, OWN, 0).told == {}


@pytest.mark.parametrize(
    ("source", "options", "reason"),
    [
        (OWN, {"launches": 2}, "2 launches build on each other"),
        (OWN.replace("out[i] =", "out[i] = 0 * atomicAdd(out + n - 1, 0.0f) +"), {}, "atomic operations"),
        (
            OWN.replace("out[i] =", "{ while (((volatile float*)out)[n - 1] == 0.0f); } out[i] ="),
            {},
            "wait for flags",
        ),
    ],
    ids=["launches", "atomics", "flags"],
)
def test_what_depends_on_other_blocks_cannot_be_told(
    cuda: Any, source: str, options: dict[str, Any], reason: str
) -> None:
    result = sampled(cuda, source, 40, **options)
    assert result.fault is not None
    assert result.fault.verdict is Verdict.UNDECIDED
    assert reason in result.fault.message


def test_atomic_operations_inside_a_block_are_its_own(cuda: Any) -> None:
    source = """extern "C" __global__ void k(const float* x, float* out, int n) {
      __shared__ int count; if (threadIdx.x == 0) count = 0; __syncthreads();
      atomicAdd(&count, 1); __syncthreads(); out[blockIdx.x * 64 + threadIdx.x] = count; }"""
    result = sampled(cuda, source, 8)
    assert result.fault is None, result.fault
    assert (result.outputs["out"][result.told["out"]] == 64).all()
