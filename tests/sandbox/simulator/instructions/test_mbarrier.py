"""mbarriers, and barriers of some threads: whom they order, whom they do not, and phases that never end."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.verdict import Verdict

HEAD = """typedef unsigned long long u64;
__device__ unsigned at(u64* b) { return (unsigned)__cvta_generic_to_shared(b); }
__device__ void init(u64* b, int n) { asm volatile("mbarrier.init.shared.b64 [%0], %1;" :: "r"(at(b)), "r"(n)); }
__device__ u64 arrive(u64* b) {
  u64 s; asm volatile("mbarrier.arrive.shared.b64 %0, [%1];" : "=l"(s) : "r"(at(b)) : "memory"); return s; }
__device__ bool over(u64* b, int parity) { unsigned r; asm volatile("{ .reg .pred p;"
  " mbarrier.try_wait.parity.shared.b64 p, [%1], %2; selp.b32 %0, 1, 0, p; }"
  : "=r"(r) : "r"(at(b)), "r"(parity) : "memory"); return r; }
__device__ void wait(u64* b, int parity) { while (!over(b, parity)) {} }
__device__ bool test(u64* b, u64 s) { unsigned r; asm volatile("{ .reg .pred p;"
  " mbarrier.test_wait.shared.b64 p, [%1], %2; selp.b32 %0, 1, 0, p; }"
  : "=r"(r) : "r"(at(b)), "l"(s) : "memory"); return r; }
