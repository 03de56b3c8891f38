"""Schedules: every order that nothing forbids comes up, blocks and lanes all run, and a seed repeats its order."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from sandbox.simulator.execute.schedule import LOCK_STEP, Schedule
from sandbox.simulator.machine.lanes import Geometry

SEEDS = range(1, 41, 2)


@pytest.mark.parametrize(
    ("count", "most"), [(1, 128), (2, 1), (5, 128), (128, 128), (1000, 128), (1000, 1), (129, 128)]
)
def test_batches_hold_every_block_once_and_a_seed_runs_a_few_first(count: int, most: int) -> None:
    plain = LOCK_STEP.cuts(count, most)
    assert plain == [*range(0, count, most), count]
    few = 0
    for seed in SEEDS:
        cuts = Schedule(seed).cuts(count, most)
        sizes = [end - start for start, end in itertools.pairwise(cuts)]
        assert sum(sizes) == count
        assert min(sizes) >= 1
        assert max(sizes) <= most
        assert len(sizes) <= len(plain) + 1
        if sizes[0] != plain[1]:
            few += 1
            assert sizes[0] <= min(4, most)
    assert (few > 0) is (count > 1 and most > 1)


def test_a_seed_draws_the_order_of_blocks_and_repeats_it() -> None:
    blocks = np.arange(50, dtype=np.int64)
    orders = [Schedule(seed).order(blocks).tolist() for seed in SEEDS]
    assert all(sorted(order) == blocks.tolist() for order in orders)
    assert len({tuple(order) for order in orders}) == len(orders)
    assert Schedule(1).order(blocks).tolist() == orders[0]
    assert Schedule(1, launch=1).order(blocks).tolist() != orders[0]
    assert LOCK_STEP.order(blocks).tolist() == blocks.tolist()
    assert LOCK_STEP.batch(Geometry((4, 1, 1), (64, 1, 1)), blocks, drifting=True) is None


@pytest.mark.parametrize(
    ("geometry", "blocks"),
    [
        (Geometry((8, 1, 1), (256, 1, 1)), 8),
        (Geometry((8, 1, 1), (32, 1, 1)), 8),
        (Geometry((1, 1, 1), (96, 1, 1)), 1),
        (Geometry((3, 1, 1), (20, 7, 1)), 3),
        (Geometry((8, 1, 1), (64, 1, 1), (2, 1, 1)), 8),
    ],
)
def test_warps_run_first_or_are_held_back_as_wholes(geometry: Geometry, blocks: int) -> None:
    seen: set[bytes] = set()
    for seed in SEEDS:
        batch = Schedule(seed).batch(geometry, np.arange(blocks), drifting=True)
        assert batch is not None
        first, late = (
            np.broadcast_to(side, (geometry.rows, geometry.columns, blocks)) for side in batch.sides()
        )
        assert (first ^ late).all()
        assert first.any()
        assert late.any()
        flat = late.reshape(geometry.threads, blocks)
        for start in range(0, geometry.threads, 32):
            assert (flat[start : start + 32] == flat[start]).all()
        if geometry.cluster_size > 1:
            assert (flat == flat[:, :1]).all()  # blocks of a cluster start together
        seen.add(late.tobytes())
    assert len(seen) > (1 if geometry.cluster_size > 1 or geometry.warps * blocks < 5 else 5)


def test_nothing_is_held_back_where_threads_do_not_drift_or_one_warp_is_all() -> None:
    one, many = Geometry((1, 1, 1), (32, 1, 1)), Geometry((8, 1, 1), (256, 1, 1))
    for seed in SEEDS:
        alone = Schedule(seed).batch(one, np.arange(1), drifting=True)
        calm = Schedule(seed).batch(many, np.arange(8), drifting=False)
        assert alone is not None
        assert calm is not None
        assert alone.sides() == calm.sides() == ()
        assert not alone.changes(10**9)
        assert calm.stray() is None


def outputs(cuda: Any, source: str, grid: int, block: int, arguments: dict[str, Any]) -> set[bytes]:
    found: set[bytes] = set()
    for poison in SEEDS:
        first, again = (cuda(source).run(grid, block, dict(arguments), poison=poison) for _ in range(2))
        assert first.fault is None, first.fault
        assert first.outputs["out"].tobytes() == again.outputs["out"].tobytes()
        found.add(first.outputs["out"].tobytes())
    return found


def test_threads_at_atomics_take_turns_in_an_order_of_the_seed(cuda: Any) -> None:
    source = """extern "C" __global__ void k(int* ticket, int* out) {
      out[blockIdx.x * 64 + threadIdx.x] = atomicAdd(ticket, 1); }"""
    arguments = {"io": np.zeros(1, np.int32), "out": ("int32", 128)}
    found = outputs(cuda, source, 2, 64, arguments)
    assert len(found) == len(SEEDS)
    assert all(sorted(np.frombuffer(one, np.int32)) == list(range(128)) for one in found)


def test_a_sum_of_floats_by_atomics_differs_from_order_to_order(cuda: Any) -> None:
    source = """extern "C" __global__ void k(const float* x, float* out) {
      if (blockIdx.x == 0 && threadIdx.x == 0) atomicExch(out, 0.0f);
      __syncthreads(); if (blockIdx.x == 0) atomicAdd(out, x[threadIdx.x]); }"""
    x = np.random.default_rng(3).standard_normal(256).astype(np.float32)
    assert len(outputs(cuda, source, 1, 256, {"x": x, "out": ("float32", 1)})) > 3


def test_either_side_of_a_divergent_branch_may_run_first(cuda: Any) -> None:
    source = """extern "C" __global__ void k(int* io, int* out) {
      int t = threadIdx.x;
      if (t & 1) out[t] = atomicAdd(io, 100); else out[t] = atomicMax(io, 5); }"""
    found = outputs(cuda, source, 1, 32, {"io": np.zeros(1, np.int32), "out": ("int32", 32)})
    odd_first = {bool(np.frombuffer(one, np.int32)[::2].min() == 1600) for one in found}
    assert odd_first == {True, False}


def test_lanes_that_were_held_back_meet_their_warp_again(cuda: Any) -> None:
    source = """extern "C" __global__ void k(int* io, int* out) {
      int t = threadIdx.x, v = t;
      for (int j = 0; j < 6; ++j) {
        if ((t >> j) & 1) v += atomicAdd(io + 1 + j, 0); else v += 1;
        v = __shfl_xor_sync(~0u, v, 1 << (j % 5));
        __syncthreads();
      }
      out[blockIdx.x * blockDim.x + t] = v; }"""
    expected: set[bytes] = set()
    for poison in (2, *SEEDS):
        arguments = {"io": np.zeros(8, np.int32), "out": ("int32", 288)}
        result = cuda(source).run(3, 96, arguments, poison=poison)
        assert result.fault is None, result.fault
        expected.add(result.outputs["out"].tobytes())
    assert len(expected) == 1
