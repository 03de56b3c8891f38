"""Work that lies beside the sample is found: in other blocks, in later launches, behind flags, tickets and lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sandbox.budget import Budget
from sandbox.device import ProfileResult
from sandbox.plan import BufferArgument, BufferSpec, Launch, Plan, Role, ScalarArgument
from sandbox.simulator import profiling

N = 1 << 17
BLOCKS = N // 256
X = np.random.default_rng(5).standard_normal(1 << 15).astype(np.float32)
SOURCE = """
__device__ int open = 1;
__device__ unsigned came;
__device__ int rows;
__device__ float twice(float x) { return 2.0f * x; }
extern "C" __global__ void plain(const float* x, float* y, int* s, int n) {
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) y[i] = twice(x[i]); }
extern "C" __global__ void idles_first(const float* x, float* y, int* s, int n) {
  while (*(volatile int*)&open == 0) {}
  if (blockIdx.x < 64) return;
  int i = (blockIdx.x - 64) * 256 + threadIdx.x;
  if (i < n) y[i] = twice(x[i]); }
extern "C" __global__ void last_does_all(const float* x, float* y, int* s, int n) {
  __shared__ bool last;
  if (threadIdx.x == 0) last = atomicAdd(&came, 1) == gridDim.x - 1;
  __syncthreads();
  if (!last) return;
  for (int i = threadIdx.x; i < n; i += 256) y[i] = twice(x[i]); }
extern "C" __global__ void some_do_all(const float* x, float* y, int* s, int n) {
  int b = (int)blockIdx.x - 300;
  if (b < 0 || b >= 16) return;
  for (int i = b * 256 + threadIdx.x; i < n; i += 4096) y[i] = twice(x[i]); }
extern "C" __global__ void one_in_sixty(const float* x, float* y, int* s, int n) {
  if (threadIdx.x == 0) y[blockIdx.x * 256] = twice(x[blockIdx.x * 256]);
  if (blockIdx.x % 60 != 35) return;
  for (int i = blockIdx.x / 60 * 256 + threadIdx.x; i < n; i += 17 * 256) if (i % 256) y[i] = twice(x[i]); }
extern "C" __global__ void mark(const float* x, float* y, int* s, int n) {
  int b = blockIdx.x * 256 + threadIdx.x;
  if (b < n / 256) s[b * 7 % (n / 256)] = 1; }
extern "C" __global__ void marked(const float* x, float* y, int* s, int n) {
  if (s[blockIdx.x] != 1) return;
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) y[i] = twice(x[i]); }
extern "C" __global__ void marked_in_shared(const float* x, float* y, int* s, int n) {
  __shared__ int mine;
  if (threadIdx.x == 0) mine = s[blockIdx.x];
  __syncthreads();
  if (mine != 1) return;
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) y[i] = twice(x[i]); }
extern "C" __global__ void list(const float* x, float* y, int* s, int n) {
  int b = blockIdx.x * 8 + threadIdx.x;
  if (threadIdx.x < 8 && b < n / 256) s[atomicAdd(&rows, 1)] = b; }
extern "C" __global__ void listed(const float* x, float* y, int* s, int n) {
  if (blockIdx.x >= rows) return;
  int i = s[blockIdx.x] * 256 + threadIdx.x;
  if (i < n) y[i] = twice(x[i]); }
extern "C" __global__ void repeats(const float* x, float* y, int* s, int n) {
  for (int p = 16384 + threadIdx.x; p < 65536; p += 256)
    if (x[p] == x[0] && x[p + 1] == x[1] && x[p + 2] == x[2]) s[0] = 1; }
extern "C" __global__ void unless_repeated(const float* x, float* y, int* s, int n) {
  if (s[0] == 1) return;
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) y[i] = twice(x[i]); }
extern "C" __global__ void clear(const float* x, float* y, int* s, int n) {
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) y[i] = 0.0f; }
extern "C" __global__ void parts(const float* x, float* y, int* s, int n) {
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) s[i] = x[i] > 0 ? 1 : 0; }
extern "C" __global__ void of_parts(const float* x, float* y, int* s, int n) {
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) y[i] = s[i] > 0 ? 2.0f : 3.0f; }
"""
KERNELS = tuple(
    line.split("void ")[1].split("(")[0] for line in SOURCE.splitlines() if line.startswith('extern "C"')
)

Profile = Callable[..., ProfileResult]


def microseconds(result: ProfileResult) -> float:
    assert result.latency_us is not None
    return result.latency_us


@pytest.fixture(scope="module")
def profile(cuda) -> Profile:
    program = cuda(SOURCE, kernels=KERNELS).program(KERNELS[0])
    buffers = (
        BufferSpec("x", Role.IN, "float32", N),
        BufferSpec("y", Role.OUT, "float32", N),
        BufferSpec("s", Role.SCRATCH, "int32", N),
    )
    given = (BufferArgument("x"), BufferArgument("y"), BufferArgument("s"), ScalarArgument("int32", N))

    def run(*launches: tuple[str, int], sample: np.ndarray[Any, Any] = X) -> ProfileResult:
        plan = tuple(Launch(name, (grid, 1, 1), (256, 1, 1), 0, given, 1) for name, grid in launches)
        result = profiling.profile(program, Plan(buffers, plan), {"x": sample}, "h200", budget=Budget(60.0))
        assert result.fault is None, result.fault
        return result

    return run


@pytest.mark.parametrize(
    "launches",
    [
        (("idles_first", BLOCKS + 64),),
        (("last_does_all", BLOCKS),),
        (("some_do_all", BLOCKS),),
        (("one_in_sixty", BLOCKS),),
        (("mark", BLOCKS // 256), ("marked", BLOCKS)),
        (("mark", BLOCKS // 256), ("marked_in_shared", BLOCKS)),
        (("list", BLOCKS // 8), ("listed", BLOCKS)),
        (("repeats", 1), ("unless_repeated", BLOCKS)),
        (("clear", BLOCKS), ("some_do_all", BLOCKS)),
    ],
    ids=lambda launches: launches[-1][0],
)
def test_a_kernel_that_hides_its_work_is_not_faster_for_it(profile: Profile, launches):
    assert microseconds(profile(*launches)) >= 0.999 * microseconds(profile(("plain", BLOCKS)))


def test_work_that_too_few_blocks_do_is_slow(profile: Profile):
    slow, plain = profile(("last_does_all", BLOCKS)), profile(("plain", BLOCKS))
    assert microseconds(slow) > 20 * microseconds(plain)


def test_a_launch_that_only_hands_values_on_is_sampled(profile: Profile):
    launches = profile(("parts", BLOCKS), ("of_parts", BLOCKS)).launches
    assert all(launch.sampled_blocks < launch.total_blocks for launch in launches)


def test_another_sample_gives_the_same_estimate(profile: Profile):
    others = [np.random.default_rng(seed).standard_normal(1 << 15).astype(np.float32) for seed in range(5)]
    times = [microseconds(profile(("plain", BLOCKS), sample=x)) for x in others]
    assert max(times) < 1.02 * min(times)