"""
X = np.random.default_rng(7).integers(0, 1000, 512).astype(np.int32)

EXCHANGE = """
extern "C" __global__ void k(const int* x, int* y) {{
  __shared__ u64 b; __shared__ int s[96]; int t = threadIdx.x;
  if (t == 0) init(&b, 96);
  {start}
  s[t] = x[t];
  {between}
  y[t] = s[95 - t]; }}"""
TURN = "u64 state = arrive(&b); while (!test(&b, state)) {}"


@pytest.mark.parametrize(
    ("start", "between", "caught"),
    [
        ("__syncthreads();", TURN, False),
        ("__syncthreads();", "arrive(&b); wait(&b, 0);", False),
        ("", TURN, True),
        ("__syncthreads();", "arrive(&b);", True),
        ("__syncthreads();", "arrive(&b); wait(&b, 1);", True),
        ("__syncthreads(); u64 state = arrive(&b);", "while (!test(&b, state)) {}", True),
    ],
)
def test_a_phase_orders_what_came_before_it_and_only_that(cuda, start, between, caught):
    result = cuda(HEAD + EXCHANGE.format(start=start, between=between)).run(
        2, 96, {"x": X, "y": ("int32", 96)}
    )
    if caught:
        assert result.fault is not None
        assert result.fault.verdict in {Verdict.RACE, Verdict.UNINITIALIZED, Verdict.TIMEOUT}, result.fault
    else:
        assert result.fault is None, result.fault
        assert result.outputs["y"].tolist() == X[:96][::-1].tolist()


PIPELINE = """
extern "C" __global__ void k(const int* x, int* y, int rounds) {{
  __shared__ u64 full[2], empty[2]; __shared__ int s[2][64]; int t = threadIdx.x, lane = t & 31, sum = 0;
  if (t == 0) {{ for (int i = 0; i < 2; i++) {{ init(&full[i], {full}); init(&empty[i], {empty}); }} }}
  __syncthreads();
  for (int r = 0; r < rounds; r++) {{
    int stage = r & 1, parity = r >> 1 & 1;
    if (t < 32) {{
      {wait_empty}
      s[stage][lane] = x[r * 64 + lane]; s[stage][lane + 32] = x[r * 64 + lane + 32];
      {arrive_full}
    }} else {{
      {wait_full}
      sum += s[stage][t - 32] * (r + 1);
      {arrive_empty}
    }}
  }}
  if (t >= 32) y[t - 32] = sum; }}"""
RIGHT = {
    "full": "32",
    "empty": "64",
    "wait_empty": "wait(&empty[stage], parity ^ 1);",
    "arrive_full": "arrive(&full[stage]);",
    "wait_full": "wait(&full[stage], parity);",
    "arrive_empty": "arrive(&empty[stage]);",
}
ELECTED = RIGHT | {"full": "1", "arrive_full": "__syncwarp(); if (lane == 0) arrive(&full[stage]);"}
PIPELINES = {
    "everyone arrives": (RIGHT, None),
    "an elected lane arrives": (ELECTED, None),
    "one lane waits for its warp": (RIGHT | {"wait_full": "if (lane == 0) wait(&full[stage], parity); __syncwarp();"}, None),
    "no wait for a full stage": (RIGHT | {"wait_full": ""}, Verdict.RACE),
    "no wait for an empty stage": (RIGHT | {"wait_empty": ""}, Verdict.RACE),
    "the wrong stage is waited for": (RIGHT | {"wait_full": "wait(&full[stage], parity ^ 1);"}, Verdict.TIMEOUT),
    "one lane arrives for a warp that it did not wait for": (
        ELECTED | {"arrive_full": "if (lane == 0) arrive(&full[stage]);"}, Verdict.RACE),
    "one lane waits and the others do not": (
        RIGHT | {"wait_full": "if (lane == 0) wait(&full[stage], parity);"}, Verdict.RACE),
    "the stage is given back before it is read": (
        RIGHT | {"wait_full": "wait(&full[stage], parity); arrive(&empty[stage]);", "arrive_empty": ""}, Verdict.RACE),
    "the phase counts too few": (RIGHT | {"empty": "32"}, Verdict.TIMEOUT),
    "the phase counts too many": (RIGHT | {"full": "33"}, Verdict.TIMEOUT),
    "nobody gives stages back": (RIGHT | {"arrive_empty": ""}, Verdict.TIMEOUT),
}  # fmt: skip


@pytest.mark.parametrize("name", PIPELINES)
def test_producers_and_consumers(cuda, name):
    parts, verdict = PIPELINES[name]
    arguments = {"x": X, "y": ("int32", 64), "rounds": 7}
    result = cuda(HEAD + PIPELINE.format(**parts)).run(3, 96, arguments)
    if verdict is None:
        assert result.fault is None, result.fault
        expected = (X[:448].reshape(7, 64) * np.arange(1, 8)[:, None]).sum(axis=0)
        assert result.outputs["y"].tolist() == expected.tolist()
        return
    assert result.fault is not None
    # A producer that overtakes races; where the schedule lets it come too often, phases end that nobody waits for.
    accepted = {verdict, Verdict.TIMEOUT} if name == "no wait for an empty stage" else {verdict}
    assert result.fault.verdict in accepted, result.fault
    if verdict is Verdict.TIMEOUT:
        assert "deadlock" in result.fault.message
        assert "try_wait" in (result.fault.instruction or "")
        assert result.seconds < 10


def test_copies_arrive_when_they_are_done(cuda):
    source = (
        HEAD
        + """
extern "C" __global__ void k(const int* x, int* y) {
  __shared__ u64 full[4]; __shared__ int s[4][64]; int t = threadIdx.x, sum = 0;
  if (t < 4) init(&full[t], 32);
  __syncthreads();
  if (t < 32) for (int r = 0; r < 4; r++) {
    for (int j = t; j < 64; j += 32)
      asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" :: "r"((unsigned)__cvta_generic_to_shared(&s[r][j])), "l"(x + r * 64 + j));
    asm volatile("cp.async.mbarrier.arrive.noinc.shared.b64 [%0];" :: "r"(at(&full[r])) : "memory");
  } else {
    for (int r = 0; r < 4; r++) { wait(&full[r], 0); sum += s[r][95 - t]; }
    y[t - 32] = sum;
  } }"""
    )
    arguments = {"x": X, "y": ("int32", 64)}
    result = cuda(source).run(1, 96, arguments)
    assert result.fault is None, result.fault
    assert result.outputs["y"].tolist() == X[:256].reshape(4, 64).sum(axis=0)[::-1].tolist()
    fault = cuda(source.replace("wait(&full[r], 0); sum", "sum")).run(1, 96, arguments).fault
    assert fault is not None
    assert fault.verdict is Verdict.RACE
    plain = source.replace(
        "cp.async.mbarrier.arrive.noinc.shared.b64 [%0];", "mbarrier.arrive.shared.b64 _, [%0];"
    )
    fault = cuda(plain).run(1, 96, arguments).fault
    assert fault is not None
    assert fault.verdict is Verdict.RACE


def test_counts_drops_and_transactions(cuda):
    source = (
        HEAD
        + """
