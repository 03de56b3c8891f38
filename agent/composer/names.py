"""Identifiers for emitted kernels: the reference's own names where C++ leaves them free."""

from __future__ import annotations

import keyword
import re

_WORDS = """
alignas alignof asm auto bool break case catch char class const constexpr continue decltype default
delete do double else enum explicit export extern false float for friend goto if inline int long
mutable namespace new noexcept nullptr operator private protected public register requires return
short signed sizeof static struct switch template this throw true try typedef typeid typename union
unsigned using virtual void volatile wchar_t while half abs min max exp log sqrt tanh sin cos floor
ceil pow fabs y0 y1 yn j0 j1 jn gamma signbit main printf clock assert threadIdx blockIdx blockDim
gridDim warpSize float2 float3 float4 int2 int3 int4 dim3 size_t
"""
_LOCALS = """
row col rows cols lane item step chunk chunks tile total value partial vectors tail offset size
thread left right left_tile right_tile k0 first_row first_col elementwise row_program reduce finish
transpose matmul zero compute warp_sum warp_max warp_min reduce_sum reduce_max reduce_min Pack
row_cache tree half_size from sums major minor count value to thread_row thread_col point one flat first
piece counts bin element running warps below nest left_at right_at
group warp shared own steps stage coming fetch kk inner outer across along place values results some four left_deep
right_deep next_left next_right left_part right_part to_row to_col batch tiles tiles_across sums copy_async
cluster_sync in_block load_matrices load_transposed items held splits run is_last is_first mine other list lists more
wanted useful all equation divisor factor size best low high share totals part taps at_row at_col at_down at_across
top here next line first_col sum tap left_run left_count right_count left_first right_first left_size begin
"""
RESERVED = frozenset(_WORDS.split()) | frozenset(_LOCALS.split())


class Names:
    """Hands out identifiers, each once."""

    def __init__(self, letters: str = "") -> None:
        """Keep one-letter names of the kernel's own from being handed out; `letters` lists them."""
        self._taken: set[str] = set(RESERVED) | set(letters)

    def fresh(self, wanted: str) -> str:
        """Return `wanted`, or it with a suffix where it is not free or not an identifier of C++."""
        base = re.sub(r"[^A-Za-z0-9_]", "_", wanted)
        if keyword.iskeyword(base) or base.startswith("_") or base.upper() == base:
            base = f"v{base.lower()}" if base.startswith("_") else base.lower()
        base = re.sub(r"__+", "_", base)
        name, number = base, 1
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name)
        return name
