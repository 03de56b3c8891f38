"""Headers supplied in memory: NVRTC has no host headers, and kernels include them all the same."""

from __future__ import annotations

from sandbox.compiler.standard_headers import standard

PRELUDE = "warpwright/prelude.h"
"""Included before every kernel file: what nvcc's own implicit includes would have brought."""

# Token for token what cuda/std/climits and cuda/std/cstdint define later: anything else would be reported.
_LIMITS = """
#define CHAR_BIT 8
#define SCHAR_MIN (-128)
#define SCHAR_MAX 127
#define UCHAR_MAX 255
#define CHAR_MIN SCHAR_MIN
#define CHAR_MAX SCHAR_MAX
#define SHRT_MIN (-SHRT_MAX - 1)
#define SHRT_MAX 0x7fff
#define USHRT_MAX 0xffff
#define INT_MIN (-INT_MAX - 1)
#define INT_MAX 0x7fffffff
#define UINT_MAX 0xffffffff
#define LONG_MIN (-LONG_MAX - 1)
#define LONG_MAX LLONG_MAX
#define ULONG_MAX ULLONG_MAX
#define LLONG_MIN (-LLONG_MAX - 1)
#define LLONG_MAX 0x7fffffffffffffffLL
#define ULLONG_MAX 0xffffffffffffffffUL
"""

_FLOAT = """
#define FLT_RADIX 2
#define FLT_MANT_DIG 24
#define FLT_DIG 6
#define FLT_MIN_EXP (-125)
#define FLT_MAX_EXP 128
#define FLT_EPSILON 1.19209290e-7F
#define FLT_MIN 1.17549435e-38F
#define FLT_MAX 3.40282347e+38F
#define FLT_TRUE_MIN 1.40129846e-45F
#define DBL_MANT_DIG 53
#define DBL_DIG 15
#define DBL_MIN_EXP (-1021)
#define DBL_MAX_EXP 1024
#define DBL_EPSILON 2.2204460492503131e-16
#define DBL_MIN 2.2250738585072014e-308
#define DBL_MAX 1.7976931348623157e+308
#define DBL_TRUE_MIN 4.9406564584124654e-324
"""

_INTEGERS = """
typedef signed char int8_t;
typedef short int16_t;
typedef int int32_t;
typedef long long int64_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
typedef int64_t intptr_t;
typedef uint64_t uintptr_t;
typedef int64_t intmax_t;
typedef uint64_t uintmax_t;
typedef long ptrdiff_t;
"""

_INTEGER_MACROS = "".join(
    f"#define {sign}INT{bits}_{end} {c}_{end}\n"
    for bits, name in ((8, "SCHAR"), (16, "SHRT"), (32, "INT"), (64, "LLONG"))
    for sign, end, c in (
        ("", "MIN", name), ("", "MAX", name), ("U", "MAX", "UCHAR" if bits == 8 else f"U{name}")
    )
)  # fmt: skip

_MATH_MACROS = """
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)
#define HUGE_VALF INFINITY
#define HUGE_VAL __longlong_as_double(0x7ff0000000000000LL)
#define M_E 2.7182818284590452354
#define M_LOG2E 1.4426950408889634074
#define M_LOG10E 0.43429448190325182765
#define M_LN2 0.69314718055994530942
#define M_LN10 2.30258509299404568402
#define M_PI 3.14159265358979323846
#define M_PI_2 1.57079632679489661923
#define M_PI_4 0.78539816339744830962
#define M_1_PI 0.31830988618379067154
#define M_2_PI 0.63661977236758134308
#define M_2_SQRTPI 1.12837916709551257390
#define M_SQRT2 1.41421356237309504880
#define M_SQRT1_2 0.70710678118654752440
"""

# Words that GCC adds and nvcc takes; and the two of <algorithm> that many write without including it.
_COMPILER = """
#define __asm__ asm
#define __asm asm
#define __volatile__ volatile
namespace std {
template <typename T>
__host__ __device__ constexpr const T& min(const T& a, const T& b) { return b < a ? b : a; }
template <typename T>
__host__ __device__ constexpr const T& max(const T& a, const T& b) { return a < b ? b : a; }
}
"""

_SHORT_NAMES = "typedef unsigned int uint;\ntypedef unsigned short ushort;\n"

# Device code finds these in the global namespace; `std::` is what the C++ headers add.
_STD_FLOAT_1 = (
    "acos", "asin", "atan", "cos", "sin", "tan", "cosh", "sinh", "tanh", "acosh", "asinh", "atanh", "exp",
    "exp2", "expm1", "log", "log10", "log2", "log1p", "sqrt", "cbrt", "ceil", "floor", "trunc", "round",
    "nearbyint", "rint", "fabs", "erf", "erfc", "tgamma", "lgamma", "logb",
)  # fmt: skip
_STD_FLOAT_2 = (
    "pow", "fmod", "remainder", "atan2", "hypot", "fmax", "fmin", "fdim", "copysign", "nextafter",
)  # fmt: skip


