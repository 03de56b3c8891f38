"""Whole kernels on the tensor cores: ldmatrix, stmatrix, mma.sync, asynchronous copies; their mistakes and limits."""

from __future__ import annotations

import re

import numpy as np
import pytest

from sandbox.verdict import Verdict

RNG = np.random.default_rng(14)

MATMUL = """
#include <cuda_fp16.h>
extern "C" __global__ void k(const half* a, const half* b, float* c, int n, int depth) {
  __shared__ __align__(16) half sa[32][24]; __shared__ __align__(16) half sb[16][40];
  int t = threadIdx.x + threadIdx.y * blockDim.x, w = t / 32, l = t % 32, wr = w / 2, wc = w % 2;
  int row = blockIdx.y * 32, column = blockIdx.x * 32;
  float d[2][4] = {};
  for (int k0 = 0; k0 < depth; k0 += 16) {
    for (int i = t; i < 512; i += 128) sa[i / 16][i % 16] = a[(row + i / 16) * depth + k0 + i % 16];
    for (int i = t; i < 512; i += 128) sb[i / 32][i % 32] = b[(k0 + i / 32) * n + column + i % 32];
    __syncthreads();
    unsigned x[4], y[4];
    unsigned pa = __cvta_generic_to_shared(&sa[wr * 16 + l % 16][l / 16 * 8]);
    unsigned pb = __cvta_generic_to_shared(&sb[l % 16][wc * 16 + l / 16 * 8]);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
      : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3]) : "r"(pa));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
      : "=r"(y[0]), "=r"(y[1]), "=r"(y[2]), "=r"(y[3]) : "r"(pb));
    for (int j = 0; j < 2; j++)
      asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[j][0]), "+f"(d[j][1]), "+f"(d[j][2]), "+f"(d[j][3])
        : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[2 * j]), "r"(y[2 * j + 1]));
    __syncthreads();
  }
  for (int j = 0; j < 2; j++) for (int e = 0; e < 4; e++)
    c[(row + wr * 16 + l / 4 + 8 * (e / 2)) * n + column + wc * 16 + j * 8 + l % 4 * 2 + e % 2] = d[j][e];
}"""


