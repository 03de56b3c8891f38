"""Matrix products with register blocking: a thread computes TM x TN values of a BM x BN tile."""

from __future__ import annotations

from dataclasses import dataclass

from agent.composer.kernel_text import SIZED_PACK, indent, launch, tune
from agent.composer.matmul_parts import Piece, ProductCode


@dataclass(frozen=True)
class _Side:
    """One of the two matrices, as it lies in memory.

    Attributes:
        outer: The tile's extent along the result (BM or BN).
        along: Whether memory runs along that extent (else along the inner one).
        limit: The matrix's extent along the result (m or n).
        first: Where the tile starts along the result.
    """

    name: str
    ctype: str
    tile: str
    outer: str
    along: bool
    limit: str
    first: str
    width: str


def blocked(parts: ProductCode, *, vector: bool, padded: bool, unrolled: bool, swept: bool) -> Piece:
    """Write a register-blocked product.

    Args:
        parts: Names and access.
        vector: Move packs of neighbours where the sizes allow it.
        padded: Lengthen the shared rows so that stores of a column hit different banks.
        unrolled: Unroll the loop over a tile's inner extent.
        swept: Sweep the tile sizes.
    """
    sides = _sides(parts)
    directives = [
        tune("BM", 64, (64, 128), swept=swept),
        "//@ define BN = BM",
        "//@ define BK = 8",
        tune("TM", 4, (4, 8), swept=swept),
        "//@ define TN = TM",
        "//@ define THREADS = (BM // TM) * (BN // TN)",
        *(_widths(parts, sides) if vector else []),
        launch("matmul", f"{parts.grid('BN', 'BM')}, THREADS", parts.parameters),
    ]
    pad = " + 4" if padded else ""
    align = "__shared__ __align__(16) " if vector else "__shared__ "
    declare = "".join(f"{align}{side.ctype} {side.tile}[BK][{side.outer}{pad}];\n" for side in sides)
    fills = "".join(_fill(side, vector=vector) for side in sides)
    pragma = "#pragma unroll\n" if unrolled else ""
    multiply = indent(_multiply(parts, vector=vector))
    step = f"{fills}__syncthreads();\n{pragma}for (int i = 0; i < BK; ++i) {{\n{multiply}}}\n"
    step += "__syncthreads();\n"
    body = f"""\
{declare}const int first_row = blockIdx.y * BM;
const int first_col = blockIdx.x * BN;
const int thread_row = threadIdx.x / (BN / TN);
const int thread_col = threadIdx.x % (BN / TN);
{parts.ctype} sums[TM][TN] = {{}};
for (int k0 = 0; k0 < k; k0 += BK) {{
{indent(step)}}}
{_store(parts, vector=vector)}"""
    functions = [SIZED_PACK] if vector else []
    headline = (
        "A matrix product: tiles in shared memory, and a block of the result in each thread's registers."
    )
    return Piece(headline, directives, body, "THREADS", functions)


def _sides(parts: ProductCode) -> tuple[_Side, _Side]:
    left, right = parts.left_turned, not parts.right_turned
    return (
        _Side(parts.left_name, parts.left_ctype, "left_tile", "BM", left, "m", "first_row", "LEFT_WIDTH"),
        _Side(
            parts.right_name, parts.right_ctype, "right_tile", "BN", right, "n", "first_col", "RIGHT_WIDTH"
        ),
    )


def _widths(parts: ProductCode, sides: tuple[_Side, _Side]) -> list[str]:
    lines: list[str] = []
    extents = {"m": parts.rows, "n": parts.cols}
    for side, most in zip(sides, (parts.left_width(), parts.right_width()), strict=True):
        text = extents[side.limit] if side.along else parts.inner
        lines.append(f"//@ define {side.width} = {most} if {_operand(text)} % {most} == 0 else 1")
    lines.append(f"//@ define OUT_WIDTH = 4 if {_operand(parts.cols)} % 4 == 0 else 1")
    return lines


def _operand(expression: str) -> str:
    return expression if expression.isidentifier() or expression.isdigit() else f"({expression})"


