"""Device functions that combine one value a thread over a warp or a block; every thread gets the result."""

from __future__ import annotations

from agent.composer.expressions import Kind, Types
from agent.composer.kernel_text import combine


def warp_function(op: str, kind: Kind, types: Types, name: str) -> str:
    """Combine over a warp by shuffles; all 32 lanes must call it."""
    step = combine(op, kind, types, "value", "__shfl_xor_sync(0xffffffff, value, offset)")
    return f"""\
__device__ __forceinline__ {types.name(kind)} {name}({types.name(kind)} value) {{
    #pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) {{
        value = {step};
    }}
    return value;
}}
"""


def block_by_shuffles(op: str, kind: Kind, types: Types) -> str:
    """Combine over a block: shuffles in each warp, then the warps' results in shared memory."""
    ctype = types.name(kind)
    return f"""\
{warp_function(op, kind, types, f"warp_{op}")}
__device__ __forceinline__ {ctype} reduce_{op}({ctype} value) {{
    __shared__ {ctype} partial[BLOCK / 32];
    value = warp_{op}(value);
    __syncthreads();  // the reduction before this one may still be read
    if (threadIdx.x % 32 == 0) {{
        partial[threadIdx.x / 32] = value;
    }}
    __syncthreads();
    {ctype} total = partial[0];
    #pragma unroll
    for (int i = 1; i < BLOCK / 32; ++i) {{
        total = {combine(op, kind, types, "total", "partial[i]")};
    }}
    return total;
}}
"""


def block_by_tree(op: str, kind: Kind, types: Types) -> str:
    """Combine over a block: a tree in shared memory, half as many threads at each step."""
    ctype = types.name(kind)
    step = combine(op, kind, types, "tree[threadIdx.x]", "tree[threadIdx.x + half_size]")
    return f"""\
__device__ __forceinline__ {ctype} reduce_{op}({ctype} value) {{
    __shared__ {ctype} tree[BLOCK];
    tree[threadIdx.x] = value;
    __syncthreads();
    for (int half_size = BLOCK / 2; half_size > 0; half_size /= 2) {{
        if (threadIdx.x < half_size) {{
            tree[threadIdx.x] = {step};
        }}
        __syncthreads();
    }}
    const {ctype} total = tree[0];
    __syncthreads();  // before the next reduction writes
    return total;
}}
"""
