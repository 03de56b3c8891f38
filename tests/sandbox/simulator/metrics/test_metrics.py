"""Counts of kernels small enough to count by hand, under Nsight Compute's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sandbox.verdict import Provenance

GLOBAL = """
extern "C" __global__ void strided(const float* x, float* out, int stride, int offset) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = x[i * stride + offset];
}
extern "C" __global__ void wide(const float4* x, float4* out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = x[i];
}
extern "C" __global__ void every_other(const float* x, float* out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (threadIdx.x % 2 == 0) out[i] = x[i];
}
extern "C" __global__ void twice(const float* y, float* out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float sum = 0;
  #pragma unroll 1
  for (int turn = 0; turn < 2; turn++) { sum += y[i]; __syncthreads(); }
  out[i] = sum;
}
extern "C" __global__ void shared_by_all(const float4* x, float* out, int n) {
  float sum = 0;
  for (int k = threadIdx.x; k < n / 4; k += blockDim.x) sum += x[k].x;
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}
"""
SHARED = """
#define I threadIdx.x
extern "C" __global__ void column(float* out, int pitch) {
  extern __shared__ float tile[];
  for (int row = 0; row < 32; row++) tile[row * pitch + I] = row;
  __syncthreads();
  float sum = 0;
  for (int c = 0; c < 32; c++) sum += tile[I * pitch + c];
  out[blockIdx.x * 32 + I] = sum;
}
extern "C" __global__ void read4(float* out, int stride) {
  __shared__ float tile[1024];
  for (int k = 0; k < 32; k++) tile[k * 32 + I] = k;
  __syncthreads();
  out[blockIdx.x * 32 + I] = tile[I * stride];
}
extern "C" __global__ void read8(double* out) {
  __shared__ double tile[32];
  tile[I] = I; __syncthreads();
  out[blockIdx.x * 32 + I] = tile[31 - I];
}
extern "C" __global__ void read16(float4* out, int stride) {
  __shared__ float4 tile[128];
  for (int k = 0; k < 4; k++) tile[k * 32 + I] = make_float4(k, I, k, I);
  __syncthreads();
  out[blockIdx.x * 32 + I] = tile[I * stride];
}
extern "C" __global__ void add(int* out, int step) {
  __shared__ int bins[32];
  bins[I] = 0; __syncthreads();
  atomicAdd(bins + I * step, 1); __syncthreads();
  out[blockIdx.x * 32 + I] = bins[I];
}
"""
CONTROL = """
extern "C" __global__ void parted(const int* x, int* out, int every) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  int v = x[i];
  if (threadIdx.x % every == 0) for (int k = 0; k < 3; k++) v = v * v + out[i * 7 % 128];
  out[i] = v;
}
extern "C" __global__ void add_all(const int* x, int* io_total) { atomicAdd(io_total, x[threadIdx.x]); }
extern "C" __global__ void add_each(const int* x, int* io_total) {
  atomicAdd(io_total + blockIdx.x * blockDim.x + threadIdx.x, x[threadIdx.x]);
}
extern "C" __global__ void fetch(const int* x, int* io_total, int* out) {
  out[threadIdx.x] = atomicExch(io_total + threadIdx.x % 4, x[threadIdx.x]);
}
extern "C" __global__ void table(const int* x, int* out) {
  int local[16];
  for (int k = 0; k < 16; k++) local[k] = x[k];
  out[threadIdx.x] = local[x[threadIdx.x] & 15];
}
extern "C" __global__ void arithmetic(const float* x, float* out) {
  float a = x[threadIdx.x];
  float b = fmaf(a, a, 1.0f);
  b = fminf(b, a);
  b += exp2f(a);
  b = __shfl_xor_sync(~0u, b, 1) * a;
  out[threadIdx.x] = b;
}
"""

Profile = Callable[..., dict[str, float]]


@pytest.fixture(scope="module")
def counts(cuda) -> Profile:
    """The metrics of one launch, by name."""

    def profile(source: str, kernel: str, grid: int, block: int, arguments: dict[str, Any], **options: Any):
        result = cuda(source).profile(grid, block, arguments, kernel=kernel, **options)
        assert result.fault is None, result.fault
        return {metric.name: metric.value for metric in result.launches[0].metrics}

    return profile


def loads(name: str) -> str:
    return f"l1tex__{name}_pipe_lsu_mem_global_op_ld"


@pytest.mark.parametrize(
    ("stride", "offset", "sectors"),
    [(1, 0, 4), (1, 1, 5), (2, 0, 8), (3, 0, 12), (8, 0, 32), (32, 0, 32), (0, 5, 1)],
)
def test_a_request_takes_the_sectors_that_its_lanes_touch(counts, stride, offset, sectors):
    x = np.zeros(128 * 32 + 32, np.float32)
    arguments = {"x": x, "out": ("float32", 128), "stride": stride, "offset": offset}
    found = counts(GLOBAL, "strided", 2, 64, arguments)
    assert found[f"{loads('average_t_sectors_per_request')}.ratio"] == sectors
    assert found[f"{loads('t_requests')}.sum"] == 4
    assert found[f"{loads('t_sectors')}.sum"] == 4 * sectors
    assert found[f"{loads('t_bytes')}.sum"] == 4 * sectors * 32
    asked = 100 * 32 * 4 / (32 * sectors)
    assert found["smsp__sass_average_data_bytes_per_sector_mem_global_op_ld.pct"] == pytest.approx(asked)
    assert found["l1tex__t_sectors_pipe_lsu_mem_global_op_st.sum"] == 4 * 4


def test_a_wide_load_takes_one_request_of_sixteen_sectors(counts):
    x = np.zeros(4 * 64, np.float32)
    found = counts(GLOBAL, "wide", 1, 64, {"x": x, "out": ("float32", 4 * 64)})
    assert found[f"{loads('t_requests')}.sum"] == 2
    assert found[f"{loads('average_t_sectors_per_request')}.ratio"] == 16
    assert found["smsp__sass_average_data_bytes_per_sector_mem_global_op_ld.pct"] == 100


def test_lanes_that_are_off_ask_for_nothing(counts):
    x = np.zeros(80, np.float32)
    # Blocks of 40 threads: a whole warp of 16 active lanes, and one of 8 lanes with 4 active.
    found = counts(GLOBAL, "every_other", 2, 40, {"x": x, "out": ("float32", 80)})
    assert found[f"{loads('t_requests')}.sum"] == 2 * 2
    assert found[f"{loads('t_sectors')}.sum"] == 2 * (4 + 1)
    asked = 100 * (16 + 4) * 4 / (32 * 5)
    assert found["smsp__sass_average_data_bytes_per_sector_mem_global_op_ld.pct"] == pytest.approx(asked)
    assert found["smsp__sass_branch_targets_threads_divergent.sum"] == 4


def test_what_a_block_reads_again_comes_out_of_l1_and_is_read_from_dram_once(counts):
    y = np.zeros(4096, np.float32)
    arguments = {"y": y, "out": ("float32", 4096)}
    found = counts(GLOBAL, "twice", 16, 256, arguments)
    assert found[f"{loads('t_bytes')}.sum"] == 2 * 4 * 4096
    assert found["l1tex__t_sector_pipe_lsu_mem_global_op_ld_hit_rate.pct"] == pytest.approx(50)
    assert found["dram__bytes_read.sum"] == 4 * 4096
    assert found["dram__bytes_write.sum"] == 4 * 4096
    assert found["lts__t_bytes.sum"] == 2 * 4 * 4096


def test_a_stream_beyond_the_caches_moves_its_footprint_through_dram(counts, repeated):
    n = 1 << 26
    arguments = {
        "x": repeated(np.zeros(4096, np.float32), n),
        "out": ("float32", n),
        "stride": 1,
        "offset": 0,
    }
    found = counts(GLOBAL, "strided", n // 256, 256, arguments)
    assert found["dram__bytes_read.sum"] == pytest.approx(4 * n)
    assert found["dram__bytes_write.sum"] == pytest.approx(4 * n)
    assert found["lts__t_bytes.sum"] == pytest.approx(2 * 4 * n)
    assert found[f"{loads('t_requests')}.sum"] == pytest.approx(n / 32)


def test_what_blocks_share_leaves_dram_once_if_it_fits_l2_and_again_and_again_if_not(counts, repeated):
    def read(count: int, device: str) -> dict[str, float]:
        arguments = {
            "x": repeated(np.zeros(256, np.float32), count),
            "out": ("float32", 440 * 1024),
            "n": count,
        }
        return counts(GLOBAL, "shared_by_all", 440, 1024, arguments, device=device)

    fits = read(1 << 16, "h200")
    assert fits["dram__bytes_read.sum"] == 4 << 16
    assert fits["lts__t_sectors_op_read.sum"] * 32 == pytest.approx(440 * (4 << 16))
    assert fits["lts__t_sector_hit_rate.pct"] > 95
    beyond = read(1 << 19, "gtx1660s")
    # 2 MiB and the output do not fit 1.5 MiB of L2: some of it comes again with each wave of 22 blocks.
    assert 2 * (4 << 19) < beyond["dram__bytes_read.sum"] < 440 / 22 * (4 << 19)


SHARED_CASES = [
    # kernel, argument, dynamic shared bytes, requests, wavefronts each, fewest each
    ("column", 32, 4 * 32 * 32, 32, 32, 1),
    ("column", 33, 4 * 32 * 33, 32, 1, 1),
    ("column", 34, 4 * 32 * 34, 32, 2, 1),
    ("read4", 0, 0, 1, 1, 1),
    ("read4", 1, 0, 1, 1, 1),
    ("read4", 2, 0, 1, 2, 1),
    ("read4", 32, 0, 1, 32, 1),
    ("read4", 31, 0, 1, 1, 1),
    ("read8", None, 0, 1, 2, 2),
    ("read16", 1, 0, 1, 4, 4),
    ("read16", 2, 0, 1, 8, 4),
    ("read16", 4, 0, 1, 16, 4),
]


@pytest.mark.parametrize(("kernel", "argument", "shared", "requests", "each", "fewest"), SHARED_CASES)
def test_a_shared_load_takes_a_wavefront_for_each_word_of_its_fullest_bank(
    counts, kernel, argument, shared, requests, each, fewest
):
    out = {"read8": ("float64", 64), "read16": ("float32", 256)}.get(kernel, ("float32", 64))
    arguments: dict[str, Any] = {"out": out} | ({} if argument is None else {"argument": argument})
    found = counts(SHARED, kernel, 2, 32, arguments, shared=shared)
    wavefronts = found["l1tex__data_pipe_lsu_wavefronts_mem_shared_op_ld.sum"]
    conflicts = found["l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_ld.sum"]
    assert wavefronts == 2 * requests * each
    assert conflicts == 2 * requests * (each - fewest)
    assert found["l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_st.sum"] == 0
    stores = found["l1tex__data_pipe_lsu_wavefronts_mem_shared_op_st.sum"]
    assert found["l1tex__data_pipe_lsu_wavefronts_mem_shared.sum"] == wavefronts + stores


@pytest.mark.parametrize(("every", "divergent", "lanes"), [(1, 0, 32), (32, 4, 1), (2, 4, 16)])
def test_a_branch_diverges_in_warps_whose_lanes_part(counts, every, divergent, lanes):
    x = np.ones(128, np.int32)
    arguments = {"x": x, "out": ("int32", 128), "every": every}
    found = counts(CONTROL, "parted", 2, 64, arguments)
    assert found["smsp__sass_branch_targets_threads_divergent.sum"] == divergent
    targets = found["smsp__sass_branch_targets.sum"]
    uniform = found["smsp__sass_average_branch_targets_threads_uniform.pct"]
    assert uniform == pytest.approx(100 * (targets - divergent) / targets)
    mean = found["smsp__thread_inst_executed_per_inst_executed.ratio"]
    assert mean == 32 if lanes == 32 else lanes < mean < 32


def test_atomics_on_one_address_queue_and_on_addresses_of_their_own_do_not(counts):
    x = np.ones(64, np.int32)
    together = counts(CONTROL, "add_all", 40, 64, {"x": x, "io_total": np.zeros(1, np.int32)})
    apart = counts(CONTROL, "add_each", 40, 64, {"x": x, "io_total": np.zeros(40 * 64, np.int32)})
    assert together["warpwright__atomics_on_busiest_address.sum"] == 40 * 64
    assert apart["warpwright__atomics_on_busiest_address.sum"] == 1
    assert together["l1tex__t_requests_pipe_lsu_mem_global_op_red.sum"] == 80
    assert together["l1tex__t_sectors_pipe_lsu_mem_global_op_red.sum"] == 80
    assert apart["l1tex__t_sectors_pipe_lsu_mem_global_op_red.sum"] == 80 * 4


def test_an_atomic_whose_result_is_used_counts_as_atom_and_not_as_reduction(counts):
    x = np.ones(32, np.int32)
    arguments = {"x": x, "io_total": np.zeros(4, np.int32), "out": ("int32", 32)}
    found = counts(CONTROL, "fetch", 1, 32, arguments)
    assert found["l1tex__t_requests_pipe_lsu_mem_global_op_atom.sum"] == 1
    assert "l1tex__t_requests_pipe_lsu_mem_global_op_red.sum" not in found
    assert found["warpwright__atomics_on_busiest_address.sum"] == 8


def test_a_shared_atomic_takes_a_wavefront_for_each_lane_of_its_fullest_address(counts):
    spread = counts(SHARED, "add", 1, 32, {"out": ("int32", 32), "step": 1})
    together = counts(SHARED, "add", 1, 32, {"out": ("int32", 32), "step": 0})
    name = "l1tex__data_pipe_lsu_wavefronts_mem_shared_op_atom.sum"
    assert (spread[name], together[name]) == (1, 32)


def test_an_array_indexed_by_a_variable_lives_in_local_memory(counts):
    x = np.arange(32, dtype=np.int32)
    found = counts(CONTROL, "table", 1, 32, {"x": x, "out": ("int32", 32)})
    assert found["smsp__inst_executed_op_local_st.sum"] in {4, 8, 16}, "by width of the stores"
    assert found["smsp__inst_executed_op_local_ld.sum"] == 1


PIPES = ("alu", "cbu", "fma", "fp16", "fp64", "lsu", "tensor", "xu")


def test_instructions_are_counted_by_the_pipe_that_runs_them(counts):
    x = np.ones(40, np.float32)
    found = counts(CONTROL, "arithmetic", 3, 40, {"x": x, "out": ("float32", 40)})
    by_pipe = {pipe: found.get(f"smsp__inst_executed_pipe_{pipe}.sum", 0) / (3 * 2) for pipe in PIPES}
    # Each of the 3 x 2 warps: min, and two 64-bit additions of two instructions each; fma, add, mul and
    # mul.wide; ex2; load, store and shuffle; ret.
    expected = dict.fromkeys(PIPES, 0) | {"alu": 5, "fma": 4, "xu": 1, "lsu": 3, "cbu": 1}
    assert by_pipe == expected
    assert found["smsp__inst_executed.sum"] == 3 * 2 * sum(expected.values())
    assert found["smsp__thread_inst_executed.sum"] == 3 * 40 * sum(expected.values())
    assert found["smsp__thread_inst_executed_per_inst_executed.ratio"] == 20


def test_counts_of_a_sample_are_estimates_and_counts_of_the_whole_grid_are_counted(cuda, repeated):
    def provenances(blocks: int) -> dict[str, Provenance]:
        x = repeated(np.zeros(64, np.float32), 64 * blocks)
        arguments = {"x": x, "out": ("float32", 64 * blocks), "stride": 1, "offset": 0}
        result = cuda(GLOBAL).profile(blocks, 64, arguments, kernel="strided")
        return {metric.name: metric.provenance for metric in result.launches[0].metrics}

    few, many = provenances(8), provenances(8000)
    sectors = "l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum"
    assert (few[sectors], many[sectors]) == (Provenance.COUNTED, Provenance.ESTIMATED)
    for name in ("gpu__time_duration.sum", "dram__bytes_read.sum", "smsp__inst_executed.sum"):
        assert few[name] is Provenance.ESTIMATED
    assert many["launch__occupancy_limit_registers"] is Provenance.COUNTED