def _fill(side: _Side, *, vector: bool) -> str:
    """Load a tile, threads side by side along memory; zeros stand beyond the edges."""
    major, minor = ("BK", side.outer) if side.along else (side.outer, "BK")
    row, col = (
        ("k0 + major", f"{side.first} + minor") if side.along else (f"{side.first} + major", "k0 + minor")
    )
    row_limit, col_limit = ("k", side.limit) if side.along else (side.limit, "k")
    inside = f"{row} < {row_limit} && {col} < {col_limit}"
    address = f"static_cast<size_t>({row}) * {col_limit} + {col}"
    if not vector:
        slot = f"{side.tile}[major][minor]" if side.along else f"{side.tile}[minor][major]"
        return f"""\
for (int i = threadIdx.x; i < {major} * {minor}; i += THREADS) {{
    const int major = i / {minor};
    const int minor = i % {minor};
    if ({inside}) {{
        {slot} = {side.name}[{address}];
    }} else {{
        {slot} = 0;
    }}
}}
"""
    slot = f"{side.tile}[major][minor + j]" if side.along else f"{side.tile}[minor + j][major]"
    pack = f"Pack<{side.ctype}, {side.width}>"
    return f"""\
for (int i = threadIdx.x; i < {major} * {minor} / {side.width}; i += THREADS) {{
    const int major = i / ({minor} / {side.width});
    const int minor = i % ({minor} / {side.width}) * {side.width};
    {pack} value = {{}};
    if ({inside}) {{
        value = *reinterpret_cast<const {pack}*>({side.name} + {address});
    }}
    #pragma unroll
    for (int j = 0; j < {side.width}; ++j) {{
        {slot} = value.lane[j];
    }}
}}
"""


def _place(thread: str, step: str, tile: str, block: str, *, vector: bool) -> str:
    """Where a thread's `step`-th row or column lies in the tile: in fours for packs, else strided."""
    if vector:
        return f"{step} / 4 * ({tile} / {block} * 4) + {thread} * 4 + {step} % 4"
    return f"{thread} + {step} * ({tile} / {block})"


def _load_block(name: str, tile: str, thread: str, size: tuple[str, str], values: tuple[str, str]) -> str:
    """Read a thread's rows or columns of one step from shared memory, four at a time."""
    pack = f"Pack<{values[0]}, 4>"
    place = _place(thread, "r", *size, vector=True).removesuffix(" + r % 4")
    return f"""\
#pragma unroll
for (int r = 0; r < {size[1]}; r += 4) {{
    const {pack} value = *reinterpret_cast<const {pack}*>(&{tile}[i][{place}]);
    #pragma unroll
    for (int j = 0; j < 4; ++j) {{
        {name}[r + j] = {values[1]};
    }}
}}
"""


def _loads(parts: ProductCode, *, vector: bool) -> str:
    if vector:
        left = (parts.left_ctype, parts.left_value("value.lane[j]"))
        right = (parts.right_ctype, parts.right_value("value.lane[j]"))
        text = _load_block("left", "left_tile", "thread_row", ("BM", "TM"), left)
        return text + _load_block("right", "right_tile", "thread_col", ("BN", "TN"), right)
    row = _place("thread_row", "r", "BM", "TM", vector=False)
    col = _place("thread_col", "s", "BN", "TN", vector=False)
    return f"""\
#pragma unroll
for (int r = 0; r < TM; ++r) {{
    left[r] = {parts.left_value(f"left_tile[i][{row}]")};
}}
#pragma unroll
for (int s = 0; s < TN; ++s) {{
    right[s] = {parts.right_value(f"right_tile[i][{col}]")};
}}
"""


def _multiply(parts: ProductCode, *, vector: bool) -> str:
    """One step of the inner extent."""
    return f"""\
{parts.ctype} left[TM];
{parts.ctype} right[TN];
{_loads(parts, vector=vector)}\
#pragma unroll
for (int r = 0; r < TM; ++r) {{
    #pragma unroll
    for (int s = 0; s < TN; ++s) {{
        sums[r][s] += left[r] * right[s];
    }}
}}
"""


def _store(parts: ProductCode, *, vector: bool) -> str:
    row = _place("thread_row", "r", "BM", "TM", vector=vector)
    col = _place("thread_col", "s", "BN", "TN", vector=vector)
    store = parts.store("row", "col", "sums[r][s]") + "\n"
    if vector:
        pack = f"Pack<{parts.output_ctype}, OUT_WIDTH>"
        store = f"""\
{pack} value;
#pragma unroll
for (int j = 0; j < OUT_WIDTH; ++j) {{
    value.lane[j] = {parts.final("row", "(col + j)", "sums[r][s + j]")};
}}
{parts.output_ctype}* to = {parts.output_name} + static_cast<size_t>(row) * n + col;
*reinterpret_cast<{pack}*>(to) = value;
"""
    return f"""\
#pragma unroll
for (int r = 0; r < TM; ++r) {{
    #pragma unroll
    for (int s = 0; s < TN; {"s += OUT_WIDTH" if vector else "++s"}) {{
        const int row = first_row + {row};
        const int col = first_col + {col};
        if (row < m && col < n) {{
{indent(indent(indent(store)))}\
        }}
    }}
}}
"""
