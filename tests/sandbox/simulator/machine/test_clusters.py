"""Clusters: shared memory of other blocks, what orders blocks, and what they do to each other without it."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.verdict import Verdict

X = np.random.default_rng(9).integers(0, 1 << 16, 2048).astype(np.int32)
HEAD = """typedef unsigned long long u64;
__device__ unsigned at(void* p) { return (unsigned)__cvta_generic_to_shared(p); }
__device__ unsigned rank() { unsigned r; asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(r)); return r; }
__device__ unsigned mapa(void* p, unsigned r) {
  unsigned a; asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(a) : "r"(at(p)), "r"(r)); return a; }
__device__ void arrive() { asm volatile("barrier.cluster.arrive.release;" ::: "memory"); }
__device__ void wait() { asm volatile("barrier.cluster.wait.acquire;" ::: "memory"); }
__device__ void sync() { arrive(); wait(); }
__device__ int load(unsigned a) { int v; asm volatile("ld.shared::cluster.s32 %0, [%1];" : "=r"(v) : "r"(a)); return v; }
__device__ void store(unsigned a, int v) { asm volatile("st.shared::cluster.s32 [%0], %1;" :: "r"(a), "r"(v) : "memory"); }
"""

HISTOGRAM = """#include <cooperative_groups.h>
namespace cg = cooperative_groups;
extern "C" __global__ void __cluster_dims__({size}, 1, 1) k(const int* x, int* y, int each, int syncs) {{
  __shared__ int bins[32]; auto cluster = cg::this_cluster(); int t = threadIdx.x;
  if (t < 32) bins[t] = 0;
  if (syncs & 1) cluster.sync(); else __syncthreads();
  for (int i = t; i < each; i += blockDim.x) {{
    int bin = x[blockIdx.x * each + i] & (32 * {size} - 1);
    atomicAdd(cluster.map_shared_rank(bins, bin / 32) + bin % 32, 1);
  }}
  if (syncs & 2) cluster.sync(); else __syncthreads();
  if (t < 32) y[(blockIdx.x / {size} * {size} + cluster.block_rank()) * 32 + t] = bins[t]; }}"""


@pytest.mark.parametrize("syncs", [0, 1, 2, 3])
def test_a_histogram_over_the_shared_memory_of_a_cluster(cuda, syncs):
    kernel = cuda(HISTOGRAM.format(size=4))
    result = kernel.run(8, 64, {"x": X, "y": ("int32", 256), "each": 256, "syncs": syncs})
    if syncs != 3:
        assert result.fault is not None
        assert result.fault.verdict is Verdict.RACE
        assert "cluster" in result.fault.message
        return
    assert result.fault is None, result.fault
    expected = [np.bincount(half & 127, minlength=128) for half in X.reshape(2, 1024)]
    assert result.outputs["y"].tolist() == np.concatenate(expected).tolist()


@pytest.mark.parametrize("cluster", ["__cluster_dims__(1, 1, 1) ", ""])
def test_a_block_alone_is_a_cluster_of_its_own(cuda, cluster):
    text = HISTOGRAM.format(size=1).replace("__cluster_dims__(1, 1, 1) ", cluster)
    result = cuda(text).run(2, 64, {"x": X, "y": ("int32", 64), "each": 1024, "syncs": 3})
    assert result.fault is None, result.fault
    expected = [np.bincount(half & 31, minlength=32) for half in X.reshape(2, 1024)]
    assert result.outputs["y"].tolist() == np.concatenate(expected).tolist()


def test_a_block_alone_has_no_neighbours(cuda):
    beyond = HISTOGRAM.format(size=1).replace("bin / 32", "bin / 32 + 1")
    result = cuda(beyond).run(2, 64, {"x": X, "y": ("int32", 64), "each": 1024, "syncs": 3})
    assert result.fault is not None
    assert result.fault.verdict is Verdict.MEMORY_FAULT


EXCHANGE = """extern "C" __global__ void k(const int* x, int* y, int n) {{
  __shared__ int s[64]; int t = threadIdx.x, me = rank(), block = blockIdx.x + gridDim.x * blockIdx.y;
  {body} }}"""
FILL = "s[t] = x[block * 64 + t]; "
READ = "y[block * 64 + t] = load(mapa(s, (me + 1) % n) + 4 * (63 - t)); "
CASES = {
    "a ring": (FILL + "sync(); " + READ + "sync();", True),
    "arrive and wait apart": (FILL + "arrive(); int v = x[0]; wait(); " + READ + "sync(); if (v == -1) y[0] = 0;", True),
    "pushed, not pulled": (
        "sync(); store(mapa(s, (me + n - 1) % n) + 4 * (63 - t), x[block * 64 + t]); sync(); y[block * 64 + t] = s[t];", True),
    "pushed to a block that may not have started": (
        "store(mapa(s, (me + n - 1) % n) + 4 * (63 - t), x[block * 64 + t]); sync(); y[block * 64 + t] = s[t];", False),
    "its own address in the cluster": (FILL + "sync(); y[block * 64 + t] = load(mapa(s, me) + 4 * t);", None),
    "no barrier before": (FILL + READ + "sync();", False),
    "only a barrier of the block": (FILL + "__syncthreads(); " + READ + "sync();", False),
    "read between arrival and wait": (FILL + "arrive(); " + READ + "wait(); sync();", False),
    "written between arrival and wait": ("arrive(); " + FILL + "wait(); " + READ + "sync();", False),
    "the owner may have ended": (FILL + "sync(); " + READ, False),
    "overwritten while others read": (FILL + "sync(); " + READ + "s[t] = 0; sync(); y[0 * t] += 0 * s[t];", False),
    "two blocks write one place": ("store(mapa(s, 0) + 4 * t, me); sync(); y[block * 64 + t] = load(mapa(s, 0) + 4 * t); sync();", False),
    "a rank beyond the cluster": (FILL + "sync(); y[block * 64 + t] = load(mapa(s, n) + 4 * t); sync();", False),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_blocks_that_touch_each_others_memory(cuda, name):
    body, honest = CASES[name]
    kernel = cuda(HEAD + EXCHANGE.format(body=body))
    arguments = {"x": X[:512], "y": ("int32", 512), "n": 4}
    result = kernel.run((4, 2, 1), 64, arguments, mode="cluster", cluster=(2, 2, 1))
    if honest is False:
        assert result.fault is not None
        beyond = "beyond" in name
        assert result.fault.verdict is (Verdict.MEMORY_FAULT if beyond else Verdict.RACE), result.fault
        return
    assert result.fault is None, result.fault
    x = X[:512].reshape(2, 2, 2, 64).transpose(1, 0, 2, 3).reshape(2, 4, 64)
    expected = x if honest is None else np.roll(x, -1, axis=1)[:, :, ::-1]
    got = result.outputs["y"].reshape(2, 2, 2, 64).transpose(1, 0, 2, 3).reshape(2, 4, 64)
    assert got.tolist() == expected.tolist()


MAILBOX = (
    HEAD
    + """
