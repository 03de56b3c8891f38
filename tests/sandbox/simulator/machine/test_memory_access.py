"""Loads and stores of every width, cache operator and space; hints; the stack; what the language needs of memory."""

from __future__ import annotations

import numpy as np
import pytest

VECTORS = [
    "char", "signed char2", "uchar3", "uchar4", "short", "ushort2", "short4", "int", "uint2", "int3", "int4", "long long", "ulonglong2",
    "float", "float2", "float3", "float4", "double", "double2",
]  # fmt: skip
VECTORS = [name.replace("signed char2", "char2") for name in VECTORS]
BYTES = {
    "char": 1,
    "uchar": 1,
    "short": 2,
    "ushort": 2,
    "int": 4,
    "uint": 4,
    "float": 4,
    "double": 8,
    "ulonglong": 8,
    "long long": 8,
}


def _size(kind: str) -> int:
    base = kind.rstrip("234")
    return BYTES[base] * int(kind[len(base) :] or 1)


def test_every_vector_travels_whole_through_every_space_and_cache_operator(cuda):
    parameters, body, arguments, expected = [], [], {}, {}
    rng = np.random.default_rng(1)
    for n, kind in enumerate(VECTORS):
        size, threads = _size(kind), 32
        data = rng.integers(0, 256, size * threads, dtype=np.uint8)
        parameters += [f"const {kind}* p{n}", f"{kind}* out{n}"]
        arguments |= {f"p{n}": data, f"out{n}": ("uint8", 2 * size * threads)}
        cached = not kind.endswith("3")
        load = ["__ldg", "__ldcg", "__ldca", "__ldcs", "__ldlu", "__ldcv"][n % 6] if cached else ""
        store = ["__stwb", "__stcg", "__stcs", "__stwt"][n % 4]
        put = f"{store}(out{n} + t, v);" if cached else f"out{n}[t] = v;"
        body.append(
            f"{{ __shared__ {kind} s[32]; {kind} local[4]; {kind} v = {f'{load}(p{n} + t)' if cached else f'p{n}[t]'}; {put}"
            f" s[t ^ 5] = v; __syncthreads(); for (int j = 0; j < 4; j++) local[j] = s[(t + j) & 31]; out{n}[32 + t] = local[p0[t] & 3]; }}"
        )
        rows = data.reshape(threads, size)
        select = arguments["p0"] & 3
        moved = rows[np.arange(threads) ^ 5]
        expected[n] = np.concatenate([rows, moved[(np.arange(threads) + select) % threads]]).reshape(-1)
    source = (
        f'extern "C" __global__ void k({", ".join(parameters)}) {{ int t = threadIdx.x; {" ".join(body)} }}'
    )
    result = cuda(source).run(1, 32, arguments)
    assert result.fault is None, result.fault
    for n, kind in enumerate(VECTORS):
        assert (result.outputs[f"out{n}"] == expected[n]).all(), kind


def test_cache_hints_prefetches_and_policies_change_no_result(cuda):
    source = """extern "C" __global__ void k(const float4* x, float* out) { int t = threadIdx.x; const float4* p = x + t; float4 v, w; float a, b, c;
      unsigned long long policy; asm("createpolicy.fractional.L2::evict_last.b64 %0, 1.0;" : "=l"(policy));
      asm volatile("prefetch.global.L2 [%0];" :: "l"(p)); asm volatile("prefetch.global.L2::evict_last [%0];" :: "l"(p));
      asm volatile("applypriority.global.L2::evict_normal [%0], 128;" :: "l"((const char*)x));
      asm("ld.global.nc.L1::no_allocate.L2::128B.v4.f32 {%0,%1,%2,%3}, [%4];" : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w) : "l"(p));
      asm volatile("ld.global.L2::cache_hint.v4.f32 {%0,%1,%2,%3}, [%4], %5;" : "=f"(w.x), "=f"(w.y), "=f"(w.z), "=f"(w.w) : "l"(p), "l"(policy));
      asm volatile("ld.relaxed.gpu.global.L1::no_allocate.f32 %0, [%1];" : "=f"(a) : "l"(p));
      asm volatile("ld.acquire.sys.global.f32 %0, [%1];" : "=f"(b) : "l"(p)); asm volatile("ld.volatile.global.f32 %0, [%1];" : "=f"(c) : "l"(p));
      float sum = v.x + v.y * 2 + w.z * 3 + w.w * 5 + a + b + c;
      asm volatile("st.global.L1::evict_first.L2::cache_hint.f32 [%0], %1, %2;" :: "l"(out + t), "f"(sum), "l"(policy));
      asm volatile("st.release.gpu.global.f32 [%0], %1;" :: "l"(out + 32 + t), "f"(sum)); __nanosleep(100); __prof_trigger(1); }"""
    x = np.random.default_rng(0).integers(-50, 50, 128).astype(np.float32)
    result = cuda(source, "sm_80").run(1, 32, {"x": x, "out": ("float32", 64)})
    assert result.fault is None, result.fault
    rows = x.reshape(32, 4)
    expected = rows[:, 0] * 4 + rows[:, 1] * 2 + rows[:, 2] * 3 + rows[:, 3] * 5
    assert result.outputs["out"].tolist() == expected.tolist() * 2


