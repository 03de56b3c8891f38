"""Cooperative groups within a warp, and warp intrinsics in divergent code."""

from __future__ import annotations

import numpy as np
import pytest

HEADERS = """#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>
namespace cg = cooperative_groups;
"""
RNG = np.random.default_rng(9)


def _warps(x: np.ndarray) -> list[np.ndarray]:
    return [x[start : start + 32] for start in range(0, x.size, 32)]


@pytest.mark.parametrize(("size", "architecture"), [(4, "sm_75"), (16, "sm_90"), (32, "sm_80")])
def test_tiles_shuffle_vote_reduce_and_scan_among_themselves(cuda, architecture, size):
    source = f"""{HEADERS}extern "C" __global__ void k(const int* x, int* out) {{
      auto block = cg::this_thread_block(); auto tile = cg::tiled_partition<{size}>(block);
      int i = block.thread_rank(), v = x[i]; int* o = out + 10 * i;
      o[0] = tile.shfl(v, 1); o[1] = tile.shfl_down(v, 1); o[2] = tile.shfl_xor(v, 2); o[3] = tile.any(v > 90) + 2 * tile.all(v > 5);
      o[4] = (int)tile.ballot(v & 1); o[5] = cg::reduce(tile, v, cg::plus<int>()); o[6] = cg::reduce(tile, v, cg::greater<int>());
      o[7] = cg::inclusive_scan(tile, v); o[8] = cg::exclusive_scan(tile, v, cg::plus<int>()); o[9] = tile.thread_rank() + 100 * tile.meta_group_rank(); }}"""
    x = RNG.integers(0, 100, 64).astype(np.int32)
    result = cuda(source, architecture).run(1, 64, {"x": x, "out": ("int32", 640)})
    assert result.fault is None, result.fault
    got = result.outputs["out"].reshape(64, 10)
    for i in range(64):
        base, r = i // size * size, i % size
        tile = x[base : base + size].astype(int)
        assert got[i].tolist() == [
            tile[1], tile[min(r + 1, size - 1)], tile[r ^ 2], (tile > 90).any() + 2 * (tile > 5).all(),
            int(np.uint32(sum((int(v) & 1) << k for k, v in enumerate(tile))).view(np.int32)), tile.sum(), tile.max(),
            tile[: r + 1].sum(), tile[:r].sum(), r + 100 * (base // size),
        ], i  # fmt: skip


@pytest.mark.parametrize("architecture", ["sm_75", "sm_90"])
def test_coalesced_labelled_and_binary_groups_hold_the_lanes_that_came(cuda, architecture):
    source = f"""{HEADERS}extern "C" __global__ void k(const int* x, int* out, int* io) {{
      int i = threadIdx.x, v = x[i]; int* o = out + 6 * i; for (int j = 0; j < 6; j++) o[j] = -1;
      if (v % 3) {{ auto active = cg::coalesced_threads(); o[0] = active.size() * 100 + active.thread_rank();
        o[1] = active.shfl(v, 0); o[2] = cg::reduce(active, v, cg::plus<int>());
        int base = 0; if (active.thread_rank() == 0) base = atomicAdd(io, (int)active.size()); base = active.shfl(base, 0) ; o[3] = base >= 0; }}
      auto warp = cg::tiled_partition<32>(cg::this_thread_block());
      auto same = cg::labeled_partition(warp, v & 3); o[4] = same.size() * 100 + same.thread_rank();
      auto half = cg::binary_partition(warp, v > 50); o[5] = cg::reduce(half, v, cg::less<int>()); }}"""
    x = RNG.integers(0, 100, 64).astype(np.int32)
    result = cuda(source, architecture).run(
        1, 64, {"x": x, "out": ("int32", 384), "io": np.zeros(1, np.int32)}
    )
    assert result.fault is None, result.fault
    got = result.outputs["out"].reshape(2, 32, 6)
    for warp, rows in zip(_warps(x), got, strict=True):
        came, label, side = warp % 3 != 0, warp & 3, warp > 50
        for lane in range(32):
            expected = [-1] * 4
            if came[lane]:
                expected = [came.sum() * 100 + came[:lane].sum(), warp[came][0], warp[came].sum(), 1]
            alike = label == label[lane]
            expected += [alike.sum() * 100 + alike[:lane].sum(), warp[side == side[lane]].min()]
            assert rows[lane].tolist() == expected, lane
    assert result.outputs["io"].tolist() == [(x % 3 != 0).sum()]


def test_warp_intrinsics_take_the_lanes_of_a_branch(cuda):
    source = """extern "C" __global__ void k(const int* x, int* out) { int i = threadIdx.x, v = x[i]; int* o = out + 8 * i;
      unsigned odd = __ballot_sync(~0u, v & 1); unsigned mine = v & 1 ? odd : ~odd; int first = __ffs(mine) - 1;
      if (v & 1) { o[0] = __reduce_add_sync(mine, v); o[1] = __shfl_sync(mine, v, first); o[2] = (int)__match_any_sync(mine, v & 7); o[3] = __any_sync(mine, v > 90); }
      else { o[0] = __reduce_max_sync(mine, v); o[1] = __shfl_sync(mine, v * 2, first); o[2] = (int)__match_any_sync(mine, v & 7); o[3] = __all_sync(mine, v < 95); }
      __syncwarp(); int all; o[4] = (int)__match_all_sync(~0u, v >> 8, &all); o[5] = all; o[6] = __reduce_min_sync(~0u, v) + (int)__reduce_xor_sync(~0u, (unsigned)v) * 1000;
      double d = v + 0.5; long long w = (long long)v << 33; o[7] = (int)(__shfl_xor_sync(~0u, d, 1) * 2) + (int)(__shfl_down_sync(~0u, w, 1) >> 33) * 1000; }"""
    x = RNG.integers(0, 100, 64).astype(np.int32)
    result = cuda(source, "sm_80").run(1, 64, {"x": x, "out": ("int32", 512)})
    assert result.fault is None, result.fault
    for warp, rows in zip(_warps(x), result.outputs["out"].reshape(2, 32, 8), strict=True):
        odd = (warp & 1).astype(bool)
        for lane, row in enumerate(rows):
            mine = odd == odd[lane]
            alike = int(
                np.uint32(sum(1 << k for k in range(32) if mine[k] and warp[k] & 7 == warp[lane] & 7)).view(
                    np.int32
                )
            )
            taken = warp[mine]
            branch = (
                [taken.sum(), taken[0], alike, (taken > 90).any()]
                if odd[lane]
                else [taken.max(), taken[0] * 2, alike, (taken < 95).all()]
            )
            tail = [
                -1,
                1,
                warp.min() + int(np.bitwise_xor.reduce(warp)) * 1000,
                2 * warp[lane ^ 1] + 1 + warp[min(lane + 1, 31)] * 1000,
            ]
            assert row.tolist() == [*branch, *tail], lane
