"""Memory that more threads read than can be listed one by one."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.simulator.hazards import readers
from sandbox.verdict import Verdict

LAST_BLOCK = """extern "C" __global__ void k(int* word, unsigned* tickets, int* y) {{
  __shared__ bool last; int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = {read};
  if (blockIdx.x % 3 == 0) for (int k = 0; k < 50; ++k) y[i] += k;
  __syncthreads();
  if (threadIdx.x == 0) {{ {fence} last = atomicAdd(tickets, 1) == gridDim.x - 1; {fence} }}
  __syncthreads();
  if (last && threadIdx.x < 2) {write}; }}"""


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "_MOST", 256)


def judged(
    cuda, *, fence: str = "__threadfence();", read: str = "word[0]", write: str = "word[threadIdx.x] = 7"
):
    kernel = cuda(LAST_BLOCK.format(fence=fence, read=read, write=write))
    word = np.ones(2, np.int32)
    return kernel.run(40, 64, {"io_word": word, "io_tickets": np.zeros(1, np.uint32), "y": ("int32", 2560)})


def test_the_last_block_may_write_what_all_have_read(cuda):
    result = judged(cuda)
    assert result.fault is None, result.fault


def test_without_fences_it_is_a_race_with_a_thread_that_there_is(cuda):
    result = judged(cuda, fence="")
    assert result.fault is not None
    assert result.fault.verdict is Verdict.RACE
    assert "-3" not in result.fault.message


def test_many_that_look_may_meet_an_addition(cuda):
    result = judged(cuda, fence="", read="*(volatile int*)word", write="atomicAdd(word, 7)")
    assert result.fault is None, result.fault
