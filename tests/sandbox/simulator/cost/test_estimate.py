"""What the estimate must obey on every GPU: floors, monotony, tails, and the name of what binds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sandbox.device import LaunchProfile
from sandbox.simulator.gpus.architectures import ARCHITECTURES

DEVICES = ("h200", "a100", "gtx1660s")
SOURCE = """
#include <cuda_fp16.h>
extern "C" __global__ void nothing() {}
extern "C" __global__ void stream(const float* x, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = x[i] + 1;
}
extern "C" __global__ void change(float* io_x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) io_x[i] += 1;
}
extern "C" __global__ void multiply(const float* x, float* out, int turns) {
  float a = x[threadIdx.x], b = a, c = a, d = a;
  for (int turn = 0; turn < turns; turn++) {
    #pragma unroll
    for (int k = 0; k < 8; k++) { a = a * b + c; b = b * c + d; c = c * d + a; d = d * a + b; }
  }
  out[blockIdx.x * blockDim.x + threadIdx.x] = a + b + c + d;
}
extern "C" __global__ void halves(const __half2* x, __half2* out, int turns) {
  __half2 a = x[threadIdx.x], b = a, c = a, d = a;
  for (int turn = 0; turn < turns; turn++) {
    #pragma unroll
    for (int k = 0; k < 8; k++) {
      a = __hfma2(a, b, c); b = __hfma2(b, c, d); c = __hfma2(c, d, a); d = __hfma2(d, a, b);
    }
  }
  out[blockIdx.x * blockDim.x + threadIdx.x] = __hadd2(__hadd2(a, b), __hadd2(c, d));
}
extern "C" __global__ void roots(const float* x, float* out, int turns) {
  float a = x[threadIdx.x], b = a + 1, c = a + 2, d = a + 3;
  for (int turn = 0; turn < turns; turn++) {
    a = rsqrtf(a); b = rsqrtf(b); c = rsqrtf(c); d = rsqrtf(d);
  }
  out[blockIdx.x * blockDim.x + threadIdx.x] = a + b + c + d;
}
extern "C" __global__ void chase(const int* x, int* out, int turns) {
  int i = 0;
  for (int turn = 0; turn < turns; turn++) i = x[i];
  out[0] = i;
}
extern "C" __global__ void count(const int* x, float* io_total) { atomicAdd(io_total, x[threadIdx.x]); }
extern "C" __global__ void conflicts(float* out, int turns) {
  __shared__ float tile[1024];
  for (int k = threadIdx.x; k < 1024; k += blockDim.x) tile[k] = k;
  __syncthreads();
  float sum = 0;
  for (int turn = 0; turn < turns; turn++) sum += tile[(threadIdx.x * 32 + turn) % 1024];
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}
"""
Ask = Callable[..., LaunchProfile]


@pytest.fixture(scope="module")
def ask(cuda) -> Ask:
    """Profile one kernel of SOURCE on a device, compiled for it."""

    def profile(device: str, kernel: str, grid: int, block: int, arguments: dict[str, Any]) -> LaunchProfile:
        program = cuda(SOURCE, ARCHITECTURES[device].compute)
        result = program.profile(grid, block, arguments, kernel=kernel, device=device)
        assert result.fault is None, result.fault
        return result.launches[0]

    return profile


def metric(profile: LaunchProfile, name: str) -> float:
    return next(one.value for one in profile.metrics if one.name == name)


def floats(count: int) -> np.ndarray:
    return np.ones(count, np.float32)


@pytest.mark.parametrize("device", DEVICES)
def test_an_empty_launch_costs_the_launch(ask, device):
    profile = ask(device, "nothing", 1, 32, {})
    launch = ARCHITECTURES[device].launch_us
    assert launch <= profile.latency_us < launch + 0.1
    assert 0.9 < profile.roofline_fraction <= 1


@pytest.mark.parametrize("device", DEVICES)
def test_more_bytes_are_never_faster_and_never_beat_the_memory(ask, repeated, device):
    architecture, last = ARCHITECTURES[device], 0.0
    for exponent in range(8, 29, 4):
        n = 1 << exponent
        arguments = {"x": repeated(floats(256), n), "out": ("float32", n), "n": n}
        profile = ask(device, "stream", -(-n // 256), 256, arguments)
        assert profile.latency_us >= last
        assert profile.latency_us > architecture.launch_us + 8 * n / (architecture.dram_gbps * 1e3)
        assert 0 < profile.roofline_fraction <= 1
        last = profile.latency_us
    # Four bytes a thread in flight are just about what 4.8 TB/s need.
    assert profile.bottleneck in ({"dram", "latency"} if device == "h200" else {"dram"})
    assert profile.roofline_fraction > 0.6


def test_what_is_changed_in_place_must_move_both_ways(ask, repeated):
    n = 1 << 22
    there = ask(
        "h200", "stream", n // 256, 256, {"x": repeated(floats(256), n), "out": ("float32", n), "n": n}
    )
    here = ask("h200", "change", n // 256, 256, {"io_x": repeated(floats(256), n), "n": n})
    least = [one.latency_us * one.roofline_fraction for one in (there, here)]
    assert least[1] == pytest.approx(least[0], rel=1e-3)


@pytest.mark.parametrize(
    ("kernel", "blocks", "bottleneck"),
    [("multiply", 4096, "fma"), ("halves", 4096, "fp16"), ("roots", 4096, "xu"), ("chase", 1, "latency")],
)
def test_more_turns_take_longer_and_the_bottleneck_is_what_they_use(
    ask, repeated, kernel, blocks, bottleneck
):
    kind = {"chase": np.int32, "halves": np.float16}.get(kernel, np.float32)
    threads = 1 if kernel == "chase" else 256
    size = blocks * threads * (2 if kernel == "halves" else 1)
    arguments = {"x": np.zeros(512, kind), "out": (np.dtype(kind).name, size)}
    for device in DEVICES:
        short, long = (
            ask(device, kernel, blocks, threads, arguments | {"turns": turns}) for turns in (4, 32)
        )
        # Where a pipe is as wide as all the warps that issue, the issue slots bind as well.
        assert long.bottleneck in {bottleneck, "issue"}, device
        assert long.latency_us > 3 * (short.latency_us - ARCHITECTURES[device].launch_us)
        assert long.roofline_fraction <= 1


def test_a_multiplication_loop_comes_near_the_peak_and_conflicts_do_not(ask):
    arguments = {"x": floats(256), "out": ("float32", 4096 * 256), "turns": 48}
    for device in DEVICES:
        assert 0.5 < ask(device, "multiply", 4096, 256, arguments).roofline_fraction <= 1
        slow = ask(device, "conflicts", 4096, 256, {"out": ("float32", 4096 * 256), "turns": 48})
        assert slow.bottleneck in {"shared_memory", "l1"}


def test_atomics_on_one_address_are_bound_by_their_queue(ask):
    arguments = {"x": np.ones(256, np.int32), "io_total": floats(1)}
    for device in DEVICES:
        profile = ask(device, "count", 4096, 256, arguments)
        assert profile.bottleneck == "atomics"
        # One turn for each of the 2 ** 20 additions.
        assert profile.latency_us > (1 << 20) / ARCHITECTURES[device].clock_mhz


def test_one_block_more_than_fits_takes_another_wave(ask):
    for device in DEVICES:
        architecture = ARCHITECTURES[device]
        whole = architecture.multiprocessors * architecture.threads_per_sm // 256
        full, more = (
            ask(device, "multiply", n, 256, {"x": floats(256), "out": ("float32", n * 256), "turns": 24})
            for n in (whole, whole + 1)
        )
        assert metric(full, "launch__waves_per_multiprocessor") == 1
        assert metric(full, "warpwright__wave_tail.pct") == 0
        assert metric(more, "warpwright__wave_tail.pct") == pytest.approx(100 * (1 - (whole + 1) / whole / 2))
        assert more.latency_us > full.latency_us


def test_faster_memory_helps_what_it_binds_and_nothing_else(ask, repeated):
    n = 1 << 26
    stream = {"x": repeated(floats(256), n), "out": ("float32", n), "n": n}
    loop = {"x": floats(256), "out": ("float32", 4096 * 256), "turns": 24}
    slow, fast = (ask(device, "stream", n // 256, 256, stream).latency_us for device in ("h100", "h200"))
    assert slow / fast > 1.2
    slow, fast = (ask(device, "multiply", 4096, 256, loop).latency_us for device in ("h100", "h200"))
    assert slow / fast == pytest.approx(1, abs=0.02)
