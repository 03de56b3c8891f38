"""What makes a block last: its longest warp, sleep, constants one after another, local memory beyond its caches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sandbox.device import LaunchProfile

SOURCE = """
__constant__ float table[4096] = {0.0f};
extern "C" __global__ void all_warps(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = 2 * x[i]; }
extern "C" __global__ void one_warp(const float* x, float* y, int n) {
  if (threadIdx.x >= 32) return;
  int k = 0;
  #pragma unroll 1
  for (int j = 0; j < 32; ++j) {
    int i = blockIdx.x * 1024 + j * 32 + threadIdx.x + k;
    if (i < n) { float v = x[i]; y[i] = 2 * v; k = v == 1.2345e30f; } } }
extern "C" __global__ void sleeps(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  __nanosleep(n / 64);
  if (i < n) y[i] = 2 * x[i]; }
extern "C" __global__ void one_constant(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = 2 * x[i] + table[blockIdx.x % 64] + table[blockIdx.x % 64 + 7]; }
extern "C" __global__ void many_constants(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = 2 * x[i] + table[i % 64] + table[i % 64 + 7]; }
extern "C" __global__ void few_locals(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  volatile float keep[8];
  #pragma unroll 1
  for (int t = 0; t < 64; t++) keep[t % 8] = x[i % n];
  float s = 0;
  #pragma unroll 1
  for (int t = 0; t < 64; t++) s += keep[t % 8];
  y[i % n] = s; }
extern "C" __global__ void many_locals(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  volatile float keep[64];
  #pragma unroll 1
  for (int t = 0; t < 64; t++) keep[t % 64] = x[i % n];
  float s = 0;
  #pragma unroll 1
  for (int t = 0; t < 64; t++) s += keep[t % 64];
  y[i % n] = s; }
"""
KERNELS = (
    "all_warps", "one_warp", "sleeps", "one_constant", "many_constants", "few_locals", "many_locals"
)  # fmt: skip
N = 1 << 20

Launched = Callable[[str], LaunchProfile]


@pytest.fixture(scope="module")
def launched(cuda, repeated) -> Launched:
    x = np.random.default_rng(2).standard_normal(1 << 15).astype(np.float32)
    source = cuda(SOURCE, kernels=KERNELS)

    def launch(kernel: str) -> LaunchProfile:
        arguments = {"x": repeated(x, N), "y": ("float32", N), "n": N}
        result = source.profile(N // 1024, 1024, arguments, kernel=kernel)
        assert result.fault is None, result.fault
        return result.launches[0]

    return launch


def bytes_through_l2(launch: LaunchProfile) -> float:
    return next(one.value for one in launch.metrics if one.name == "lts__t_bytes.sum")


def test_warps_that_exit_at_once_do_not_make_the_one_that_works_any_faster(launched: Launched):
    assert launched("one_warp").latency_us > 5 * launched("all_warps").latency_us
    assert launched("one_warp").bottleneck == "latency"


def test_sleep_takes_its_time(launched: Launched):
    waves = N / 1024 / (132 * 2)
    slept = launched("sleeps").latency_us - launched("all_warps").latency_us
    assert slept > 0.8 * int(waves) * N / 64 / 1000


def test_a_warp_that_reads_many_constants_reads_them_one_after_another(launched: Launched):
    assert launched("many_constants").latency_us > 2 * launched("one_constant").latency_us


def test_local_memory_that_does_not_fit_l1_goes_through_l2(launched: Launched):
    plain = bytes_through_l2(launched("all_warps"))
    assert bytes_through_l2(launched("few_locals")) == pytest.approx(plain, rel=0.01)
    assert bytes_through_l2(launched("many_locals")) > 10 * plain