@pytest.mark.parametrize("block", [128, (16, 8, 1)])
def test_a_tiled_matmul_of_ldmatrix_and_mma_is_right_over_several_blocks(cuda, block):
    m, n, depth = 64, 96, 80
    a, b = (RNG.standard_normal(shape).astype(np.float16) for shape in ((m, depth), (depth, n)))
    arguments = {"a": a.reshape(-1), "b": b.reshape(-1), "c": ("float32", m * n), "n": n, "depth": depth}
    result = cuda(MATMUL).run((n // 32, m // 32, 1), block, arguments)
    assert result.fault is None, result.fault
    exact = a.astype(np.float64) @ b.astype(np.float64)
    assert np.abs(result.outputs["c"].reshape(m, n) - exact).max() < 1e-5


PIPELINED = """
#include <cuda_fp16.h>
#include <cuda_pipeline.h>
#ifndef SWIZZLE
#define SWIZZLE(row) (row >> 1 & 3)
#endif
__device__ unsigned place(const half* tile, int row, int chunk) {
  return (unsigned)__cvta_generic_to_shared(tile + row * 32 + (chunk ^ SWIZZLE(row)) * 8);
}
__device__ void fetch(half* tile, const half* from, int depth) {
  for (int i = threadIdx.x; i < 256; i += 128) {
    int row = i / 4, chunk = i % 4;
    __pipeline_memcpy_async(tile + row * 32 + (chunk ^ SWIZZLE(row)) * 8, from + row * depth + chunk * 8, 16);
  }
}
__device__ void four(unsigned* r, unsigned at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
    : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at));
}
extern "C" __global__ void __launch_bounds__(128) k(const half* a, const half* b, half* c, int n, int depth) {
  __shared__ __align__(128) half sa[2][64 * 32], sb[2][64 * 32];
  int l = threadIdx.x % 32, w = threadIdx.x / 32, wm = w / 2 * 32, wn = w % 2 * 32;
  a += blockIdx.y * 64 * depth; b += blockIdx.x * 64 * depth; c += blockIdx.y * 64 * n + blockIdx.x * 64;
  float d[2][4][4] = {};
  fetch(sa[0], a, depth); fetch(sb[0], b, depth); __pipeline_commit();
  for (int k0 = 0, now = 0; k0 < depth; k0 += 32, now ^= 1) {
    if (k0 + 32 < depth) { fetch(sa[now ^ 1], a + k0 + 32, depth); fetch(sb[now ^ 1], b + k0 + 32, depth); }
    __pipeline_commit(); __pipeline_wait_prior(1); __syncthreads();
    for (int s = 0; s < 4; s += 2) {
      unsigned x[2][4], y[2][4];
      for (int i = 0; i < 2; i++) four(x[i], place(sa[now], wm + 16 * i + l % 16, s + l / 16));
      for (int j = 0; j < 2; j++) four(y[j], place(sb[now], wn + 16 * j + (l & 7) + (l >> 4) * 8, s + (l >> 3 & 1)));
      for (int i = 0; i < 2; i++) for (int j = 0; j < 4; j++)
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
          : "+f"(d[i][j][0]), "+f"(d[i][j][1]), "+f"(d[i][j][2]), "+f"(d[i][j][3])
          : "r"(x[i][0]), "r"(x[i][1]), "r"(x[i][2]), "r"(x[i][3]), "r"(y[j / 2][j % 2 * 2]), "r"(y[j / 2][j % 2 * 2 + 1]));
    }
    __syncthreads();
  }
  for (int i = 0; i < 2; i++) for (int j = 0; j < 4; j++) for (int h = 0; h < 2; h++)
    *(half2*)(c + (wm + 16 * i + l / 4 + 8 * h) * n + wn + 8 * j + l % 4 * 2) = __floats2half2_rn(d[i][j][2 * h], d[i][j][2 * h + 1]);
}"""


def test_a_pipelined_matmul_with_swizzled_tiles_is_right_and_free_of_bank_conflicts(cuda):
    m, n, depth = 128, 128, 96
    a, b = (RNG.standard_normal(shape).astype(np.float16) for shape in ((m, depth), (n, depth)))
    arguments = {"a": a.reshape(-1), "b": b.reshape(-1), "c": ("float16", m * n), "n": n, "depth": depth}
    result = cuda(PIPELINED).run((2, 2, 1), 128, arguments)
    assert result.fault is None, result.fault
    exact = (a.astype(np.float64) @ b.astype(np.float64).T).astype(np.float16)
    found = result.outputs["c"].reshape(m, n)
    assert (np.abs(found.astype(np.float64) - exact) <= np.spacing(np.abs(exact))).all()
    conflicts = {}
    for name, head in (("swizzled", ""), ("plain", "#define SWIZZLE(row) 0\n")):
        profile = cuda(head + PIPELINED).profile((2, 2, 1), 128, arguments)
        metrics = {metric.name: metric.value for metric in profile.launches[0].metrics}
        conflicts[name] = metrics["l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_ld.sum"]
    # 4 blocks, 3 steps, 4 warps, 8 ldmatrix.x4: four phases each, four rows to a bank where nothing is swizzled.
    assert conflicts == {"swizzled": 0, "plain": 4 * 3 * 4 * 8 * 4 * 3}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("__pipeline_wait_prior(1);", ""),
        ("__pipeline_wait_prior(1);", "__pipeline_wait_prior(2);"),
        ("__pipeline_wait_prior(1); __syncthreads();", "__pipeline_wait_prior(1);"),
        ("    __syncthreads();\n  }", "  }"),
        ("sa[now ^ 1], a + k0", "sa[now], a + k0"),
    ],
)
def test_mistakes_in_a_pipelined_matmul_are_hazards(cuda, old, new):
    broken = PIPELINED.replace(old, new)
    assert broken != PIPELINED
    half = np.ones(64 * 128, np.float16)
    arguments = {"a": half, "b": half, "c": ("float16", 64 * 64), "n": 64, "depth": 128}
    result = cuda(broken).run(1, 128, arguments)
    assert result.fault is not None
    assert result.fault.verdict in {Verdict.RACE, Verdict.UNINITIALIZED}, result.fault
    assert result.fault.line is not None


