"""The wmma interface of CUDA C++: every type, shape and layout, elementwise code on fragments, and its cost."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sandbox.verdict import Verdict

RNG = np.random.default_rng(12)
SHAPES = [(16, 16, 16), (32, 8, 16), (8, 32, 16)]
LAYOUTS = [("row", "row"), ("row", "col"), ("col", "row"), ("col", "col")]
C_TYPES = {
    "half": np.float16,
    "__nv_bfloat16": ml_dtypes.bfloat16,
    "wmma::precision::tf32": np.float32,
    "double": np.float64,
    "signed char": np.int8,
    "unsigned char": np.uint8,
    "float": np.float32,
    "int": np.int32,
}

ONE = """
#include <mma.h>
using namespace nvcuda;
template <class T> struct Memory { typedef T type; };
template <> struct Memory<wmma::precision::tf32> { typedef float type; };
template <> struct Memory<wmma::experimental::precision::s4> { typedef int type; };
template <> struct Memory<wmma::experimental::precision::b1> { typedef int type; };
template <int M, int N, int K, class T, class LA, class LB, class C, wmma::layout_t LC>
__device__ void one(const void* a, const void* b, const C* c, C* d, int la, int lb, int lc) {
  typedef typename Memory<T>::type E;
  wmma::fragment<wmma::matrix_a, M, N, K, T, LA> fa; wmma::load_matrix_sync(fa, (const E*)a, la);
  wmma::fragment<wmma::matrix_b, M, N, K, T, LB> fb; wmma::load_matrix_sync(fb, (const E*)b, lb);
  wmma::fragment<wmma::accumulator, M, N, K, C> fc; wmma::load_matrix_sync(fc, c, lc, LC);
  wmma::mma_sync(fc, fa, fb, fc);
  wmma::store_matrix_sync(d, fc, lc, LC);
}
"""


def stored(matrix: np.ndarray[Any, Any], layout: str, padding: int) -> tuple[np.ndarray[Any, Any], int]:
    """A matrix as it lies in memory, with `padding` elements after every line, and its stride."""
    lines = matrix if layout == "row" else matrix.T
    padded = np.pad(lines, ((0, 0), (0, padding)))
    return padded, padded.shape[1]


def draw(kind: str, shape: tuple[int, int]) -> np.ndarray[Any, Any]:
    dtype = np.dtype(C_TYPES[kind])
    if dtype.kind in "iu":
        low, high = (-128, 128) if dtype == np.int8 else (0, 256)
        return RNG.integers(low, high, shape).astype(dtype)
    return (RNG.integers(-15, 16, shape) / 4.0).astype(dtype)


def everything() -> list[tuple[tuple[int, int, int], str, str, tuple[str, str], str]]:
    """Shape, element, accumulator, layouts of A and B, layout of C."""
    cases = [(s, "half", c, la, "row") for s in SHAPES for c in ("float", "half") for la in LAYOUTS]
    cases += [(s, "half", c, LAYOUTS[1], "col") for s in SHAPES for c in ("float", "half")]
    cases += [(s, "__nv_bfloat16", "float", la, "col") for s in SHAPES for la in LAYOUTS]
    cases += [((16, 16, 8), "wmma::precision::tf32", "float", la, "row") for la in LAYOUTS]
    cases += [((8, 8, 4), "double", "double", la, lc) for la in LAYOUTS for lc in ("row", "col")]
    cases += [
        (s, t, "int", la, "row") for s in SHAPES for t in ("signed char", "unsigned char") for la in LAYOUTS
    ]
    return [*cases, ((16, 16, 16), "signed char", "int", LAYOUTS[0], "col")]


def test_every_type_shape_and_layout_of_wmma_multiplies_right(cuda):
    calls, blobs, wanted, at = [], {"a": [], "b": [], "c": []}, [], {"a": 0, "b": 0, "c": 0}
    for number, ((m, n, k), kind, sums, (la, lb), lc) in enumerate(everything()):
        a, b, c = draw(kind, (m, k)), draw(kind, (k, n)), draw(sums, (m, n))
        starts, strides = dict(at), {}
        for name, matrix, layout in (("a", a, la), ("b", b, lb), ("c", c, lc)):
            padding = 16 // matrix.itemsize if number % 2 else 0
            lines, strides[name] = stored(matrix, layout, padding)
            raw = np.frombuffer(lines.tobytes(), np.uint8)
            raw = np.pad(raw, (0, -raw.size % 64))
            blobs[name].append(raw)
            at[name] += raw.size
        calls.append(
            f"case {number}: one<{m}, {n}, {k}, {kind}, wmma::{la}_major, wmma::{lb}_major, {sums}, wmma::mem_{lc}_major>"
            f"(a + {starts['a']}, b + {starts['b']}, (const {sums}*)(c + {starts['c']}), ({sums}*)(d + {starts['c']}), "
            f"{strides['a']}, {strides['b']}, {strides['c']}); break;"
        )
        exact = (a.astype(np.float64) @ b.astype(np.float64) + c.astype(np.float64)).astype(C_TYPES[sums])
        wanted.append((starts["c"], exact, lc, strides["c"]))
    source = f"""{ONE}
    extern "C" __global__ void k(const char* a, const char* b, const char* c, char* d) {{
      switch (blockIdx.x) {{ {" ".join(calls)} }} }}"""
    arguments: dict[str, Any] = {name: np.concatenate(parts) for name, parts in blobs.items()}
    arguments["io_d"] = np.zeros_like(arguments["c"])
    result = cuda(source).run(len(calls), 32, arguments)
    assert result.fault is None, result.fault
    wrong = []
    for call, (start, exact, layout, stride) in zip(calls, wanted, strict=True):
        lines, _ = stored(exact, layout, stride - exact.shape[layout == "row"])
        found = result.outputs["io_d"][start : start + lines.nbytes].view(exact.dtype)
        if not (found == lines.reshape(-1)).all():
            wrong.append(call)
    assert wrong == []


def test_four_bit_and_single_bit_fragments_of_wmma_multiply_right(cuda):
    source = f"""{ONE}
    extern "C" __global__ void k(const char* a, const char* b, const int* c, int* d) {{
      using namespace wmma::experimental;
      one<8, 8, 32, precision::s4, wmma::row_major, wmma::col_major, int, wmma::mem_row_major>(a, b, c, d, 32, 32, 8);
      wmma::fragment<wmma::matrix_a, 8, 8, 128, precision::b1, wmma::row_major> x;
      wmma::fragment<wmma::matrix_b, 8, 8, 128, precision::b1, wmma::col_major> y;
      wmma::fragment<wmma::accumulator, 8, 8, 128, int> z;
      wmma::fill_fragment(z, 3);
      wmma::load_matrix_sync(x, a, 128); wmma::load_matrix_sync(y, b, 128);
      wmma::bmma_sync(z, x, y, z, bmmaBitOpXOR); wmma::store_matrix_sync(d + 64, z, 8, wmma::mem_row_major);
      wmma::bmma_sync(z, x, y, z, bmmaBitOpAND); wmma::store_matrix_sync(d + 128, z, 8, wmma::mem_col_major);
    }}"""
    a, b = (RNG.integers(0, 256, 128).astype(np.uint8) for _ in range(2))
    c = RNG.integers(-99, 99, 64).astype(np.int32)
    result = cuda(source).run(1, 32, {"a": a, "b": b, "c": c, "d": ("int32", 192)})
    assert result.fault is None, result.fault

    def nibbles(raw: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        parts = np.stack([raw & 15, raw >> 4], axis=-1).reshape(8, 32).astype(int)
        return np.where(parts > 7, parts - 16, parts)

    d = result.outputs["d"].reshape(3, 8, 8)
    assert (d[0] == nibbles(a) @ nibbles(b).T + c.reshape(8, 8)).all()
    left, right = (np.unpackbits(raw, bitorder="little").reshape(8, 128).astype(int) for raw in (a, b))
    differing = (left[:, None, :] ^ right[None]).sum(-1) + 3
    assert (d[1] == differing).all()
    assert (differing + left @ right.T == d[2].T).all()


MATMUL = """
#include <mma.h>
using namespace nvcuda;
extern "C" __global__ void k(const half* a, const half* b, const float* bias, float* c, int n, int depth) {
  __shared__ __align__(32) half sa[32 * 40]; __shared__ __align__(32) half sb[32 * 40];
  int w = threadIdx.x / 32, row = blockIdx.y * 32, column = blockIdx.x * 32, mine = w / 2 * 16, yours = w % 2 * 16;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum, old;
  wmma::fill_fragment(sum, 0.f);
  for (int k0 = 0; k0 < depth; k0 += 32) {
    for (int i = threadIdx.x; i < 1024; i += 128) {
      sa[i / 32 * 40 + i % 32] = a[(row + i / 32) * depth + k0 + i % 32];
      sb[i / 32 * 40 + i % 32] = b[(k0 + i / 32) * n + column + i % 32];
    }
    __syncthreads();
    for (int k1 = 0; k1 < 32; k1 += 16) {
      wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> x;
      wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::row_major> y;
      wmma::load_matrix_sync(x, sa + mine * 40 + k1, 40);
      wmma::load_matrix_sync(y, sb + k1 * 40 + yours, 40);
      wmma::mma_sync(sum, x, y, sum);
    }
    __syncthreads();
  }
  wmma::load_matrix_sync(old, bias + (row + mine) * n + column + yours, n, wmma::mem_row_major);
  for (int i = 0; i < sum.num_elements; i++) sum.x[i] = fmaxf(0.5f * sum.x[i] + old.x[i], 0.f);
  wmma::store_matrix_sync(c + (row + mine) * n + column + yours, sum, n, wmma::mem_row_major);
}"""


def test_a_tiled_wmma_matmul_with_an_elementwise_epilogue_is_right_over_several_blocks(cuda):
    m, n, depth = 96, 64, 96
    a, b = (RNG.standard_normal(shape).astype(np.float16) for shape in ((m, depth), (depth, n)))
    bias = RNG.standard_normal((m, n)).astype(np.float32)
    arguments = {"a": a.reshape(-1), "b": b.reshape(-1), "bias": bias.reshape(-1), "c": ("float32", m * n)}
    arguments |= {"n": n, "depth": depth}
    result = cuda(MATMUL).run((n // 32, m // 32, 1), 128, arguments)
    assert result.fault is None, result.fault
    exact = np.maximum(0.5 * (a.astype(np.float64) @ b.astype(np.float64)) + bias, 0)
    assert np.abs(result.outputs["c"].reshape(m, n) - exact).max() < 1e-5


@pytest.mark.parametrize(
    ("old", "new", "verdict", "says"),
    [
        ("__syncthreads();\n    for (int k1", "for (int k1", Verdict.RACE, "race on byte"),
        (
            "x, sa + mine * 40 + k1, 40",
            "x, sa + mine * 40 + k1, 36",
            Verdict.MEMORY_FAULT,
            "its stride is not a",
        ),
        (
            "x, sa + mine * 40 + k1",
            "x, sa + mine * 40 + k1 + 4",
            Verdict.MEMORY_FAULT,
            "its address is not a",
        ),
        (
            "y, sb + k1 * 40 + yours",
            "y, sb + k1 * 40 + 1024",
            Verdict.MEMORY_FAULT,
            "out-of-bounds 4-byte read",
        ),
        (
            "mine * 40 + k1, 40",
            "mine * 40 + k1, 40 + threadIdx.x % 2 * 8",
            Verdict.MEMORY_FAULT,
            "different values",
        ),
        (
            "sb[i / 32 * 40 + i % 32] =",
            "if (i < 512) sb[i / 32 * 40 + i % 32] =",
            Verdict.UNINITIALIZED,
            "nothing wrote",
        ),
        (
            "bias + (row + mine) * n",
            "bias + (row + mine + 20) * n",
            Verdict.MEMORY_FAULT,
            "past the end of bias",
        ),
    ],
)
def test_mistakes_around_wmma_are_found(cuda, old, new, verdict, says):
    broken = MATMUL.replace(old, new)
    assert broken != MATMUL
    half = np.ones(64 * 64, np.float16)
    arguments = {
        "a": half,
        "b": half,
        "bias": np.ones(4096, np.float32),
        "c": ("float32", 4096),
        "n": 64,
        "depth": 64,
    }
    result = cuda(broken).run((2, 2, 1), 128, arguments)
    assert result.fault is not None
    assert result.fault.verdict is verdict, result.fault
    assert says in result.fault.message
    assert result.fault.line is not None


def test_a_pointer_that_is_aligned_to_16_bytes_only_is_noted(cuda):
    shifted = (
        MATMUL.replace("half sa[32 * 40]", "half sa[32 * 40 + 8]")
        .replace("sa[i", "sa[8 + i")
        .replace("sa + ", "sa + 8 + ")
    )
    arguments = {
        "a": np.ones(1024, np.float16),
        "b": np.ones(1024, np.float16),
        "bias": np.zeros(1024, np.float32),
    }
    result = cuda(shifted).run(1, 128, arguments | {"c": ("float32", 1024), "n": 32, "depth": 32})
    assert result.fault is None, result.fault
    assert (result.outputs["c"] == 16).all()
    assert any("its address shall be a multiple of 32 bytes" in note for note in result.notes), result.notes


SOME_WARPS = """
#include <mma.h>
using namespace nvcuda;
extern "C" __global__ void k(const float* x, float* io) {
  __shared__ __align__(32) float s[256], d[256];
  int t = threadIdx.x + threadIdx.y * blockDim.x, w = t / 32;
  for (int i = t; i < 256; i += 128) s[i] = 2 * x[i];
  __syncthreads();
  const float* p = w % 2 ? s : x; float* q = w == 1 ? d : io + 256 * w;
  if (w < 3) {
    wmma::fragment<wmma::matrix_a, 16, 16, 8, wmma::precision::tf32, wmma::row_major> a;
    wmma::fragment<wmma::matrix_b, 16, 16, 8, wmma::precision::tf32, wmma::col_major> b;
    wmma::fragment<wmma::accumulator, 16, 16, 8, float> c;
    wmma::fill_fragment(c, 0.f);
    wmma::load_matrix_sync(a, p, 16); wmma::load_matrix_sync(b, p, 16);
    for (int i = 0; i < a.num_elements; i++) a.x[i] = wmma::__float_to_tf32(a.x[i]);
    for (int i = 0; i < b.num_elements; i++) b.x[i] = wmma::__float_to_tf32(b.x[i]);
    wmma::mma_sync(c, a, b, c);
    wmma::store_matrix_sync(q, c, 16, wmma::mem_row_major);
    __syncwarp();
    if (w == 1) for (int i = t % 32; i < 256; i += 32) io[256 + i] = d[i];
  }
}"""


def test_some_warps_of_a_two_dimensional_block_multiply_from_shared_others_from_global_memory(cuda):
    x = RNG.standard_normal(256).astype(np.float32)
    result = cuda(SOME_WARPS).run(1, (64, 2, 1), {"x": x, "io": np.zeros(1024, np.float32)})
    assert result.fault is None, result.fault
    found = result.outputs["io"].reshape(4, 16, 16)
    for warp, factor in enumerate((1, 2, 1)):
        bits = (factor * x).view(np.uint32).astype(np.uint64) + 0x1000  # to nearest, ties away from zero
        rounded = (
            (bits & 0xFFFFE000).astype(np.uint32).view(np.float32).astype(np.float64).reshape(16, 16)[:, :8]
        )
        assert np.abs(found[warp] - rounded @ rounded.T).max() < 1e-5
    assert (found[3] == 0).all()


COUNTED = """
#include <mma.h>
using namespace nvcuda;
extern "C" __global__ void k(const half* a, float* c, int n) {
  extern __shared__ __align__(128) half s[];
  for (int i = threadIdx.x; i < 16 * n; i += 32) s[i] = a[i];
  __syncthreads();
  wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> x;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::col_major> y;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> z;
  wmma::fill_fragment(z, 0.f);
  wmma::load_matrix_sync(x, s, n); wmma::load_matrix_sync(y, s, n);
  wmma::mma_sync(z, x, y, z); wmma::mma_sync(z, x, y, z); wmma::mma_sync(z, x, y, z);
  wmma::store_matrix_sync(c, z, 16, wmma::mem_row_major);
}
extern "C" __global__ void rows(const half* a, float* c, int n) {
  extern __shared__ __align__(128) half s[];
  for (int i = threadIdx.x; i < 16 * n; i += 32) s[i] = a[i];
  __syncthreads();
  unsigned r, at = (unsigned)__cvta_generic_to_shared(s + threadIdx.x % 8 * n);
  asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];" : "=r"(r) : "r"(at));
  c[threadIdx.x] = r;
}
"""


@pytest.mark.parametrize(("stride", "wavefronts"), [(16, 2), (24, 1), (64, 8), (72, 1)])
def test_matrix_loads_conflict_where_rows_share_banks_and_do_not_where_they_are_padded(
    cuda, stride, wavefronts
):
    a = np.ones(16 * stride, np.float16)
    for kernel, phases in (("k", 8), ("rows", 1)):
        arguments = {"a": a, "c": ("float32", 256), "n": stride}
        profile = cuda(COUNTED).profile(1, 32, arguments, kernel=kernel, shared=32 * stride)
        assert profile.fault is None, profile.fault
        found = {metric.name: metric.value for metric in profile.launches[0].metrics}
        assert found["l1tex__data_pipe_lsu_wavefronts_mem_shared_op_ld.sum"] == phases * wavefronts
        assert found["l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_ld.sum"] == phases * (wavefronts - 1)


def test_matrix_instructions_are_counted_on_the_tensor_pipe_by_kind(cuda):
    arguments = {"a": np.ones(16 * 24, np.float16), "c": ("float32", 256), "n": 24}
    profile = cuda(COUNTED).profile(1, 32, arguments, shared=768)
    found = {metric.name: metric.value for metric in profile.launches[0].metrics}
    assert found["sm__inst_executed_pipe_tensor.sum"] == 3 * 2
    assert found["sm__inst_executed_pipe_tensor_op_hmma.sum"] == 3 * 2
    assert "sm__inst_executed_pipe_tensor_op_imma.sum" not in found
    assert found["sm__ops_path_tensor_src_fp16_dst_fp32.sum"] == 3 * 2 * 16 * 16 * 16
    assert found["l1tex__t_requests_pipe_lsu_mem_global_op_st.sum"] == 4, (
        "16 x 16 floats, 256 bytes a request"
    )
    assert found["l1tex__t_sectors_pipe_lsu_mem_global_op_st.sum"] == 32


SIMT = """
#include <cuda_fp16.h>
extern "C" __global__ void k(const half* a, const half* b, const float* bias, float* c, int n, int depth) {
  __shared__ half sa[32][33], sb[32][33];
  int x = threadIdx.x % 32, y = threadIdx.x / 32, row = blockIdx.y * 32, column = blockIdx.x * 32;
  float sum[8] = {};
  for (int k0 = 0; k0 < depth; k0 += 32) {
    for (int i = y; i < 32; i += 4) {
      sa[i][x] = a[(row + i) * depth + k0 + x]; sb[i][x] = b[(k0 + i) * n + column + x];
    }
    __syncthreads();
    for (int k = 0; k < 32; k++) {
      float right = __half2float(sb[k][x]);
      for (int j = 0; j < 8; j++) sum[j] += __half2float(sa[y * 8 + j][k]) * right;
    }
    __syncthreads();
  }
  for (int j = 0; j < 8; j++) {
    int at = (row + y * 8 + j) * n + column + x;
    c[at] = fmaxf(0.5f * sum[j] + bias[at], 0.f);
  }
}"""


def test_a_wmma_matmul_is_estimated_faster_than_the_same_tiles_on_the_float_lanes(cuda, repeated):
    n, depth = 2048, 256
    half, bias = np.ones(4096, np.float16), np.ones(4096, np.float32)
    arguments = {
        "a": repeated(half, n * depth),
        "b": repeated(half, n * depth),
        "bias": repeated(bias, n * n),
        "c": ("float32", n * n),
        "n": n,
        "depth": depth,
    }
    times = {}
    for name, source in (("tensor", MATMUL), ("lanes", SIMT)):
        profile = cuda(source).profile((n // 32, n // 32, 1), 128, arguments)
        assert profile.fault is None, profile.fault
        times[name] = profile.latency_us
    assert times["tensor"] * 1.5 < times["lanes"], times
