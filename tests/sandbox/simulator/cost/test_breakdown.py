"""An estimate says what it is made of, and what it would be without one cause of its time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sandbox.device import Bottleneck, Breakdown, Cause, LaunchProfile
from sandbox.simulator.cost.confidence import ALL, ERRORS, error_of

SOURCE = """extern "C" __global__ void straight(const float* x, float* out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = x[i];
}
extern "C" __global__ void scattered(const float* x, float* out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[(i % 1024) * 1024 + i / 1024] = x[i];
}
extern "C" __global__ void gathered(const float* x, float* out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = x[(i % 1024) * 1024 + i / 1024];
}
extern "C" __global__ void conflicted(float* out, int turns) {
  __shared__ float tile[1024];
  for (int k = threadIdx.x; k < 1024; k += blockDim.x) tile[k] = k;
  __syncthreads();
  float sum = 0;
  for (int turn = 0; turn < turns; turn++) sum += tile[(threadIdx.x * 32 + turn) % 1024];
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}
extern "C" __global__ void contended(const float* x, float* io_total) { atomicAdd(io_total, x[threadIdx.x]); }
extern "C" __global__ void crowded(const float* x, float* out, int turns) {
  extern __shared__ float unused[];
  float v = 0;
  for (int k = 0; k < turns; k++) v = x[(blockIdx.x * blockDim.x + threadIdx.x + (int)v) % 4096];
  out[blockIdx.x * blockDim.x + threadIdx.x] = v;
}
"""
MANY = 1 << 20


@pytest.fixture(scope="module")
def told(cuda):
    """One launch and its breakdown."""

    def profile(
        kernel: str, grid: int, block: int, arguments: dict[str, object], **more: int
    ) -> tuple[LaunchProfile, Breakdown]:
        result = cuda(SOURCE).profile(grid, block, arguments, kernel=kernel, **more)
        assert result.fault is None, result.fault
        [launch] = result.launches
        assert launch.breakdown is not None
        return launch, launch.breakdown

    return profile


def moving(kernel: str, told) -> tuple[LaunchProfile, Breakdown]:
    return told(kernel, MANY // 256, 256, {"x": np.zeros(MANY, np.float32), "out": ("float32", MANY)})


def test_the_parts_come_largest_first_and_the_first_one_is_the_bottleneck(told):
    launch, found = moving("straight", told)
    times = [part.us for part in found.parts]
    assert times == sorted(times, reverse=True)
    assert found.parts[0].resource is launch.bottleneck is Bottleneck.DRAM
    assert times[0] + found.launch_us <= launch.latency_us <= sum(times) + found.launch_us
    assert found.least_us / launch.latency_us == pytest.approx(launch.roofline_fraction)
    assert 0 < found.error < 0.5


def test_a_launch_that_comes_again_finds_in_l2_what_fits_there(told):
    launch, found = moving("straight", told)
    dram = next(part.us for part in found.parts if part.resource is Bottleneck.DRAM)
    assert found.warm_us is not None
    assert found.launch_us < found.warm_us < launch.latency_us - dram / 4


def test_of_a_launch_that_l2_cannot_hold_nothing_is_there_when_it_comes_again(told):
    many = 16 * MANY
    arguments = {"x": np.zeros(many, np.float32), "out": ("float32", many)}
    _, found = told("straight", many // 256, 256, arguments)
    assert found.warm_us is None


def test_a_kernel_with_nothing_to_mend_has_no_what_if(told):
    assert moving("straight", told)[1].what_ifs == ()


@pytest.mark.parametrize(
    ("kernel", "cause"),
    [("scattered", Cause.SCATTERED_STORES), ("gathered", Cause.SCATTERED_LOADS)],
)
def test_without_scattered_accesses_a_launch_takes_about_what_a_straight_one_takes(kernel, cause, told):
    launch, found = moving(kernel, told)
    best = found.what_ifs[0]
    assert best.cause is cause
    straight = moving("straight", told)[0].latency_us
    assert launch.latency_us > 2 * straight
    assert best.latency_us == pytest.approx(straight, rel=0.3)


def test_bank_conflicts_are_a_cause_where_there_are_some(told):
    launch, found = told("conflicted", 1024, 256, {"out": ("float32", 1024 * 256), "turns": 64})
    assert found.what_ifs[0].cause is Cause.BANK_CONFLICTS
    assert found.what_ifs[0].latency_us < launch.latency_us / 3


def test_contention_is_a_cause_where_atomics_meet(told):
    launch, found = told(
        "contended", 4096, 256, {"x": np.ones(256, np.float32), "io_total": np.zeros(1, np.float32)}
    )
    assert found.what_ifs[0].cause is Cause.CONTENTION
    assert found.what_ifs[0].latency_us < launch.latency_us / 10


def test_low_occupancy_is_a_cause_where_waiting_binds_and_more_warps_would_fit(told):
    arguments = {"x": np.ones(4096, np.float32), "out": ("float32", 4096 * 64), "turns": 16}
    launch, found = told("crowded", 4096, 64, arguments, shared=64 * 1024)
    assert launch.bottleneck is Bottleneck.LATENCY
    assert found.what_ifs[0].cause is Cause.LOW_OCCUPANCY
    full = told("crowded", 4096, 64, arguments)[1]
    assert all(one.cause is not Cause.LOW_OCCUPANCY for one in full.what_ifs)


def test_the_errors_of_kinds_are_those_that_the_documents_show():
    page = Path("docs/cost-model.md").read_text().partition("## Confidence")[2]
    for kind, error in ERRORS.items():
        assert page.partition(f"| `{kind}` | ")[2].partition("\n")[0].endswith(f"| {100 * error:.0f} % |")
    assert error_of(Bottleneck.TENSOR) == ALL