def test_a_missing_barrier_before_ldmatrix_is_a_race(cuda):
    broken = MATMUL.replace("__syncthreads();\n    unsigned x", "unsigned x")
    assert broken != MATMUL
    a = np.ones(32 * 32, np.float16)
    arguments = {"a": a, "b": a, "c": ("float32", 1024), "n": 32, "depth": 32}
    result = cuda(broken).run(1, 128, arguments)
    assert result.fault is not None
    assert result.fault.verdict is Verdict.RACE
    assert re.search(r"written at line 9 .*, and read at line 15 ", result.fault.message)


@pytest.mark.parametrize(("between", "verdict"), [("", Verdict.RACE), ("__syncwarp();", None)])
def test_a_matrix_load_of_rows_that_the_same_warp_stored_takes_a_syncwarp(cuda, between, verdict):
    source = f"""
    extern "C" __global__ void k(const uint4* x, unsigned* out) {{
      __shared__ uint4 s[32]; int l = threadIdx.x; unsigned r[4];
      s[l] = x[l];
      {between}
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {{%0,%1,%2,%3}}, [%4];"
        : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"((unsigned)__cvta_generic_to_shared(s + l)));
      for (int i = 0; i < 4; i++) out[i * 32 + l] = r[i];
    }}"""
    x = RNG.integers(0, 1 << 32, 128, dtype=np.uint64).astype(np.uint32)
    result = cuda(source).run(1, 32, {"x": x, "out": ("uint32", 128)})
    if verdict is None:
        assert result.fault is None, result.fault
        assert (result.outputs["out"] == x).all()
    else:
        assert result.fault is not None
        assert result.fault.verdict is verdict, result.fault
        assert "no __syncwarp() between lanes of one warp" in result.fault.message


def test_stmatrix_and_movmatrix_move_what_ldmatrix_reads(cuda):
    source = """
    extern "C" __global__ void k(const unsigned short* x, unsigned short* out) {
      __shared__ __align__(16) unsigned short s[3][32 * 8];
      int l = threadIdx.x; unsigned r[4], q;
      for (int i = l; i < 256; i += 32) s[0][i] = x[i];
      __syncwarp();
      unsigned from = __cvta_generic_to_shared(&s[0][l * 8]), to = __cvta_generic_to_shared(&s[1][l * 8]);
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "l"(&s[0][l * 8]));
      asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1,%2,%3,%4};"
        :: "r"(to), "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3]));
      asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(q) : "r"(r[2]));
      unsigned low = __cvta_generic_to_shared(&s[2][l % 8 * 8]);
      asm volatile("stmatrix.sync.aligned.m8n8.x1.shared.b16 [%0], {%1};" :: "r"(low), "r"(q));
      asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];" : "=r"(r[0]), "=r"(r[1]) : "r"(from));
      __syncwarp();
      for (int i = l; i < 256; i += 32) out[i] = s[1][i];
      for (int i = l; i < 64; i += 32) out[256 + i] = s[2][i];
      out[320 + 2 * l] = r[1]; out[321 + 2 * l] = r[1] >> 16;
    }"""
    x = RNG.integers(0, 1 << 16, 256).astype(np.uint16)
    result = cuda(source).run(1, 32, {"x": x, "out": ("uint16", 384)})
    assert result.fault is None, result.fault
    tiles = x.reshape(4, 8, 8)
    assert (result.outputs["out"][:256].reshape(4, 8, 8) == tiles.swapaxes(1, 2)).all()
    assert (result.outputs["out"][256:320].reshape(8, 8) == tiles[2].T).all()
    assert (result.outputs["out"][320:].reshape(8, 8) == tiles[1]).all()


