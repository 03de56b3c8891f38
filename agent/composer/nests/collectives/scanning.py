"""Running sums and the like: a block goes along the axis in pieces, and each piece is scanned by warps."""

from __future__ import annotations

from agent.composer.expressions import Types, Value
from agent.composer.ir import Binary, Node
from agent.composer.kernel_text import combine, identity, indent
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.points import Fold, axes_of, kind_of, placed
from agent.composer.nests.sizes import Axis, Size
from agent.composer.nests.texts import Texts

OPERATORS = {"sum": "+", "prod": "*", "max": "max", "min": "min"}
"""How a start is combined with a scan."""


def scan_of(stage: FilledBuffer) -> tuple[Node | None, Fold] | None:
    """The start of a scan, if it has one, and what it folds up to each index."""
    match stage.value:
        case Fold(axes=(_,)) as fold:
            return None, fold
        case Binary(left=start, right=Fold(axes=(_,)) as fold):
            return start, fold
        case _:
            return None


def scanned(stage: FilledBuffer) -> Axis | None:
    """The axis along which a stage is a running sum or the like; None where it is none."""
    found = scan_of(stage)
    if found is None:
        return None
    (before,), body_ = found[1].axes, found[1].body
    along = (axis for axis in stage.axes if before.extent == Size.of(axis) + 1 and axis not in axes_of(body_))
    return next(along, None)


def functions(stage: FilledBuffer, types: Types) -> list[str]:
    """The device function that scans one value of each thread of a block."""
    found = scan_of(stage)
    assert found is not None, "it is a scan"
    op, kind = found[1].op, kind_of(found[1])
    ctype, start = types.name(kind), identity(op, kind, types)
    return [
        f"""\
// Every thread gets its own value combined with those of all threads before it; `total` becomes that of the block.
__device__ __forceinline__ {ctype} scan_{op}({ctype} value, {ctype}& total) {{
    __shared__ {ctype} warps[BLOCK / 32];
    #pragma unroll
    for (int offset = 1; offset < 32; offset *= 2) {{
        const {ctype} before = __shfl_up_sync(0xffffffff, value, offset);
        if (threadIdx.x % 32 >= offset) {{
            value = {combine(op, kind, types, "before", "value")};
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
            below = {combine(op, kind, types, "below", "warps[warp]")};
        }}
        total = {combine(op, kind, types, "total", "warps[warp]")};
    }}
    return {combine(op, kind, types, "below", "value")};
}}
"""
    ]


def body(stage: FilledBuffer, texts: Texts) -> str:
    """Scan the elements of one point: a piece of BLOCK elements after the other."""
    along, found = scanned(stage), scan_of(stage)
    assert along is not None, "it is a scan"
    assert found is not None, "it is a scan"
    start, fold = found
    kind, types = kind_of(fold), texts.types
    ctype, neutral = types.name(kind), identity(fold.op, kind, types)
    first = neutral if start is None else texts.cast(texts.value(start), kind).text
    name, extent = texts.axis(along), texts.size(along.extent)
    lines = texts.lines(placed(fold.body, {fold.axes[0]: Size.of(along)}))
    load = (
        "".join(f"{line}\n" for line in lines.lines) + f"value = {texts.cast(lines.values[0], kind).text};\n"
    )
    running = texts.fresh("running")
    place = texts.place(stage.name, stage.target)
    result = texts.stored(stage.name, Value(combine(fold.op, kind, types, running, "value"), kind))
    inside = (
        f"const int {name} = first + threadIdx.x;\n{ctype} value = {neutral};\n"
        f"if ({name} < {extent}) {{\n{indent(load)}}}\n{ctype} piece;\nvalue = scan_{fold.op}(value, piece);\n"
        f"if ({name} < {extent}) {{\n    {texts.buffer(stage.name)}[{place}] = {result};\n}}\n"
        f"{running} = {combine(fold.op, kind, types, running, 'piece')};\n"
    )
    loop = f"for (int first = 0; first < {extent}; first += BLOCK) {{\n{indent(inside)}}}\n"
    return f"{ctype} {running} = {first};\n{loop}"