extern "C" __global__ void k(int* y) {
  __shared__ u64 b, c; int t = threadIdx.x; u64 s;
  if (t == 0) { init(&b, 10); init(&c, 1); }
  __syncwarp();
  if (t == 0) {
    unsigned n;
    asm volatile("mbarrier.arrive.noComplete.shared.b64 %0, [%1], 3;" : "=l"(s) : "r"(at(&b)));
    asm volatile("mbarrier.pending_count.b64 %0, %1;" : "=r"(n) : "l"(s)); y[0] = n;
    y[1] = over(&b, 0);
    asm volatile("mbarrier.arrive_drop.shared.b64 %0, [%1];" : "=l"(s) : "r"(at(&b)));
    asm volatile("mbarrier.pending_count.b64 %0, %1;" : "=r"(n) : "l"(s)); y[2] = n;
    asm volatile("mbarrier.arrive.release.cta.shared::cta.b64 _, [%0], 6;" :: "r"(at(&b)));
    y[3] = over(&b, 0); y[4] = over(&b, 1);
    asm volatile("mbarrier.arrive.shared::cta.b64 %0, [%1], 9;" : "=l"(s) : "r"(at(&b)));
    y[5] = over(&b, 1); y[6] = test(&b, s);
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], 64;" :: "r"(at(&c)));
    y[7] = over(&c, 0);
    asm volatile("mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [%0], 64;" :: "r"(at(&c)));
    y[8] = over(&c, 0);
    asm volatile("mbarrier.inval.shared.b64 [%0];" :: "r"(at(&c)));
    if (y[8] == 2) arrive(&c);
  } }"""
    )
    source = source.replace(
        "complete_tx.relaxed.cta.shared::cta.b64", "complete_tx.relaxed.cta.shared::cta.b64"
    )
    result = cuda(source).run(1, 32, {"io": np.zeros(9, np.int32)})
    assert result.fault is None, result.fault
    assert result.outputs["io"].tolist() == [10, 0, 7, 1, 0, 1, 1, 0, 1]
    fault = cuda(source.replace("y[8] == 2", "y[8] == 1")).run(1, 32, {"io": np.zeros(9, np.int32)}).fault
    assert fault is not None
    assert "no mbarrier" in fault.message


NAMED = """extern "C" __global__ void k(const int* x, int* y) {{
  __shared__ int s[128]; int t = threadIdx.x, w = t / 32; {body} }}"""
SYNC = 'asm volatile("bar.sync 1, 64;" ::: "memory"); '
ARRIVE = 'asm volatile("bar.arrive 1, 64;" ::: "memory"); '
NAMED_CASES = {
    "two warps exchange": ("if (w < 2) { s[t] = x[t]; " + SYNC + "y[t] = s[63 - t]; } else y[t] = 0;", True),
    "a third warp reads": ("if (w < 2) { s[t] = x[t]; " + SYNC + "} if (w == 2) y[t] = s[t - 64];", False),
    "a third warp reads later": ("if (w < 2) { s[t] = x[t]; " + SYNC + "} __syncthreads(); if (w == 2) y[t] = s[t - 64];", True),
    "a third warp writes what two exchange": ("if (w < 2) { s[t] = x[t]; " + SYNC + "y[t] = s[63 - t]; } if (w == 2) s[0] = 1;", False),
    "who arrived is read by who waited": ("if (w == 0) { s[t] = x[t]; " + ARRIVE + "} if (w == 1) { " + SYNC + "y[t] = s[63 - t]; }", True),
    "who waited is read by who arrived": ("if (w == 1) { s[t] = x[t]; " + SYNC + "} if (w == 0) { " + ARRIVE + "y[t] = s[63 - t]; }", False),
    "written after the arrival": ("if (w == 0) { " + ARRIVE + "s[t] = x[t]; } if (w == 1) { " + SYNC + "y[t] = s[63 - t]; }", False),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED_CASES)
def test_a_barrier_of_some_threads_orders_only_them(cuda, name):
    body, honest = NAMED_CASES[name]
    result = cuda(NAMED.format(body=body)).run(2, 128, {"x": X, "io": np.zeros(128, np.int32)})
    if honest:
        assert result.fault is None, result.fault
    else:
        assert result.fault is not None
        assert result.fault.verdict in {Verdict.RACE, Verdict.UNINITIALIZED}, result.fault


def test_numbered_barriers_of_stages_order_producers_and_consumers(cuda):
    source = """extern "C" __global__ void k(const int* x, int* y, int n, int give) {
      __shared__ int s[2][64]; int t = threadIdx.x, sum = 0;
      if (t < 64) for (int i = 0; i < n; i++) {
        if (i >= 2 && give) asm volatile("bar.sync %0, 128;" :: "r"(3 + (i & 1)) : "memory");
        s[i & 1][t] = x[i * 64 + t];
        asm volatile("bar.arrive %0, 128;" :: "r"(1 + (i & 1)) : "memory");
      } else for (int i = 0; i < n; i++) {
        asm volatile("bar.sync %0, 128;" :: "r"(1 + (i & 1)) : "memory");
        sum += s[i & 1][127 - t];
        if (i + 2 < n && give) asm volatile("bar.arrive %0, 128;" :: "r"(3 + (i & 1)) : "memory");
      }
      if (t >= 64) y[t - 64] = sum; }"""
    arguments = {"x": X, "y": ("int32", 64), "n": 7}
    result = cuda(source).run(3, 128, arguments | {"give": 1})
    assert result.fault is None, result.fault
    assert result.outputs["y"].tolist() == X[:448].reshape(7, 64).sum(axis=0)[::-1].tolist()
    fault = cuda(source).run(3, 128, arguments | {"give": 0}).fault
    assert fault is not None
    assert fault.verdict in {Verdict.RACE, Verdict.BARRIER_DIVERGENCE}


LIBRARY = """#include <cuda/barrier>
#include <cuda/pipeline>
#include <cooperative_groups.h>
namespace cg = cooperative_groups;
extern "C" __global__ void k(const float* x, float* y, int n, int wait) {
  __shared__ float s[2][128]; int t = threadIdx.x; float sum = 0;
  __shared__ cuda::barrier<cuda::thread_scope_block> bar;
  __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 2> state;
  auto block = cg::this_thread_block();
  if (t == 0) init(&bar, 128);
  block.sync();
  s[0][t] = x[t];
  auto token = bar.arrive();
  float own = x[t] * 2;
  bar.wait(static_cast<decltype(token)&&>(token));
  sum = own + s[0][127 - t];
  bar.arrive_and_wait();
  cuda::memcpy_async(&s[1][t], &x[t], sizeof(float), bar);
  bar.arrive_and_wait();
  sum += s[1][127 - t];
  bar.arrive_and_wait();
  auto pipe = cuda::make_pipeline(block, &state);
  pipe.producer_acquire(); cuda::memcpy_async(block, s[0], x, cuda::aligned_size_t<4>(512), pipe); pipe.producer_commit();
  for (int i = 1; i <= n; i++) {
    if (i < n) { pipe.producer_acquire();
      cuda::memcpy_async(block, s[i & 1], x + i * 128, cuda::aligned_size_t<4>(512), pipe); pipe.producer_commit(); }
    if (wait) pipe.consumer_wait();
    sum += s[(i + 1) & 1][127 - t];
    pipe.consumer_release();
  }
  y[t] = sum; }"""


def test_barriers_and_pipelines_of_the_cuda_library(cuda):
    x = X.astype(np.float32)
    arguments = {"x": x, "y": ("float32", 128), "n": 4}
    result = cuda(LIBRARY).run(2, 128, arguments | {"wait": 1})
    assert result.fault is None, result.fault
    expected = 2 * x[:128] + 2 * x[:128][::-1] + x.reshape(4, 128)[:, ::-1].sum(axis=0)
    assert np.allclose(result.outputs["y"], expected)
    fault = cuda(LIBRARY).run(2, 128, arguments | {"wait": 0}).fault
    assert fault is not None
    assert fault.verdict is Verdict.RACE
