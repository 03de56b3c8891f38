"""The C++ standard's headers for device code, each made of its twin in cuda::std, and host headers left empty.

Names declared in `std` itself (as <cmath> does here) are found before those that a using-directive brings in
(C++17, [namespace.qual]), so both may be included.
"""

from __future__ import annotations

_TWINS = (
    "array", "atomic", "barrier", "bit", "bitset", "chrono", "complex", "concepts", "expected", "functional",
    "initializer_list", "iterator", "latch", "limits", "mdspan", "memory", "numbers", "numeric", "optional", "ranges",
    "ratio", "semaphore", "span", "tuple", "type_traits", "utility", "variant",
)  # fmt: skip
_ALGORITHMS = (
    "adjacent_find", "all_of", "any_of", "binary_search", "clamp", "copy", "copy_backward", "copy_if", "copy_n",
    "count", "count_if", "equal", "equal_range", "fill", "fill_n", "find", "find_if", "find_if_not", "for_each",
    "for_each_n", "generate", "generate_n", "is_sorted", "is_sorted_until", "iter_swap", "lexicographical_compare",
    "lower_bound", "make_heap", "max", "max_element", "merge", "min", "min_element", "minmax", "minmax_element",
    "mismatch", "move", "next_permutation", "none_of", "partial_sort", "partition", "pop_heap", "push_heap", "remove",
    "remove_if", "replace", "replace_if", "reverse", "rotate", "search", "sort_heap", "swap_ranges", "transform",
    "unique", "upper_bound",
)  # fmt: skip
# The prelude's own std::min and std::max would hide the other forms.
_LEAST_AND_MOST = "".join(
    f"""
namespace std {{
template <typename T, typename C>
__host__ __device__ constexpr const T& {name}(const T& a, const T& b, C c) {{ return ::cuda::std::{name}(a, b, c); }}
template <typename T>
__host__ __device__ constexpr T {name}(::std::initializer_list<T> values) {{ return ::cuda::std::{name}(values); }}
}}
"""
    for name in ("min", "max")
)
# <new> of cuda::std is internal; this is placement new, which is all of it that device code has.
_NEW = """
#ifndef WARPWRIGHT_NEW
#define WARPWRIGHT_NEW
#include <cuda/std/__new_>
#endif
"""

HOST_HEADERS = frozenset((
    "algorithm.h", "cctype", "cerrno", "csignal", "ctime", "cublas_v2.h", "cuda.h", "cuda_profiler_api.h",
    "cuda_runtime_api.h", "cufft.h", "cusparse.h", "deque", "driver_types.h", "errno.h", "exception",
    "fstream", "helper_cuda.h", "helper_functions.h", "helper_string.h", "helper_timer.h", "iomanip", "iostream",
    "istream", "list", "locale", "map", "mutex", "nvToolsExt.h", "omp.h", "ostream", "queue", "random", "set",
    "sstream", "stack", "stdexcept", "string", "string_view", "sys/time.h", "thread", "time.h", "unistd.h",
    "unordered_map", "unordered_set", "vector",
))  # fmt: skip
"""What only a host program needs. They are empty here: a kernel that uses nothing of them loses nothing."""


def standard() -> dict[str, str]:
    """Return the headers by the name under which they are included."""
    algorithms = "".join(f"#include <cuda/std/__algorithm/{name}.h>\n" for name in _ALGORITHMS)
    found = {name: _in_std(f"#include <cuda/std/{name}>\n") for name in _TWINS}
    found["algorithm"] = _in_std(algorithms + "#include <cuda/std/utility>\n") + _guarded(_LEAST_AND_MOST)
    found["new"] = _NEW
    return found | dict.fromkeys(sorted(HOST_HEADERS), "\n")


def _in_std(includes: str) -> str:
    return f"{includes}namespace std {{\nusing namespace ::cuda::std;\n}}\n"


def _guarded(text: str) -> str:
    return f"#ifndef WARPWRIGHT_LEAST_AND_MOST\n#define WARPWRIGHT_LEAST_AND_MOST\n{text}#endif\n"