def test_address_predicates_tell_the_spaces_apart(cuda):
    source = """__constant__ int c[2] = {4, 5}; __device__ int g[3] = {1, 2, 3}; __device__ int* to = g + 1;
      extern "C" __global__ void k(const int* x, int* out, __grid_constant__ const int scale) {
      __shared__ int s; int l[4] = {1, 2, 3, x[0]}; int* p = l + (x[1] & 3);
      auto kind = [](const void* q) { return __isGlobal(q) + 2 * __isShared(q) + 4 * __isLocal(q) + 8 * __isConstant(q); };
      out[0] = kind(x); out[1] = kind(&s); out[2] = kind(p); out[3] = kind(g);
      out[4] = *to + c[x[1] & 1] * 10 + scale * 100; out[5] = *(int*)__cvta_shared_to_generic(__cvta_generic_to_shared(&s)) * 0 + *p;
      out[6] = ((int*)__cvta_global_to_generic(__cvta_generic_to_global(x)))[1]; }"""
    source = source.replace("out[5] = *(int*)__cvta", "s = 3; out[5] = *(int*)__cvta")
    result = cuda(source).run(1, 1, {"x": np.array([9, 3], np.int32), "out": ("int32", 7), "scale": 7})
    assert result.fault is None, result.fault
    assert result.outputs["out"].tolist() == [1, 2, 4, 1, 2 + 50 + 700, 9, 3]


STACK = """#include <cstdio>
struct Shape { __device__ virtual int area(int k) const = 0; };
struct Square : Shape { int a; __device__ Square(int a) : a(a) {} __device__ int area(int k) const override { return a * a + k; } };
struct Box : Shape { int a, b; __device__ Box(int a, int b) : a(a), b(b) {} __device__ int area(int k) const override { return a * b - k; } };
struct Big { int v[9]; char tail; };
__device__ __noinline__ int total(Big big, int k) { int s = big.tail; for (int i = 0; i < k; i++) s += big.v[i]; return s; }
__device__ __noinline__ Big made(int t) { Big b; for (int i = 0; i < 9; i++) b.v[i] = t + i; b.tail = (char)(t - 40); return b; }
__device__ __noinline__ int ackermann(int m, int n) { return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1)); }
__device__ int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
__device__ int pick(int op, int a, int b) { switch (op) { case 0: return a + b; case 1: return a - b; case 2: return a * b; case 3: return a & b;
  case 4: return a | b; case 5: return a ^ b; case 6: return a << (b & 7); case 7: return b ? a % b : 0; case 8: return -a; default: return 99; } }
template <typename F> __device__ int twice(F f, int x) { return f(f(x)); }
union Mixed { float f; unsigned u; unsigned char b[4]; };
typedef int (*Binary)(int, int); __device__ int plus(int a, int b) { return a + b; } __device__ int minus(int a, int b) { return a - b; }
__device__ Binary table[2] = {plus, minus};
extern "C" __global__ void k(const int* x, int* out) { int t = threadIdx.x, v = x[t]; int* o = out + 8 * t;
  Square square(v); Box box(v, t); const Shape* shape = v & 1 ? (const Shape*)&square : (const Shape*)&box;
  o[0] = shape->area(t); o[1] = total(made(v), v & 7); o[2] = ackermann(1, v & 7) + fib(v & 7); o[3] = pick(v % 10, v, t);
  o[4] = twice([=](int q) { return q * 3 + t; }, v); Mixed m; m.f = (float)v; o[5] = m.u ^ m.b[3]; o[6] = table[v & 1](v, t);
  bool odd = v & 1; char c = (char)(v * 7); o[7] = odd + (c >> 1) + sizeof(Big); }"""


