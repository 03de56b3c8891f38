"""What CUDA C++ compiles to beyond arithmetic: calls, memories, atomics, warp intrinsics, printf."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.verdict import Verdict

RNG = np.random.default_rng(3)


def test_functions_that_were_not_inlined_are_called(cuda):
    source = """
    struct Pair { int a; float b; long long c; };
    __device__ __noinline__ Pair twist(Pair p, int k) { p.a += k; p.b *= 2; p.c -= k; return p; }
    extern "C" __global__ void k(float* out, int n) {
      int i = threadIdx.x; Pair p{i, 0.5f * i, 1000000000000ll};
      if (i % 3) p = twist(p, i); else p = twist(twist(p, 1), 2);
      out[i] = p.a + p.b + (float)(p.c - 1000000000000ll);
    }"""
    result = cuda(source).run(1, 64, {"out": ("float32", 64), "n": 64})
    assert result.fault is None, result.fault
    i = np.arange(64)
    expected = np.where(i % 3, i + i + i - i, i + 3 + 2.0 * i - 3)
    assert result.outputs["out"].tolist() == expected.tolist()


def test_recursion_has_its_own_stack_in_every_lane(cuda):
    source = """
    __device__ __noinline__ int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
    extern "C" __global__ void k(int* out) { out[threadIdx.x] = fib(threadIdx.x % 9); }"""
    result = cuda(source).run(1, 32, {"out": ("int32", 32)})
    assert result.fault is None, result.fault
    fib = [0, 1, 1, 2, 3, 5, 8, 13, 21]
    assert result.outputs["out"].tolist() == [fib[i % 9] for i in range(32)]


def test_endless_recursion_is_a_resource_limit(cuda):
    source = """
    __device__ __noinline__ int f(int* p, int n) { return atomicAdd(p, 1) < 0 ? 0 : f(p, n + 1) * f(p, n + 2) + 1; }
    extern "C" __global__ void k(int* io) { io[threadIdx.x] = f(io, threadIdx.x); }"""
    result = cuda(source).run(1, 32, {"io": np.ones(32, np.int32)})
    assert result.fault is not None
    assert result.fault.verdict is Verdict.RESOURCE_LIMIT
    assert "stack overflow" in result.fault.message


DEEP = """
__device__ __noinline__ int down(int n, int deep) {{
  volatile int own[{words}]; own[n & 3] = n; return n < deep ? down(n + 1, deep) + own[n & 3] : 0; }}
