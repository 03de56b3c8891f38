"""Cooperative groups: tiles, coalesced groups, grid barriers, clusters; and the order of blocks."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.verdict import Verdict

HEAD = """#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>
namespace cg = cooperative_groups;
"""


SIZES = (1, 2, 4, 8, 16, 32)
TILES = HEAD + "\n".join(
    f"""extern "C" __global__ void tiles{size}(const int* x, int* out) {{
      auto tile = cg::tiled_partition<{size}>(cg::this_thread_block());
      int i = threadIdx.x, v = x[i];
      out[4 * i] = cg::reduce(tile, v, cg::plus<int>());
      out[4 * i + 1] = cg::inclusive_scan(tile, v);
      out[4 * i + 2] = tile.shfl_xor(v, {size} / 2) + tile.meta_group_rank() * 1000;
      out[4 * i + 3] = cg::reduce(tile, v, cg::greater<int>()) + 100 * tile.any(v == 7); }}"""
    for size in SIZES
)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("architecture", ["sm_75", "sm_90"])
def test_tiles_reduce_scan_and_shuffle_within_themselves(cuda, size, architecture):
    of_every_size = cuda(TILES, architecture, tuple(f"tiles{one}" for one in SIZES))
    x = np.random.default_rng(2).integers(0, 50, 96).astype(np.int32)
    result = of_every_size.run(1, 96, {"x": x, "out": ("int32", 384)}, kernel=f"tiles{size}")
    assert result.fault is None, result.fault
    got = result.outputs["out"].reshape(96, 4)
    tiles = x.reshape(-1, size)
    assert got[:, 0].tolist() == np.repeat(tiles.sum(axis=1), size).tolist()
    assert got[:, 1].tolist() == tiles.cumsum(axis=1).reshape(-1).tolist()
    lanes = np.arange(96)
    assert got[:, 2].tolist() == (x[lanes ^ (size // 2)] + lanes // size * 1000).tolist()
    expected = np.repeat(tiles.max(axis=1) + 100 * (tiles == 7).any(axis=1), size)
    assert got[:, 3].tolist() == expected.tolist()


def test_coalesced_groups_are_the_threads_that_took_the_branch(cuda):
    source = f"""{HEAD}extern "C" __global__ void k(const int* x, int* out) {{
      int i = threadIdx.x; out[i] = -1;
      if (x[i] % 3 == 0) {{
        auto group = cg::coalesced_threads();
        out[i] = group.thread_rank() + 100 * group.size() + 10000 * group.shfl(x[i], 0) + cg::reduce(group, 0, cg::plus<int>());
      }} }}"""
    x = np.random.default_rng(3).integers(0, 50, 64).astype(np.int32)
    result = cuda(source).run(1, 64, {"x": x, "out": ("int32", 64)})
    assert result.fault is None, result.fault
    for warp in (slice(0, 32), slice(32, 64)):
        members = x[warp] % 3 == 0
        rank = np.cumsum(members) - 1
        first = x[warp][np.argmax(members)]
        expected = np.where(members, rank + 100 * members.sum() + 10000 * first, -1)
        assert result.outputs["out"][warp].tolist() == expected.tolist()


@pytest.mark.parametrize("architecture", ["sm_75", "sm_90"])
@pytest.mark.parametrize("poison", [1, 2])
def test_a_grid_barrier_orders_all_blocks(cuda, architecture, poison):
    source = f"""{HEAD}extern "C" __global__ void k(int* scratch, int* out, int n) {{
      auto grid = cg::this_grid(); int i = grid.thread_rank();
      scratch[i] = i; grid.sync();
      int v = scratch[n - 1 - i]; grid.sync();
      scratch[i] = v * 2; grid.sync();
      out[i] = scratch[(i + 64) % n]; }}"""
    n = 64 * 40
    arguments = {"scratch": ("int32", n), "out": ("int32", n), "n": n}
    result = cuda(source, architecture).run(40, 64, arguments, mode="cooperative", poison=poison)
    assert result.fault is None, result.fault
    i = (np.arange(n) + 64) % n
    assert result.outputs["out"].tolist() == (2 * (n - 1 - i)).tolist()
    plain = cuda(source, architecture).run(40, 64, arguments).fault
    assert plain is not None  # a grid barrier without a cooperative launch traps


def test_a_missing_grid_barrier_is_a_race(cuda):
    source = f"""{HEAD}extern "C" __global__ void k(int* scratch, int* out, int n) {{
      auto grid = cg::this_grid(); int i = grid.thread_rank();
      grid.sync(); scratch[i] = i;
      out[i] = scratch[n - 1 - i]; }}"""
    arguments = {"scratch": ("int32", 512), "out": ("int32", 512), "n": 512}
    fault = cuda(source).run(8, 64, arguments, mode="cooperative").fault
    assert fault is not None
    assert fault.verdict in {Verdict.RACE, Verdict.UNINITIALIZED}


def test_a_cooperative_grid_that_does_not_fit_is_refused(cuda):
    source = 'extern "C" __global__ void k(int* out) { if (!threadIdx.x) out[blockIdx.x] = 1; }'
    fault = cuda(source).run(132 * 4, 1024, {"out": ("int32", 528)}, mode="cooperative").fault
    assert fault is not None
    assert fault.verdict is Verdict.LAUNCH_ERROR
    assert "resident" in fault.message


def test_the_seed_draws_the_order_of_blocks(cuda):
    source = """extern "C" __global__ void k(int* ticket, int* out) {
      if (threadIdx.x == 0) out[blockIdx.x] = atomicAdd(ticket, 1); }"""
    orders = []
    for poison in (2, 1, 3, 3):
        arguments = {"io": np.zeros(1, np.int32), "out": ("int32", 200)}
        result = cuda(source).run(200, 256, arguments, poison=poison)
        assert result.fault is None, result.fault
        orders.append(result.outputs["out"].tolist())
    assert orders[0] == list(range(200))
    assert all(sorted(order) == orders[0] for order in orders)
    assert orders[1] != orders[0] != orders[2]
    assert orders[1] != orders[2] == orders[3]