def _pick(op: int, a: int, b: int) -> int:
    return [a + b, a - b, a * b, a & b, a | b, a ^ b, a << (b & 7), a % b if b else 0, -a, 99][op]


@pytest.mark.parametrize("architecture", ["sm_75", "sm_90"])
def test_calls_recursion_virtual_functions_tables_and_unions(cuda, architecture):
    x = np.random.default_rng(4).integers(0, 60, 32).astype(np.int32)
    result = cuda(STACK, architecture).run(1, 32, {"x": x, "out": ("int32", 256)})
    assert result.fault is None, result.fault
    fib = [0, 1, 1, 2, 3, 5, 8, 13]
    for t, (v, got) in enumerate(zip(x.tolist(), result.outputs["out"].reshape(32, 8).tolist(), strict=True)):
        bits = int(np.float32(v).view(np.uint32))
        signed = (v * 7 + 128) % 256 - 128
        assert got == [
            v * v + t if v & 1 else v * t - t, v - 40 + sum(v + i for i in range(v & 7)), (v & 7) + 2 + fib[v & 7], _pick(v % 10, v, t),
            (v * 3 + t) * 3 + t, bits ^ bits >> 24, v - t if v & 1 else v + t, (v & 1) + (signed >> 1) + 40,
        ], t  # fmt: skip


def test_printf_formats_every_conversion_as_c_does(cuda):
    source = r"""#include <cstdio>
      extern "C" __global__ void k(const double* x) { int i = -42; unsigned u = 42; long long w = -5000000000ll; char c = 'q'; const char* s = "text";
        printf("%d|%5i|%-5u|%05x|%X|%o|%lld|%llu|%c|%s|%8s|%%\n", i, i, u, u, 255u, 8u, w, 18446744073709551615ull, c, s, s);
        printf("%f|%.3f|%10.2e|%g|%G|%+d|%#x|%*d|%.*f|%ld|%zu|%hd\n", x[0], x[0], x[1], x[1], x[0], 7, 255, 6, 3, 2, x[0], (long)w, sizeof(double), (short)i); }"""
    result = cuda(source).run(1, 1, {"x": np.array([3.14159265, 6.02e23])})
    assert result.fault is None, result.fault
    first = "-42|  -42|42   |0002a|FF|10|-5000000000|18446744073709551615|q|text|    text|%"
    second = "3.141593|3.142|  6.02e+23|6.02e+23|3.14159|+7|0xff|     3|3.14|-5000000000|8|-42"
    assert result.printed.splitlines() == [first, second]


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("x + 33", "misaligned 16-byte read at byte 132 of x"),
        ("second + 1", "misaligned 16-byte read at byte 4 of shared variable second"),
    ],
)
def test_a_misaligned_access_names_what_it_reads_and_where(cuda, place: str, said: str) -> None:
    source = (
        'extern "C" __global__ void k(const float* x, float4* out) { __shared__ __align__(16) float first[4];'
        " __shared__ __align__(16) float second[12]; first[threadIdx.x % 4] = 0; second[threadIdx.x] = 0;"
        f" __syncthreads(); out[0] = *reinterpret_cast<const float4*>({place}); out[0].x += first[0]; }}"
    )
    x = np.zeros(64, np.float32)
    fault = cuda(source).run(1, 1, {"x": x, "out": ("float32", 4)}).fault
    assert fault is not None
    assert said in fault.message
    assert "its address is no multiple of 16 (kernel k, line 1" in fault.message