@pytest.mark.parametrize(
    ("statement", "verdict", "says"),
    [
        ("if (l < 20) MMA", Verdict.BARRIER_DIVERGENCE, "executed by 20 lanes of a warp; it takes all 32"),
        ("if (l >= 24) return; LDMATRIX(s + l * 8)", Verdict.BARRIER_DIVERGENCE, "ldmatrix.sync.aligned"),
        ("if (l < 8) MMA else LDMATRIX(s + l * 8)", Verdict.BARRIER_DIVERGENCE, "not reached by every lane"),
        ("LDMATRIX(s + l * 4)", Verdict.MEMORY_FAULT, "misaligned 16-byte read"),
        ("LDMATRIX(s + l * 8 + 64)", Verdict.MEMORY_FAULT, "out-of-bounds 16-byte read at byte 512"),
    ],
)
def test_matrix_instructions_that_a_part_of_a_warp_reaches_or_bad_rows_are_faults(
    cuda, statement, verdict, says
):
    macros = """
    #define MMA asm volatile("{ .reg .f32 a; mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16 {%0,%1}, {%0,%1}, {%0}, {%0,%1}; }" : "+r"(r[0]), "+r"(r[1]));
    #define LDMATRIX(p) asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"((unsigned)__cvta_generic_to_shared(p)));
    """
    source = f"""{macros}
    extern "C" __global__ void k(unsigned* out) {{
      __shared__ __align__(16) unsigned short s[256]; int l = threadIdx.x; unsigned r[4] = {{}};
      for (int i = l; i < 256; i += 32) s[i] = i;
      __syncthreads();
      {statement}
      out[l] = r[0] + r[1] + r[2] + r[3];
    }}"""
    result = cuda(source).run(1, 32, {"out": ("uint32", 32)})
    assert result.fault is not None
    assert result.fault.verdict is verdict, result.fault
    assert says in result.fault.message
    assert result.fault.line == 9


@pytest.mark.parametrize(
    ("architecture", "index", "fine"), [("sm_75", "l", False), ("sm_75", "l % 8", True), ("sm_80", "l", True)]
)
def test_lanes_whose_rows_are_not_read_give_addresses_on_sm_75_only(cuda, architecture, index, fine):
    source = f"""
    extern "C" __global__ void k(unsigned* out) {{
      __shared__ uint4 s[8]; int l = threadIdx.x; unsigned r;
      if (l < 8) s[l] = make_uint4(l, l, l, l);
      __syncthreads();
      asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {{%0}}, [%1];" : "=r"(r)
        : "r"((unsigned)__cvta_generic_to_shared(s + {index})));
      out[l] = r;
    }}"""
    result = cuda(source, architecture).run(1, 32, {"out": ("uint32", 32)})
    if fine:
        assert result.fault is None, result.fault
        assert result.outputs["out"].tolist() == [lane // 4 for lane in range(32)]
    else:
        assert result.fault is not None
        assert result.fault.verdict is Verdict.MEMORY_FAULT
        assert result.fault.threads == 24


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("wgmma.fence.sync.aligned;", "wgmma.fence.sync.aligned"),
        (
            "{ .reg .b32 r; mma.sp::ordered_metadata.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16"
            " {r,r}, {r,r}, {r,r}, {r,r}, r, 0x0; }",
            "mma.sp::ordered_metadata.sync.aligned.m16n8k16",
        ),
        ("wgmma.commit_group.sync.aligned;", "wgmma.commit_group.sync.aligned"),
        (
            "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [%1], [%0], 128;",
            "cp.reduce.async.bulk.global.shared::cta",
        ),
        (
            "cp.async.bulk.tensor.1d.global.shared::cta.bulk_group [%1, {%0}], [%0];",
            "cp.async.bulk.tensor.1d",
        ),
    ],
)
def test_wgmma_sparse_mma_and_tensor_maps_are_unsupported_by_name_and_line(cuda, statement, name):
    source = f"""
    extern "C" __global__ void k(float* out) {{
      __shared__ __align__(128) float s[64]; s[threadIdx.x] = 1;
      asm volatile("{statement}" :: "r"((unsigned)__cvta_generic_to_shared(s)), "l"(out) : "memory");
      out[threadIdx.x] = s[threadIdx.x];
    }}"""
    result = cuda(source, "sm_90a").run(1, 32, {"out": ("float32", 32)})
    assert result.fault is not None
    assert result.fault.verdict is Verdict.UNSUPPORTED
    assert f"the simulator has no {name}" in result.fault.message
    assert result.fault.line == 4