def _std_math() -> str:
    """Return `std::` functions, overloaded for float and double as <cmath> has them."""
    lines = ["namespace std {"]
    for kind, suffix in (("float", "f"), ("double", "")):
        define = f"__device__ __forceinline__ {kind}"
        lines += [f"{define} {name}({kind} x) {{ return ::{name}{suffix}(x); }}" for name in _STD_FLOAT_1]
        lines += [
            f"{define} {name}({kind} x, {kind} y) {{ return ::{name}{suffix}(x, y); }}"
            for name in _STD_FLOAT_2
        ]
        lines.append(f"{define} fma({kind} x, {kind} y, {kind} z) {{ return ::fma{suffix}(x, y, z); }}")
        lines.append(f"{define} abs({kind} x) {{ return ::fabs{suffix}(x); }}")
        lines += [
            f"__device__ __forceinline__ bool {name}({kind} x) {{ return ::{name}(x); }}"
            for name in ("isnan", "isinf", "isfinite", "signbit")
        ]
    lines += [
        f"__device__ __forceinline__ {kind} abs({kind} x) {{ return x < 0 ? -x : x; }}"
        for kind in ("int", "long", "long long")
    ]
    return "\n".join([*lines, "}", ""])


def _guarded(name: str, text: str) -> str:
    return f"#ifndef WARPWRIGHT_{name}\n#define WARPWRIGHT_{name}\n{_each_guarded(text)}#endif\n"


def _each_guarded(text: str) -> str:
    """Define no macro that is defined already."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("#define "):
            lines += [f"#ifndef {line.split()[1]}", line, "#endif"]
        elif line:
            lines.append(line)
    return "\n".join(lines) + "\n"


def _std(names: str) -> str:
    return "namespace std {\n" + "".join(f"using ::{name};\n" for name in names.split()) + "}\n"


_INTEGER_NAMES = " ".join(
    line.split()[-1].rstrip(";") for line in _INTEGERS.splitlines() if line and "ptrdiff" not in line
)

# cub/cub.cuh brings in host launchers that NVRTC refuses; these are its parts for device code.
_CUB = "".join(
    f"#include <cub/{part}.cuh>\n"
    for part in (
        "block/block_adjacent_difference", "block/block_discontinuity", "block/block_exchange",
        "block/block_histogram", "block/block_load", "block/block_merge_sort", "block/block_radix_rank",
        "block/block_radix_sort", "block/block_reduce", "block/block_run_length_decode", "block/block_scan",
        "block/block_shuffle", "block/block_store", "thread/thread_load", "thread/thread_operators",
        "thread/thread_reduce", "thread/thread_scan", "thread/thread_search", "thread/thread_store",
        "warp/warp_exchange", "warp/warp_load", "warp/warp_merge_sort", "warp/warp_reduce", "warp/warp_scan",
        "warp/warp_store",
    )
)  # fmt: skip


def in_memory() -> dict[str, str]:
    """Return every supplied header by the name under which it is included."""
    limits, floats = _guarded("LIMITS", _LIMITS), _guarded("FLOAT", _FLOAT)
    integers = limits + _guarded("INTEGERS", _INTEGERS + _INTEGER_MACROS)
    math = _guarded("MATH", _MATH_MACROS)
    sizes = _guarded("STDDEF", "namespace std {\nusing ::size_t;\nusing ::ptrdiff_t;\n}\n")
    std_integers = integers + _guarded("STD_INTEGERS", _std(_INTEGER_NAMES))
    std_math = math + _guarded("STD_MATH", _std_math())
    empty = "\n"
    return standard() | {
        PRELUDE: _COMPILER + math + floats + integers + _SHORT_NAMES,
        "limits.h": limits, "climits": limits, "float.h": floats, "cfloat": floats, "stdint.h": integers,
        "cstdint": std_integers, "inttypes.h": integers, "math.h": math, "cmath": std_math,
        "stddef.h": integers, "cstddef": integers + sizes, "stdio.h": empty, "cstdio": empty,
        "assert.h": empty, "cassert": empty, "string.h": empty, "cstring": integers + sizes,
        "stdlib.h": empty, "cstdlib": integers + sizes, "time.h": empty, "stdbool.h": empty,
        "cub/cub.cuh": _CUB,
    }  # fmt: skip