extern "C" __global__ void __cluster_dims__(2, 1, 1) k(const int* x, int* y) {
  __shared__ u64 full; __shared__ int s[32]; int t = threadIdx.x;
  if (t == 0) asm volatile("mbarrier.init.shared.b64 [%0], 32;" :: "r"(at(&full)));
  sync();
  if (rank() == 0) {
    store(mapa(s + t, 1), x[t]);
    asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" :: "r"(mapa(&full, 1)) : "memory");
  } else {
    unsigned over = 0;
    while (!over) asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], 0;"
      " selp.b32 %0, 1, 0, p; }" : "=r"(over) : "r"(at(&full)) : "memory");
    y[blockIdx.x / 2 * 32 + t] = s[31 - t];
  } }"""
)


def test_an_mbarrier_of_another_block_orders_what_was_put_there(cuda):
    result = cuda(MAILBOX).run(4, 32, {"x": X[:32], "y": ("int32", 64)})
    assert result.fault is None, result.fault
    assert result.outputs["y"].tolist() == X[:32][::-1].tolist() * 2
    late = MAILBOX.replace("store(mapa(s + t, 1), x[t]);", "").replace(
        "mapa(&full, 1)) : \"memory\");", "mapa(&full, 1)) : \"memory\"); store(mapa(s + t, 1), x[t]);"
    )  # fmt: skip
    fault = cuda(late).run(4, 32, {"x": X[:32], "y": ("int32", 64)}).fault
    assert fault is not None
    assert fault.verdict in {Verdict.RACE, Verdict.UNINITIALIZED}, fault


def test_addresses_tell_their_block(cuda):
    source = (
        HEAD
        + """
extern "C" __global__ void k(int* y) {
  __shared__ int s[4]; unsigned r, g; u64 a; unsigned own, kind; int i = blockIdx.x * 4;
  asm volatile("getctarank.shared::cluster.u32 %0, %1;" : "=r"(r) : "r"(mapa(s, 3 - rank())));
  asm volatile("mapa.u64 %0, %1, 2;" : "=l"(a) : "l"(s));
  asm volatile("getctarank.u64 %0, %1;" : "=r"(g) : "l"(a));
  asm volatile("getctarank.shared::cluster.u32 %0, %1;" : "=r"(own) : "r"(at(s)));
  asm volatile("{ .reg .pred p, q; isspacep.shared::cluster p, %1; isspacep.shared::cta q, %1;"
    " selp.u32 %0, 10, 0, p; @q add.u32 %0, %0, 1; }" : "=r"(kind) : "l"(a));
  if (threadIdx.x == 0) { y[i] = r; y[i + 1] = g; y[i + 2] = own; y[i + 3] = kind; } }"""
    )
    result = cuda(source).run(8, 32, {"y": ("int32", 32)}, mode="cluster", cluster=(4, 1, 1))
    assert result.fault is None, result.fault
    assert result.outputs["y"].reshape(8, 4).tolist() == [[3 - b % 4, 2, b % 4, 10] for b in range(8)]


def test_a_profile_counts_whole_clusters(cuda):
    kernel = cuda(HISTOGRAM.format(size=4))
    result = kernel.profile(400, 64, {"x": X, "y": ("int32", 400 * 32), "each": 4, "syncs": 3})
    assert result.fault is None, result.fault
    (launch,) = result.launches
    assert launch.total_blocks == 400
    assert 8 <= launch.sampled_blocks <= 64
    assert launch.sampled_blocks % 4 == 0


def test_blocks_of_a_cluster_exchange_global_memory_behind_its_barrier(cuda):
    source = (
        HEAD
        + """extern "C" __global__ void __cluster_dims__(2, 1, 1) k(int* scratch, int* y) {
      int i = blockIdx.x * 32 + threadIdx.x; scratch[i] = i; BARRIER y[i] = scratch[i ^ 32]; }"""
    )
    arguments = {"scratch": ("int32", 128), "y": ("int32", 128)}
    result = cuda(source.replace("BARRIER", "sync();")).run(4, 32, arguments)
    assert result.fault is None, result.fault
    assert result.outputs["y"].tolist() == [i ^ 32 for i in range(128)]
    fault = cuda(source.replace("BARRIER", "__syncthreads();")).run(4, 32, arguments).fault
    assert fault is not None
    assert fault.verdict in {Verdict.RACE, Verdict.UNINITIALIZED}
