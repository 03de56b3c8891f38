"""What ends a run: its work, or the proof that it can never end; and what must not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sandbox.budget import Budget, Work
from sandbox.program import KernelResources
from sandbox.simulator.execute import running
from sandbox.verdict import Verdict

BUDGET = Budget(60.0, Work(1_000_000, 10_000), Work(10, 5))

FOR_EVER = {
    "one thread counts": "if (i == 0) { volatile int v = 0; while (v >= 0) v = v == 5 ? 0 : v + 1; }",
    "every thread counts": "unsigned a = i; while (a != ~0u) a = (a * 3 + 1) & 0xffff; io[i] = a;",
    "a store again and again": "while (((volatile int*)io)[i] >= 0) io[i] = 1;",
}


@pytest.mark.parametrize("body", FOR_EVER.values(), ids=FOR_EVER)
def test_an_endless_loop_exceeds_its_work_and_the_message_has_both_numbers(cuda, body):
    source = f"__global__ void k(int* io) {{ int i = blockIdx.x * blockDim.x + threadIdx.x;\n{body} }}"
    fault = cuda(source).run(4, 64, {"io": np.zeros(256, np.int32)}, budget=BUDGET).fault
    assert fault is not None
    assert (fault.verdict, fault.line) == (Verdict.TIMEOUT, 2)
    most = f"{BUDGET.work.steps:,}", f"{BUDGET.work.thread_instructions:,}"
    assert any(number in fault.message for number in most)
    assert "the task's baseline does" in fault.message


NEVER_COMES = {
    "a flag": "if (threadIdx.x == 0) while (((volatile int*)io)[0] == 0);",
    "a lock": "while (atomicCAS(io + 1, 1, 1) != 0);",
    "a flag, with sleep": "while (atomicAdd(io, 0) == 0) __nanosleep(20);",
}


@pytest.mark.parametrize("body", NEVER_COMES.values(), ids=NEVER_COMES)
def test_waiting_for_what_nobody_writes_is_proved_to_be_a_livelock(cuda, body):
    source = f"__global__ void k(int* io) {{ if (threadIdx.x > 40) return;\n{body} io[2] = 1; }}"
    fault = cuda(source).run(2, 64, {"io": np.array([0, 1, 0], np.int32)}).fault
    assert fault is not None
    assert (fault.verdict, fault.line) == (Verdict.TIMEOUT, 2)
    assert "livelock" in fault.message


GIVES_UP = {
    "counts": "int c = 0; while (io[0] == 0 && c < 3000) c++;",
    "looks at the clock": "long long t = clock64(); while (io[0] == 0 && clock64() - t < 30000);",
}


@pytest.mark.parametrize("body", GIVES_UP.values(), ids=GIVES_UP)
def test_a_wait_that_gives_up_by_itself_is_no_livelock(cuda, body):
    source = f"__global__ void k(volatile int* io) {{ {body} io[1] = 7; }}"
    result = cuda(source).run(1, 1, {"io": np.zeros(2, np.int32)})
    assert result.fault is None, result.fault
    assert result.outputs["io"].tolist() == [0, 7]


BARRIER = """__global__ void k(int* io, int* out) {
  for (int round = 1; round < 4; round++) {
    __syncthreads();
    if (threadIdx.x == 0) { __threadfence(); atomicAdd(io, 1); while (atomicAdd(io, 0) < round * gridDim.x); __threadfence(); }
    __syncthreads();
  }
  out[blockIdx.x * blockDim.x + threadIdx.x] = atomicAdd(io, 0); }"""


@pytest.mark.parametrize("poison", [2, 3])
def test_blocks_of_several_batches_wait_for_each_other(cuda, poison):
    arguments = {"io": np.zeros(1, np.int32), "out": ("int32", 150 * 256)}
    result = cuda(BARRIER).run(150, 256, arguments, poison=poison)
    assert result.fault is None, result.fault
    assert (result.outputs["out"] == 450).all()


def test_more_waiting_blocks_than_the_device_holds_never_end(cuda):
    arguments = {"io": np.zeros(1, np.int32), "out": ("int32", 1500 * 256)}
    fault = cuda(BARRIER).run(1500, 256, arguments).fault
    assert fault is not None
    assert fault.verdict is Verdict.TIMEOUT
    assert "livelock" in fault.message


@pytest.mark.parametrize("poison", [2, 3])
def test_a_chain_of_blocks_passes_in_whichever_order_they_start(cuda, poison):
    source = """__global__ void k(volatile int* io, int* out) {
      int b = blockIdx.x;
      if (threadIdx.x == 0) {
        int v = 0;
        if (b > 0) while ((v = io[b - 1]) == 0);
        __threadfence(); io[b] = v + 1; out[b] = v;
      } }"""
    arguments = {"io": np.zeros(200, np.int32), "out": ("int32", 200)}
    result = cuda(source).run(200, 256, arguments, poison=poison)
    assert result.fault is None, result.fault
    assert result.outputs["out"].tolist() == list(range(200))


def test_what_headers_define_costs_nothing(cuda):
    body = "__global__ void k(const int* x, int* y) { for (int i = 0; i < 200; i++) y[i] = x[i] + 1; }"
    headers = "#include <cooperative_groups.h>\n#include <cooperative_groups/reduce.h>\n"
    arguments = {"x": np.arange(200, dtype=np.int32), "y": ("int32", 200)}
    plain, heavy = (cuda(text + body).run(1, 1, arguments) for text in ("", headers))
    assert heavy.fault is None, heavy.fault
    assert heavy.work == plain.work


def test_the_work_of_a_run_does_not_depend_on_the_machine(cuda):
    body = "__global__ void k(const int* x, int* y) { int i = blockIdx.x * 96 + threadIdx.x; if (i % 3) y[i] = x[i]; else y[i] = 0; }"
    arguments = {"x": np.arange(960, dtype=np.int32), "y": ("int32", 960)}
    works = {cuda(body).run(10, 96, arguments).work for _ in range(3)}
    assert len(works) == 1
    assert works.pop().thread_instructions > 960 * 5


@pytest.mark.parametrize(("threads", "registers"), [(1024, 65), (512, 129), (96, 255)])
def test_a_block_with_more_registers_than_a_multiprocessor_has_is_refused(cuda, threads, registers):
    kernel = cuda("__global__ void k(int* io) { io[threadIdx.x] = 1; }")
    arguments = {"io": np.zeros(threads, np.int32)}
    needing = KernelResources("k", "k", registers, 0, 0, 0, 0)
    program = replace(kernel.program("k"), key=f"{registers}", resources=(needing,))
    fault = running.run(program, kernel.plan("k", 1, threads, arguments), arguments, 1).fault
    if threads * registers <= 65536:
        assert fault is None
        return
    assert fault is not None
    assert fault.verdict is Verdict.LAUNCH_ERROR
    assert f"__launch_bounds__({threads})" in fault.message
