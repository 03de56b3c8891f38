"""Which macro names and which headers a kernel file may use."""

from __future__ import annotations

import re

from sandbox.compiler.standard_headers import HOST_HEADERS, standard


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_UPPER_CASE = re.compile(r"[A-Z][A-Z0-9_]*")
_MAX_NAME = 64
_HEADER_NAMES = _words(
    "NULL NAN INFINITY EOF NDEBUG FILE RAND_MAX SIZE_MAX HUGE_VAL HUGE_VALF HUGE_VALL MATH_ERRNO WARP_SZ "
    "DECIMAL_DIG MB_LEN_MAX WINT_MAX WINT_MIN WCHAR_MAX WCHAR_MIN EXCLUDE_FROM_RTC LOAD_ENVREG"
)
_HEADER_PREFIXES = (
    *("CUDA", "CUDART_", "CU_", "CUB_", "CCCL_", "LIBCUDACXX_", "THRUST_", "NV_", "NVCC", "NVRTC", "CG_"),
    *("INT_", "INT8_", "INT16_", "INT32_", "INT64_", "INTMAX_", "INTPTR_", "UINT_", "UINT8_", "UINT16_"),
    *("UINT32_", "UINT64_", "UINTMAX_", "UINTPTR_", "CHAR_", "SCHAR_", "UCHAR_", "SHRT_", "USHRT_", "LONG_"),
    *("ULONG_", "LLONG_", "ULLONG_", "PTRDIFF_", "FLT_", "DBL_", "LDBL_", "FP_", "M_PI", "SEEK_"),
)
_HEADERS = _words(
    "cuda_fp16.h cuda_bf16.h cuda_fp8.h cuda_fp6.h cuda_fp4.h cuda_runtime.h device_launch_parameters.h "
    "cuda_pipeline.h cuda_pipeline_primitives.h cuda_awbarrier.h cuda_awbarrier_primitives.h "
    "cooperative_groups.h mma.h math_constants.h vector_types.h vector_functions.h "
    "stdint.h stdio.h math.h float.h limits.h assert.h stddef.h "
    "cstdint cstdio cmath cfloat climits cassert cstddef string.h cstring stdlib.h cstdlib stdbool.h inttypes.h "
    "cuComplex.h"
) | frozenset(standard())
_CURAND = re.compile(r"curand_[a-z0-9_]+\.h")
_HEADER_FOLDERS = re.compile(
    r"(?:cooperative_groups|cub|cuda|nv)(?:/[A-Za-z0-9_]+)*/[A-Za-z0-9_]+(?:\.h|\.cuh)?"
)


def macro_name_fault(name: str) -> str | None:
    """Say what is wrong with the name of a tunable or a define, or return None.

    Both reach the compiler as macros behind the includes: no header sees them, but a macro that a header defines
    would change its meaning.
    """
    if not _UPPER_CASE.fullmatch(name):
        return f"expected an UPPER_CASE name (letters, digits, underscores), found `{name[:_MAX_NAME]}`"
    if len(name) > _MAX_NAME:
        return f"expected a name of at most {_MAX_NAME} characters, found {len(name)}"
    if name in _HEADER_NAMES or name.startswith(_HEADER_PREFIXES):
        return f"expected another name: CUDA's headers define `{name}`"
    return None


def header_allowed(header: str) -> bool:
    """Tell whether a kernel file may include this header."""
    return header in _HEADERS or any(form.fullmatch(header) for form in (_HEADER_FOLDERS, _CURAND))


ALLOWED_HEADERS = (
    "cuda_fp16.h, cuda_bf16.h, mma.h, cooperative_groups.h, cooperative_groups/*, cuda_pipeline.h, cub/*, "
    "cuda/*, curand_kernel.h, and the C and C++ standard headers"
)
"""For messages: the allow-list in words."""


def host_only(header: str) -> bool:
    """Tell whether a header that may be included has nothing for device code."""
    return header in HOST_HEADERS
