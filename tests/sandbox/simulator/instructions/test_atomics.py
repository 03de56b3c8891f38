"""Atomics of every operation, type, scope and memory, their old values included."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.simulator.instructions.atomics import SWAP, one_by_one
from sandbox.verdict import Verdict

THREADS = 64
C_TYPES = {
    "int32": "int", "uint32": "unsigned", "uint64": "unsigned long long", "int64": "long long", "float32": "float", "float64": "double",
    "uint16": "unsigned short",
}  # fmt: skip
FOLD: dict[str, Callable] = {
    "Add": lambda a, b: a + b, "Sub": lambda a, b: a - b, "Min": min, "Max": max, "And": lambda a, b: a & b, "Or": lambda a, b: a | b,
    "Xor": lambda a, b: a ^ b, "Exch": lambda a, b: b, "Inc": lambda a, b: 0 if a >= b else a + 1, "Dec": lambda a, b: b if a == 0 or a > b else a - 1,
}  # fmt: skip
KINDS = {
    "Add": ("int32", "uint32", "uint64", "float32", "float64"), "Sub": ("int32", "uint32"), "Min": ("int32", "uint32", "int64", "uint64"),
    "Max": ("int32", "uint32", "int64", "uint64"), "And": ("int32", "uint32", "uint64"), "Or": ("int32", "uint32", "uint64"),
    "Xor": ("int32", "uint32", "uint64"), "Exch": ("int32", "uint32", "uint64", "float32"), "Inc": ("uint32",), "Dec": ("uint32",),
}  # fmt: skip


def _values(dtype: str, seed: int) -> np.ndarray:
    """Small multiples, so that float sums are exact in any order; both signs where there are two."""
    rng = np.random.default_rng(seed)
    if dtype.startswith("float"):
        return (rng.integers(-40, 40, THREADS) * 0.25).astype(dtype)
    low, high = (-(2**30), 2**30) if dtype.startswith("int") else (0, 2**31)
    return rng.integers(low, high, THREADS).astype(dtype)


def _serial(name: str, start: int | float, values: list, dtype: str) -> tuple[list, object]:
    """What the atomics find and leave when the lanes go one after another."""
    found, now = [], start
    for value in values:
        found.append(now)
        now = FOLD[name](now, value)
        if not dtype.startswith("float"):
            now = int(np.array(now % 2 ** (np.dtype(dtype).itemsize * 8), np.uint64).astype(dtype))
    return found, now


@pytest.mark.parametrize("space", ["global", "shared"])
@pytest.mark.parametrize("scope", ["", "_block", "_system"])
def test_every_operation_and_type_on_one_word(cuda, space, scope):
    cases = [(name, dtype) for name, dtypes in KINDS.items() for dtype in dtypes]
    if scope:
        cases = [case for case in cases if case[0] not in {"Inc", "Dec", "Sub"} or case[1] == "uint32"]
    parameters, body, arguments, initial = [], [], {}, {}
    for n, (name, dtype) in enumerate(cases):
        kind, values = C_TYPES[dtype], _values(dtype, n)
        start = np.array([7], dtype)
        parameters += [f"{kind}* io{n}", f"const {kind}* v{n}", f"{kind}* old{n}"]
        arguments |= {f"io{n}": start, f"v{n}": values, f"old{n}": (dtype, THREADS)}
        initial[n] = (7, values)
        if space == "global":
            body.append(f"old{n}[t] = atomic{name}{scope}(io{n}, v{n}[t]);")
        else:
            body.append(
                f"{{ __shared__ {kind} s; if (!t) s = 7; __syncthreads(); old{n}[t] = atomic{name}{scope}(&s, v{n}[t]);"
                f" __syncthreads(); if (!t) io{n}[0] = s; }}"
            )
    source = (
        f'extern "C" __global__ void k({", ".join(parameters)}) {{ int t = threadIdx.x; {" ".join(body)} }}'
    )
    result = cuda(source).run(1, THREADS, arguments, poison=2)
    assert result.fault is None, result.fault
    for n, (name, dtype) in enumerate(cases):
        start, values = initial[n]
        found, last = _serial(name, start, values.tolist(), dtype)
        assert result.outputs[f"io{n}"].tolist() == [last], (name, dtype)
        assert result.outputs[f"old{n}"].tolist() == found, (name, dtype)


HALVES = """#include <cuda_fp16.h>
#include <cuda_bf16.h>
extern "C" __global__ void k(__half* ioh, __half2* ioh2, __nv_bfloat16* iob, __nv_bfloat162* iob2, const int* v, float* old) {
  __shared__ __half2 s; int t = threadIdx.x; if (!t) s = __floats2half2_rn(0, 0); __syncthreads();
  float x = v[t];
  old[t] = __half2float(atomicAdd(ioh + t % 3, __float2half(x)));
  atomicAdd(ioh2, __floats2half2_rn(x, 1));
  atomicAdd(iob + t % 5, __float2bfloat16(x));
  atomicAdd(iob2, __floats2bfloat162_rn(x, -1));
  atomicAdd(&s, __floats2half2_rn(2, x)); __syncthreads();
  if (!t) ioh2[1] = s; }"""


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_halves_and_pairs_add_with_one_rounding_each(cuda, architecture):
    v = np.arange(THREADS, dtype=np.int32) % 4 - 1
    arguments = {
        "ioh": np.zeros(3, np.float16),
        "ioh2": np.zeros(4, np.float16),
        "iob": np.zeros(5, np.uint16),
        "iob2": np.zeros(2, np.uint16),
    }
    result = cuda(HALVES, architecture).run(
        1, THREADS, arguments | {"v": v, "old": ("float32", THREADS)}, poison=2
    )
    assert result.fault is None, result.fault
    assert result.outputs["ioh"].tolist() == [v[k::3].sum() for k in range(3)]
    assert result.outputs["ioh2"].tolist() == [v.sum(), THREADS, 2 * THREADS, v.sum()]
    brain = (result.outputs["iob"].astype(np.uint32) << 16).view(np.float32)
    assert brain.tolist() == [v[k::5].sum() for k in range(5)]
    assert (result.outputs["iob2"].astype(np.uint32) << 16).view(np.float32).tolist() == [v.sum(), -THREADS]
    expected = [v[t % 3 : t : 3].sum() for t in range(THREADS)]
    assert result.outputs["old"].tolist() == expected


def test_vectors_of_floats_add_element_by_element(cuda):
    source = """extern "C" __global__ void k(float2* io2, float4* io4, const float* v, float4* old) {
      int t = threadIdx.x; float x = v[t];
      atomicAdd(io2, make_float2(x, -x)); old[t] = atomicAdd(io4 + (t & 1), make_float4(x, 1, 2, x + x)); }"""
    v = (np.arange(THREADS) % 7 - 3).astype(np.float32)
    arguments = {
        "io2": np.zeros(2, np.float32),
        "io4": np.zeros(8, np.float32),
        "v": v,
        "old": ("float32", 4 * THREADS),
    }
    result = cuda(source, "sm_90").run(1, THREADS, arguments, poison=2)
    assert result.fault is None, result.fault
    assert result.outputs["io2"].tolist() == [v.sum(), -v.sum()]
    ours = [v[k::2] for k in (0, 1)]
    assert result.outputs["io4"].tolist() == [
        x for w in ours for x in (w.sum(), len(w), 2 * len(w), 2 * w.sum())
    ]
    old = result.outputs["old"].reshape(THREADS, 4)
    assert old[:, 0].tolist() == [v[t % 2 : t : 2].sum() for t in range(THREADS)]
    assert old[:, 1].tolist() == [t // 2 for t in range(THREADS)]


@pytest.mark.parametrize(
    ("kind", "dtype"), [("unsigned short", "uint16"), ("int", "int32"), ("unsigned long long", "uint64")]
)
def test_compare_and_swap_loops_lose_no_update(cuda, kind, dtype):
    source = f"""extern "C" __global__ void k({kind}* io, const {kind}* v, {kind}* spare) {{
      __shared__ {kind} s; int t = threadIdx.x; if (!t) s = 1; __syncthreads();
      {kind} seen = *(volatile {kind}*)spare, was;
      do {{ was = seen; seen = atomicCAS(io, was, ({kind})(was + v[t])); }} while (seen != was);
      seen = 0; do {{ was = seen; seen = atomicCAS(&s, was, ({kind})(was * 3)); }} while (seen != was);
      __syncthreads(); if (!t) io[1] = s; }}"""
    v = (np.arange(THREADS) * 37 % 101).astype(dtype)
    result = cuda(source).run(1, THREADS, {"io": np.zeros(2, dtype), "v": v, "spare": np.zeros(1, dtype)})
    assert result.fault is None, result.fault
    mask = 2 ** (np.dtype(dtype).itemsize * 8) - 1
    assert [int(x) & mask for x in result.outputs["io"]] == [int(v.sum()) & mask, 3**THREADS & mask]


def test_128_bit_words_are_refused_by_name(cuda):
    source = """struct alignas(16) Pair { unsigned long long a, b; };
      extern "C" __global__ void k(Pair* io) { Pair mine{threadIdx.x + 1ull, 2}; atomicExch(io, mine); }"""
    fault = cuda(source, "sm_90").run(1, THREADS, {"io": np.zeros(4, np.uint64)}).fault
    assert fault is not None
    assert (fault.verdict, "b128" in fault.message) == (Verdict.UNSUPPORTED, True)


ORDERS = ["relaxed", "acquire", "release", "acq_rel", "seq_cst"]


@pytest.mark.parametrize("architecture", ["sm_75", "sm_90"])
def test_the_standard_librarys_atomics_work_in_every_order_and_scope(cuda, architecture):
    orders = " ".join(
        f"r.fetch_add(1, cuda::std::memory_order_{order}); b.fetch_add(2, cuda::std::memory_order_{order});"
        for order in ORDERS
    )
    source = f"""#include <cuda/atomic>
      extern "C" __global__ void k(int* io, unsigned long long* iow, float* iof, int* out) {{
        int t = threadIdx.x; cuda::atomic_ref<int, cuda::thread_scope_device> r(io[0]); cuda::atomic_ref<int, cuda::thread_scope_block> b(io[1]);
        {orders}
        cuda::atomic_ref<unsigned long long, cuda::thread_scope_system> w(*iow); w.fetch_max(t * 5ull); w.fetch_or(1ull << 40);
        cuda::atomic_ref<float, cuda::thread_scope_device> f(*iof); f.fetch_add(0.5f);
        int seen = r.load(cuda::std::memory_order_acquire); cuda::atomic_ref<int> c(io[2]);
        int expected = 0; while (!c.compare_exchange_weak(expected, expected + 3, cuda::std::memory_order_acq_rel)) {{}}
        c.fetch_xor(0); cuda::atomic_thread_fence(cuda::std::memory_order_seq_cst, cuda::thread_scope_device);
        if (t == 0) {{ cuda::atomic_ref<int> d(io[3]); d.store(9, cuda::std::memory_order_release); d.exchange(d.load() + 1); }}
        __shared__ cuda::atomic<int, cuda::thread_scope_block> s; if (!t) s = 0; __syncthreads(); s++; s.fetch_min(1000); __syncthreads();
        out[t] = seen > 0 && s == {THREADS}; }}"""
    arguments = {
        "io": np.zeros(4, np.int32),
        "iow": np.zeros(1, np.uint64),
        "iof": np.zeros(1, np.float32),
        "out": ("int32", THREADS),
    }
    result = cuda(source, architecture).run(1, THREADS, arguments, poison=2)
    assert result.fault is None, result.fault
    assert result.outputs["io"].tolist() == [5 * THREADS, 10 * THREADS, 3 * THREADS, 10]
    assert result.outputs["iow"].tolist() == [1 << 40 | max(t * 5 for t in range(THREADS))]
    assert result.outputs["iof"].tolist() == [THREADS / 2]
    assert result.outputs["out"].tolist() == [1] * THREADS


def test_generic_addresses_reach_shared_and_global_words_in_one_instruction(cuda):
    source = """extern "C" __global__ void k(int* io, int* out) { __shared__ int s[2]; int t = threadIdx.x;
        if (t < 2) s[t] = 0; __syncthreads();
        int* p = t & 1 ? s + (t >> 1 & 1) : io + (t >> 1 & 1); int old = atomicAdd(p, t); out[t] = old >= 0; __syncthreads();
        if (t < 2) io[2 + t] = s[t]; }"""
    result = cuda(source).run(1, THREADS, {"io": np.zeros(4, np.int32), "out": ("int32", THREADS)})
    assert result.fault is None, result.fault
    groups = [
        sum(t for t in range(THREADS) if (t & 1, t >> 1 & 1) == key)
        for key in ((0, 0), (0, 1), (1, 0), (1, 1))
    ]
    assert result.outputs["io"].tolist() == groups
    assert result.outputs["out"].tolist() == [1] * THREADS


@given(st.integers(0, 2**32), st.integers(1, 80), st.integers(1, 6), st.integers(1, 4))
def test_compare_and_swap_does_as_lane_after_lane(seed: int, lanes: int, words: int, kinds: int) -> None:
    rng = np.random.default_rng(seed)
    memory = rng.integers(0, kinds, words).astype(np.uint32)
    index = rng.integers(0, words, lanes)
    compare, new = (rng.integers(0, kinds, lanes).astype(np.uint32) for _ in range(2))
    plain, expected = memory.copy(), np.empty(lanes, np.uint32)
    for lane in range(lanes):
        expected[lane] = plain[index[lane]]
        if expected[lane] == compare[lane]:
            plain[index[lane]] = new[lane]
    assert (one_by_one(memory, index, [compare, new], SWAP) == expected).all()
    assert (memory == plain).all()


def test_threads_take_turns_in_the_drawn_order(cuda) -> None:
    source = """extern "C" __global__ void k(int* io, int* out) {
      out[blockIdx.x * 64 + threadIdx.x] = threadIdx.x % 3 ? atomicAdd(io, 1) : -1; }"""
    places = [
        cuda(source)
        .run(8, 64, {"io": np.zeros(1, np.int32), "out": ("int32", 512)}, poison=poison)
        .outputs["out"]
        for poison in (2, 3, 5)
    ]
    for found in places:
        taken = found[found >= 0]
        assert sorted(taken) == list(range(len(taken)))
    assert (places[0] != places[1]).any()
    assert (places[1] != places[2]).any()
