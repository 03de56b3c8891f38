"""What CUDA does not promise differs from run to run; what it promises does not."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from sandbox.simulator.gpus.architectures import ARCHITECTURES
from sandbox.simulator.machine.memory import GUARD, Arena
from sandbox.simulator.machine.sparse import PAGE, SparseArena
from sandbox.simulator.machine.surroundings import Surroundings, seed_of
from sandbox.verdict import Verdict

SIZES = {"x": 1000, "y": 4, "z": 70_000, "w": 256}
SEEDS = range(20)

PLACES = """
extern "C" __global__ void k(const float* x, unsigned long long* out, int n) {
  __shared__ float tile[64]; float own[8];
  for (int j = 0; j < 8; ++j) own[(j * n) & 7] = j;
  unsigned long long grid; unsigned sm, sms, warp, warps; int t = threadIdx.x;
  asm volatile("mov.u64 %0, %%gridid;" : "=l"(grid));
  asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
  asm volatile("mov.u32 %0, %%nsmid;" : "=r"(sms));
  asm volatile("mov.u32 %0, %%warpid;" : "=r"(warp));
  asm volatile("mov.u32 %0, %%nwarpid;" : "=r"(warps));
  long long before = clock64();
  tile[t & 63] = own[t & 7]; __syncthreads();
  unsigned long long* row = out + ((size_t)blockIdx.x * blockDim.x + t) * 10;
  row[0] = (unsigned long long)x; row[1] = (unsigned long long)&tile[0]; row[2] = (unsigned long long)&own[0];
  row[3] = grid; row[4] = sm; row[5] = sms; row[6] = warp; row[7] = warps; row[8] = before; row[9] = clock64();
}"""
NAMES = ("x", "shared", "local", "grid", "sm", "sms", "warp", "warps", "before", "after")


def places(cuda: Any, poison: int, grid: int = 40, block: int = 64) -> dict[str, np.ndarray[Any, Any]]:
    arguments = {"x": np.zeros(8, np.float32), "out": ("uint64", grid * block * 10), "n": 1}
    result = cuda(PLACES).run(grid, block, arguments, poison=poison)
    assert result.fault is None, result.fault
    return dict(zip(NAMES, result.outputs["out"].reshape(grid, block, 10).transpose(2, 0, 1), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_every_run_has_places_numbers_and_times_of_its_own(cuda: Any, name: str) -> None:
    if name == "warps":
        assert (places(cuda, 2)["warps"] == ARCHITECTURES["h200"].threads_per_sm // 32).all()
        return
    runs = [places(cuda, poison)[name].tobytes() for poison in (2, 4, 6, 8, 10, 12)]
    assert len(set(runs)) > (1 if name == "sms" else 4)
    assert places(cuda, 2)[name].tobytes() == runs[0]


@pytest.mark.parametrize("poison", [2, 3, 4, 5])
def test_numbers_are_what_ptx_promises_of_them(cuda: Any, poison: int) -> None:
    found = places(cuda, poison)
    assert (found["x"] % 256 == 0).all()
    assert (found["shared"] % 128 == 0).all()
    assert (found["sm"] < found["sms"]).all()
    assert len(set(found["sm"][:, 0].tolist())) == 40  # fewer blocks than multiprocessors: each on its own
    assert (found["warp"] < found["warps"]).all()
    for row in found["warp"]:
        assert len(set(row[:32].tolist())) == len(set(row[32:].tolist())) == 1
        assert row[0] != row[32]
    assert (found["before"] < found["after"]).all()


def test_grids_are_numbered_one_after_another(cuda: Any) -> None:
    source = """extern "C" __global__ void k(unsigned long long* io) {
      unsigned long long id; asm volatile("mov.u64 %0, %%gridid;" : "=l"(id)); io[io[0]] = id; io[0] += 1; }"""
    io = np.zeros(4, np.uint64)
    io[0] = 1
    result = cuda(source).run(1, 1, {"io": io}, launches=3, poison=2)
    assert result.fault is None, result.fault
    _, first, second, third = result.outputs["io"].tolist()
    assert [first + 1, first + 2] == [second, third]


@pytest.mark.parametrize("unit", [256, PAGE])
def test_buffers_lie_apart_and_aligned_in_an_order_of_each_run(unit: int) -> None:
    layouts: set[tuple[tuple[str, int], ...]] = set()
    orders: set[tuple[str, ...]] = set()
    for seed in SEEDS:
        surroundings = Surroundings(seed)
        arena = Arena(SIZES, {}, surroundings) if unit == 256 else SparseArena(SIZES, {}, {}, surroundings)
        placed = sorted(arena.allocations.values(), key=lambda allocation: allocation.start)
        assert all(one.end - one.start == SIZES[one.name] for one in placed)
        assert all(arena.address(name) % 256 == 0 for name in SIZES)
        assert all(later.start - one.end >= GUARD for one, later in itertools.pairwise(placed))
        assert placed[0].start >= GUARD
        assert arena.extent - placed[-1].end >= GUARD
        assert all(arena.nearest(arena.allocations[name].start) == arena.allocations[name] for name in SIZES)
        assert not arena.outside(np.array([one.start for one in placed]), 4).any()
        layouts.add(tuple((one.name, one.start) for one in placed))
        orders.add(tuple(one.name for one in placed))
    assert len(layouts) == len(SEEDS)
    assert len(orders) > 10


def test_state_spaces_never_overlap_whatever_is_drawn() -> None:
    for seed in range(200):
        windows = Surroundings(seed).windows
        ends = sorted((base, base + (1 << 39)) for base in (windows.buffers, windows.shared, windows.local))
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(ends))
        assert windows.shared & 0xFFFFFFFF == windows.shared_start
        assert windows.local & 0xFFFFFFFF == windows.local_start


@pytest.mark.parametrize("distance", [4096 + 256, 2 * 4096, 4096 + 64 * 256])
def test_a_buffer_cannot_be_reached_from_another_ones_address(cuda: Any, distance: int) -> None:
    source = """extern "C" __global__ void k(const float* x, const float* y, float* out, long long apart) {
      int i = threadIdx.x; out[i] = x[i] + x[i + apart] + 0 * y[i]; }"""
    x, y = np.arange(64, dtype=np.float32), np.arange(64, dtype=np.float32) * 3
    arguments = {"x": x, "y": y, "out": ("float32", 64), "apart": np.int64(distance // 4)}
    kernel = cuda(source)
    for poison in SEEDS:
        result = kernel.run(1, 64, arguments, poison=poison)
        if result.fault is None:
            assert result.outputs["out"].tolist() != (x + y).tolist()
        else:
            assert result.fault.verdict in {Verdict.MEMORY_FAULT, Verdict.UNINITIALIZED, Verdict.RACE}


def test_the_seed_of_inputs_follows_from_them_alone() -> None:
    x = np.random.default_rng(0).standard_normal(100).astype(np.float32)
    assert seed_of("k", {"x": x}) == seed_of("k", {"x": x.copy()})
    assert seed_of("k", {"x": x}) != seed_of("k", {"x": x + 1})
    assert seed_of("k", {"x": x}) != seed_of("j", {"x": x})
    assert seed_of("k", {"x": x}) != seed_of("k", {"y": x})