extern "C" __global__ void k(int* out, int deep) {{ out[threadIdx.x] = down(0, deep); }}"""


@pytest.mark.parametrize(
    ("words", "deep", "enough"), [(4, 20, True), (4, 70, False), (64, 2, True), (64, 5, False)]
)
def test_recursion_has_the_default_stack_of_a_thread(cuda, words, deep, enough):
    result = cuda(DEEP.format(words=words)).run(1, 32, {"out": ("int32", 32), "deep": deep})
    if enough:
        assert result.fault is None, result.fault
        assert (result.outputs["out"] == deep * (deep - 1) // 2).all()
        return
    assert result.fault is not None
    assert result.fault.verdict is Verdict.RESOURCE_LIMIT
    assert "a thread has 1024" in result.fault.message


def test_calls_that_the_compiler_can_foresee_may_need_more_stack(cuda):
    source = """
    __device__ __noinline__ int last(int n) { volatile int own[300]; own[n & 255] = n; return own[n & 255]; }
    __device__ __noinline__ int first(int n) { volatile int own[300]; own[n & 255] = last(n); return own[n & 255]; }
    extern "C" __global__ void k(int* out) { out[threadIdx.x] = first(threadIdx.x); }"""
    result = cuda(source).run(1, 32, {"out": ("int32", 32)})
    assert result.fault is None, result.fault
    assert result.outputs["out"].tolist() == list(range(32))


def test_calls_through_pointers_reach_each_lane_its_own_function(cuda):
    source = """
    typedef float (*F)(float);
    __device__ __noinline__ float twice(float x) { return 2 * x; }
    __device__ __noinline__ float square(float x) { return x * x; }
    __device__ F table[2] = {twice, square};
    extern "C" __global__ void k(const float* x, float* out) { int i = threadIdx.x; out[i] = table[i & 1](x[i]); }"""
    x = RNG.standard_normal(64).astype(np.float32)
    result = cuda(source).run(1, 64, {"x": x, "out": ("float32", 64)})
    assert result.fault is None, result.fault
    assert result.outputs["out"].tolist() == np.where(np.arange(64) & 1, x * x, 2 * x).tolist()


def test_switch_tables_and_local_arrays_with_dynamic_indices_work(cuda):
    source = """
    extern "C" __global__ void k(const int* x, int* out, int n) {
      int i = threadIdx.x; int a[8]; for (int j = 0; j < 8; j++) a[j] = j * j;
      for (int j = 0; j < n; j++) a[(x[i] + j) & 7] += x[i];
      int r = 0;
      switch (x[i] & 7) { case 0: r = a[x[i] & 7]; break; case 1: r = a[3] - 1; break; case 2: r = a[4] * 2; break;
        case 3: r = 17; break; case 4: r = a[0] ^ 5; break; case 5: r = -a[1]; break; default: r = a[7]; }
      out[i] = r;
    }"""
    x = RNG.integers(0, 100, 96).astype(np.int32)
    result = cuda(source).run(1, 96, {"x": x, "out": ("int32", 96), "n": 5})
    assert result.fault is None, result.fault
    expected = []
    for value in x.tolist():
        a = [j * j for j in range(8)]
        for j in range(5):
            a[(value + j) & 7] += value
        expected.append([a[value & 7], a[3] - 1, a[4] * 2, 17, a[0] ^ 5, -a[1], a[7], a[7]][value & 7])
    assert result.outputs["out"].tolist() == expected


def test_constants_and_device_globals_hold_their_initial_image(cuda):
    source = """
    __constant__ float weights[4] = {1, 2, 4, 8};
    __device__ int table[3] = {10, 20, 30};
    __device__ const char* name = "abc";
    extern "C" __global__ void k(float* out) {
      int i = threadIdx.x; out[i] = weights[i & 3] + table[i % 3] + name[i % 3]; __syncthreads(); table[0] = 999;
    }"""
    for _ in range(2):
        result = cuda(source).run(1, 32, {"out": ("float32", 32)})
        assert result.fault is None, result.fault
        w, t, s = [1, 2, 4, 8], [10, 20, 30], b"abc"
        assert result.outputs["out"].tolist() == [w[i & 3] + t[i % 3] + s[i % 3] for i in range(32)]


def test_printf_is_formatted_for_each_lane_and_bounded(cuda):
    source = r"""extern "C" __global__ void k(int* out) {
      int i = threadIdx.x; if (i < 3) printf("%d|%5.2f|%s|%llu%%\n", i, i * 0.5, "ok", 1ull << 40); out[i] = i; }"""
    result = cuda(source).run(1, 32, {"out": ("int32", 32)})
    assert result.fault is None, result.fault
    assert result.printed == "".join(f"{i}|{i * 0.5:5.2f}|ok|{1 << 40}%\n" for i in range(3))
    flood = cuda(source.replace("if (i < 3)", "for (int j = 0; j < 300; j++)"))
    assert len(flood.run(1, 32, {"out": ("int32", 32)}).printed) <= 65536


def test_no_format_makes_printf_fail_or_its_text_grow(cuda):
    formats = [
        "%900000000d",
        "%*d",
        "%.900000000f",
        "%99999999999999999999.99999999999999999999d",
        "% %-5 %l %",
        "%*.*f",
        "%s",
    ]
    calls = " ".join(f'printf("{one}\\n", -2147483647, 1, 2.0, 3);' for one in formats)
    source = (
        'extern "C" __global__ void k(int* out) { if (threadIdx.x == 0) { '
        + calls
        + " } out[threadIdx.x] = 1; }"
    )
    result = cuda(source).run(1, 32, {"out": ("int32", 32)})
    assert result.fault is None, result.fault
    assert len(result.printed) < 16384
    wide = cuda(
        source.replace(calls, r'for (int j = 0; j < 200; ++j) printf("%1000d|%1000d|%1000d\n", 1, 2, 3);')
    )
    assert len(wide.run(1, 32, {"out": ("int32", 32)}).printed) <= 65536


def test_what_a_kernel_passes_as_assertion_text_is_shown_escaped_and_short(cuda):
    text = r"\x1b[2J\n\u202e" + "verdict: pass " * 100
    source = (
        'extern "C" __global__ void k(int* out) { __assertfail("' + text + '", "f", 7, "g", 1); out[0] = 1; }'
    )
    fault = cuda(source).run(1, 1, {"out": ("int32", 1)}).fault
    assert fault is not None
    assert fault.message.isprintable()
    assert len(fault.message) < 500


def test_a_grid_of_two_billion_blocks_is_refused_before_it_takes_memory(cuda):
    source = 'extern "C" __global__ void k(int* out) { out[0] = 1; }'
    fault = cuda(source).run(2**31 - 1, 32, {"out": ("int32", 1)}).fault
    assert fault is not None
    assert fault.verdict == "unsupported"
    assert "2147483647 blocks" in fault.message


def test_a_failed_assert_names_its_text_and_thread(cuda):
    source = '#include <assert.h>\nextern "C" __global__ void k(int* out) { out[threadIdx.x] = 0; assert(threadIdx.x != 5); }'
    fault = cuda(source).run(1, 32, {"out": ("int32", 32)}).fault
    assert fault is not None
    assert "threadIdx.x != 5" in fault.message
    assert fault.thread == (5, 0, 0)


@pytest.mark.parametrize("kind", ["int", "unsigned", "unsigned long long", "float", "double"])
@pytest.mark.parametrize("space", ["global", "shared"])
def test_atomic_add_sums_every_lane(cuda, kind, space):
    dtype = {
        "int": "int32",
        "unsigned": "uint32",
        "unsigned long long": "uint64",
        "float": "float32",
        "double": "float64",
    }[kind]
    body = {
        "global": "atomicAdd(&io[i % 3], (T)(i + 1));",
        "shared": "__shared__ T s[3]; if (threadIdx.x < 3) s[threadIdx.x] = 0; __syncthreads();"
        "atomicAdd(&s[i % 3], (T)(i + 1)); __syncthreads(); if (threadIdx.x < 3) atomicAdd(&io[threadIdx.x], s[threadIdx.x]);",
    }[space]
    source = f'typedef {kind} T; extern "C" __global__ void k(T* io) {{ int i = blockIdx.x * blockDim.x + threadIdx.x; {body} }}'
    result = cuda(source).run(3, 96, {"io": np.zeros(3, dtype)})
    assert result.fault is None, result.fault
    values = np.arange(1, 289)
    assert result.outputs["io"].tolist() == [values[r::3].sum() for r in range(3)]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("atomicMax(io, i)", 95), ("atomicMin(io, -i)", -95), ("atomicOr(io, 1 << (i & 15))", 0xFFFF),
        ("atomicXor(io, i)", int(np.bitwise_xor.reduce(np.arange(96)))), ("atomicAnd(io, ~(1 << (i & 7)))", 0),
        ("atomicInc((unsigned*)io, 9u)", 96 % 10), ("atomicDec((unsigned*)io, 6u)", (7 - 96 % 7) % 7), ("atomicSub(io, i)", -sum(range(96))),
    ],
)  # fmt: skip
def test_integer_atomics_combine_as_named(cuda, call, expected):
    source = f'extern "C" __global__ void k(int* io) {{ int i = threadIdx.x; {call}; }}'
    result = cuda(source).run(1, 96, {"io": np.zeros(1, np.int32)})
    assert result.fault is None, result.fault
    assert result.outputs["io"].tolist() == [expected]


def test_atomics_return_distinct_old_values(cuda):
    source = """extern "C" __global__ void k(int* io, int* out, unsigned* claimed) {
      int i = blockIdx.x * blockDim.x + threadIdx.x; out[i] = atomicAdd(io, 1); claimed[i] = atomicExch(io + 1, i); }"""
    result = cuda(source).run(
        2, 64, {"io": np.zeros(2, np.int32), "out": ("int32", 128), "claimed": ("uint32", 128)}
    )
    assert result.fault is None, result.fault
    assert sorted(result.outputs["out"].tolist()) == list(range(128))
    assert len(set(result.outputs["claimed"].tolist()) | {int(result.outputs["io"][1])}) >= 128


def test_a_compare_and_swap_loop_makes_progress(cuda):
    source = """extern "C" __global__ void k(float* io, const float* x) {
      int* a = (int*)io; int old = *(volatile int*)a, seen;
      do { seen = old; old = atomicCAS(a, seen, __float_as_int(fmaxf(__int_as_float(seen), x[threadIdx.x]))); } while (old != seen);
    }"""
    x = RNG.standard_normal(64).astype(np.float32)
    result = cuda(source).run(1, 64, {"io": np.full(1, -9, np.float32), "x": x})
    assert (
        result.fault is None or result.fault.verdict is Verdict.RACE
    )  # the plain first read races with the swaps
    clean = source.replace("*(volatile int*)a", "atomicAdd(a, 0)")
    result = cuda(clean).run(1, 64, {"io": np.full(1, -9, np.float32), "x": x})
    assert result.fault is None, result.fault
    assert result.outputs["io"][0] == x.max()


@pytest.mark.parametrize(
    ("call", "reference"),
    [
        ("__shfl_down_sync(~0u, v, 5)", lambda v, w, lane: v[lane + 5] if lane + 5 < 32 else v[lane]),
        ("__shfl_up_sync(~0u, v, 3)", lambda v, w, lane: v[lane - 3] if lane >= 3 else v[lane]),
        ("__shfl_xor_sync(~0u, v, 9)", lambda v, w, lane: v[lane ^ 9]),
        ("__shfl_sync(~0u, v, l * 7)", lambda v, w, lane: v[lane * 7 % 32]),
        ("__shfl_down_sync(~0u, v, 3, 8)", lambda v, w, lane: v[lane + 3] if lane % 8 + 3 < 8 else v[lane]),
        ("__shfl_sync(~0u, v, 2, 4)", lambda v, w, lane: v[lane // 4 * 4 + 2]),
        ("(int)__ballot_sync(~0u, v & 1)", lambda v, w, lane: int(np.uint32(sum((int(x) & 1) << i for i, x in enumerate(v))).view(np.int32))),
        ("__any_sync(~0u, v == 7) * 2 + __all_sync(~0u, v >= 0)", lambda v, w, lane: 2 * any(v == 7) + all(v >= 0)),
        ("__reduce_add_sync(~0u, v)", lambda v, w, lane: v.sum()),
        ("__reduce_max_sync(~0u, v)", lambda v, w, lane: v.max()),
        ("(int)__match_any_sync(~0u, v & 3)", lambda v, w, lane: int(np.uint32(sum(1 << i for i, x in enumerate(v) if x & 3 == v[lane] & 3)).view(np.int32))),
        ("__popc(__activemask())", lambda v, w, lane: 32),
    ],
)  # fmt: skip
@pytest.mark.parametrize("block", [(96, 1, 1), (16, 6, 1), (8, 4, 3)])
def test_warp_intrinsics_see_the_right_lanes(cuda, call, reference, block):
    source = f"""extern "C" __global__ void k(const int* x, int* out) {{
      int t = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z), i = blockIdx.x * 96 + t;
      int v = x[i], l = t & 31; out[i] = {call}; (void)l; }}"""
    x = RNG.integers(-5, 60, 192).astype(np.int32)
    result = cuda(source).run(2, block, {"x": x, "out": ("int32", 192)})
    assert result.fault is None, result.fault
    expected = [int(reference(x[i // 32 * 32 : i // 32 * 32 + 32], i // 32, i % 32)) for i in range(192)]
    assert result.outputs["out"].tolist() == expected


def test_lanes_meet_again_after_divergent_loops(cuda):
    source = """extern "C" __global__ void k(const int* x, int* out) {
      int i = threadIdx.x, c = 0; for (int v = x[i]; v != 1; v = v & 1 ? 3 * v + 1 : v / 2) c++;
      out[i] = c + 1000 * __popc(__ballot_sync(~0u, c > 10)); }"""
    x = RNG.integers(1, 200, 64).astype(np.int32)
    result = cuda(source).run(1, 64, {"x": x, "out": ("int32", 64)})
    assert result.fault is None, result.fault

    def collatz(v: int) -> int:
        count = 0
        while v != 1:
            v, count = (3 * v + 1 if v & 1 else v // 2), count + 1
        return count

    counts = np.array([collatz(int(v)) for v in x])
    above = [(counts[w * 32 : w * 32 + 32] > 10).sum() for w in range(2)]
    assert result.outputs["out"].tolist() == [counts[i] + 1000 * above[i // 32] for i in range(64)]


@pytest.mark.parametrize("kind", ["char", "short", "int", "long long", "float2", "float4", "double2"])
def test_shared_memory_holds_every_width(cuda, kind):
    fields = {"float2": "v.x + v.y", "float4": "v.x + v.y + v.z + v.w", "double2": "(float)(v.x - v.y)"}
    make = {
        "float2": "make_float2(t, 1)",
        "float4": "make_float4(t, 1, 2, 3)",
        "double2": "make_double2(t, 1)",
    }
    source = f"""extern "C" __global__ void k(float* out) {{ __shared__ {kind} s[64]; int t = threadIdx.x;
      s[t] = {make.get(kind, f"({kind})t")}; __syncthreads(); {kind} v = s[63 - t]; out[blockIdx.x * 64 + t] = {fields.get(kind, "v")}; }}"""
    result = cuda(source).run(2, 64, {"out": ("float32", 128)})
    assert result.fault is None, result.fault
    add = {"float2": 1, "float4": 6, "double2": -1}.get(kind, 0)
    assert result.outputs["out"].tolist() == [63 - t + add for t in range(64)] * 2


def test_carries_run_through_inline_assembly(cuda):
    source = """extern "C" __global__ void k(const unsigned* a, const unsigned* b, unsigned* out) {
      int i = threadIdx.x; unsigned lo, hi, c;
      asm("{ .reg .u32 t; add.cc.u32 %0, %3, %4; addc.cc.u32 %1, %3, %3; addc.u32 %2, 0, 0; mov.u32 t, %0; }"
          : "=r"(lo), "=r"(hi), "=r"(c) : "r"(a[i]), "r"(b[i]));
      out[3 * i] = lo; out[3 * i + 1] = hi; out[3 * i + 2] = c; }"""
    a, b = (RNG.integers(0, 2**32, 64, dtype=np.uint32) for _ in range(2))
    result = cuda(source).run(1, 64, {"a": a, "b": b, "out": ("uint32", 192)})
    assert result.fault is None, result.fault
    for i in range(64):
        low = int(a[i]) + int(b[i])
        high = 2 * int(a[i]) + (low >> 32)
        got = result.outputs["out"][3 * i : 3 * i + 3].tolist()
        assert got == [low & 0xFFFFFFFF, high & 0xFFFFFFFF, high >> 32]


def test_what_is_not_supported_is_refused_by_name_and_line(cuda):
    hint = 'extern "C" __global__ void k(int* out) {\n  asm volatile("griddepcontrol.wait;");\n  out[threadIdx.x] = 1; }'
    assert cuda(hint).run(1, 32, {"out": ("int32", 32)}).fault is None
    source = """extern "C" __global__ void k(float* out) {
      asm volatile("wgmma.fence.sync.aligned;"); out[threadIdx.x] = 1; }"""
    fault = cuda(source, "sm_90a").run(1, 32, {"out": ("float32", 32)}).fault
    assert fault is not None
    assert fault.verdict is Verdict.UNSUPPORTED
    assert "wgmma.fence.sync.aligned" in fault.message
    assert fault.line == 2
