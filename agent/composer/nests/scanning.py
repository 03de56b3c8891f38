"""Running sums and the like: a block goes along the axis in pieces, and each piece is scanned by warps."""

from __future__ import annotations

from agent.composer.expressions import Types
from agent.composer.kernel_text import combine, identity, indent
from agent.composer.nests.arrays import Stage
from agent.composer.nests.fusing import scanned
from agent.composer.nests.points import Fold, kind_of, placed
from agent.composer.nests.sizes import Size
from agent.composer.nests.texts import Texts


def functions(stage: Stage, types: Types) -> list[str]:
    """The device function that scans one value of each thread of a block."""
    fold = stage.value
    assert isinstance(fold, Fold), "what is scanned is a fold"
    kind = kind_of(fold)
    ctype, start = types.name(kind), identity(fold.op, kind, types)
    return [
        f"""\
// Every thread gets its own value combined with those of all threads before it; `total` becomes that of the block.
__device__ __forceinline__ {ctype} scan_{fold.op}({ctype} value, {ctype}& total) {{
    __shared__ {ctype} warps[BLOCK / 32];
    #pragma unroll
    for (int offset = 1; offset < 32; offset *= 2) {{
        const {ctype} before = __shfl_up_sync(0xffffffff, value, offset);
        if (threadIdx.x % 32 >= offset) {{
            value = {combine(fold.op, kind, types, "before", "value")};
        }}
    }}
    __syncthreads();  // the scan before this one may still be read
    if (threadIdx.x % 32 == 31) {{
        warps[threadIdx.x / 32] = value;
    }}
    __syncthreads();
    {ctype} below = {start};
    total = {start};
    #pragma unroll
    for (int warp = 0; warp < BLOCK / 32; ++warp) {{
        if (warp < threadIdx.x / 32) {{
            below = {combine(fold.op, kind, types, "below", "warps[warp]")};
        }}
        total = {combine(fold.op, kind, types, "total", "warps[warp]")};
    }}
    return {combine(fold.op, kind, types, "below", "value")};
}}
"""
    ]


def body(stage: Stage, texts: Texts) -> str:
    """Scan the elements of one point: a piece of BLOCK elements after the other."""
    along, fold = scanned(stage), stage.value
    assert along is not None and isinstance(fold, Fold), "what is scanned is a fold"
    kind = kind_of(fold)
    types = texts.types
    ctype, start = types.name(kind), identity(fold.op, kind, types)
    name, extent = texts.axis(along), texts.size(along.extent)
    lines = texts.lines(placed(fold.body, {fold.axes[0]: Size.of(along)}))
    (value,) = lines.values
    load = "".join(f"{line}\n" for line in lines.lines) + f"value = {texts.cast(value, kind).text};\n"
    running = texts.fresh("running")
    place = texts.place(stage.name, tuple(map(Size.of, stage.axes)))
    result = texts.stored(stage.name, type(value)(combine(fold.op, kind, types, running, "value"), kind))
    inside = (
        f"const int {name} = first + threadIdx.x;\n{ctype} value = {start};\n"
        f"if ({name} < {extent}) {{\n{indent(load)}}}\n{ctype} piece;\nvalue = scan_{fold.op}(value, piece);\n"
        f"if ({name} < {extent}) {{\n    {texts.buffer(stage.name)}[{place}] = {result};\n}}\n"
        f"{running} = {combine(fold.op, kind, types, running, 'piece')};\n"
    )
    return f"{ctype} {running} = {start};\nfor (int first = 0; first < {extent}; first += BLOCK) {{\n{indent(inside)}}}\n"
