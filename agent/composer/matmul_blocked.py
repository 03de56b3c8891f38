"""Matrix products with register blocking: a thread computes a TM x TN block of a BM x BN tile of the result."""

from __future__ import annotations

from dataclasses import dataclass

from agent.composer.kernel_text import indent, launch, tune
from agent.composer.matmul_parts import Parts, Piece


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


def blocked(parts: Parts, *, vector: bool, padded: bool, unrolled: bool, swept: bool) -> Piece:
    """Write a register-blocked product.

    Args:
        parts: Names and access.
        vector: Move packs of neighbours where the sizes allow it.
        padded: Lengthen the shared rows so that stores of a column hit different banks.
        unrolled: Unroll the loop over a tile's inner extent.
        swept: Sweep the tile sizes.
    """
    sides = (
        _Side(parts.left_name, parts.left_ctype, "left_tile", "BM", parts.left_turned, "m", "first_row", "LEFT_WIDTH"),
        _Side(
            parts.right_name, parts.right_ctype, "right_tile", "BN", not parts.right_turned, "n", "first_col",
            "RIGHT_WIDTH",
        ),
    )  # fmt: skip
    directives = [
        tune("BM", 64, (64, 128), swept=swept),
        "//@ define BN = BM",
        tune("BK", 8, (8, 16), swept=swept),
        tune("TM", 4, (4, 8)),
        "//@ define TN = TM",
        "//@ define THREADS = (BM // TM) * (BN // TN)",
        *(_widths(parts, sides) if vector else []),
        launch("matmul", f"{parts.grid('BN', 'BM')}, THREADS", parts.parameters),
    ]
    pad = " + 4" if padded else ""
    declare = "".join(f"__shared__ {side.ctype} {side.tile}[BK][{side.outer}{pad}];\n" for side in sides)
    fills = "".join(_fill(side, vector=vector) for side in sides)
    pragma = "#pragma unroll\n" if unrolled else ""
    step = f"{fills}__syncthreads();\n{pragma}for (int i = 0; i < BK; ++i) {{\n{indent(_multiply(parts))}}}\n"
    step += "__syncthreads();\n"
    body = f"""\
{declare}const int first_row = blockIdx.y * BM;
const int first_col = blockIdx.x * BN;
const int thread_row = threadIdx.x / (BN / TN);
const int thread_col = threadIdx.x % (BN / TN);
{parts.ctype} sums[TM][TN] = {{}};
for (int k0 = 0; k0 < k; k0 += BK) {{
{indent(step)}}}
{_store(parts)}"""
    functions = [_PACK] if vector else []
    headline = (
        "A matrix product: tiles in shared memory, and a block of the result in each thread's registers."
    )
    return Piece(headline, directives, body, "THREADS", functions)


_PACK = """\
// N neighbours that move in one memory instruction.
template <typename T, int N>
struct alignas(sizeof(T) * N) Pack {
    T lane[N];
};
"""


def _widths(parts: Parts, sides: tuple[_Side, _Side]) -> list[str]:
    lines: list[str] = []
    extents = {"m": parts.rows, "n": parts.cols}
    for side, most in zip(sides, (parts.left_width(), parts.right_width()), strict=True):
        text = extents[side.limit] if side.along else parts.inner
        text = text if text.isidentifier() or text.isdigit() else f"({text})"
        lines.append(f"//@ define {side.width} = {most} if {text} % {most} == 0 else 1")
    return lines


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


def _multiply(parts: Parts) -> str:
    """One step of the inner extent; a thread's rows and columns are strided, so that neighbours read neighbours."""
    left = parts.left_value("left_tile[i][thread_row + r * (BM / TM)]")
    right = parts.right_value("right_tile[i][thread_col + c * (BN / TN)]")
    return f"""\
{parts.ctype} left[TM];
{parts.ctype} right[TN];
#pragma unroll
for (int r = 0; r < TM; ++r) {{
    left[r] = {left};
}}
#pragma unroll
for (int c = 0; c < TN; ++c) {{
    right[c] = {right};
}}
#pragma unroll
for (int r = 0; r < TM; ++r) {{
    #pragma unroll
    for (int c = 0; c < TN; ++c) {{
        sums[r][c] += left[r] * right[c];
    }}
}}
"""


def _store(parts: Parts) -> str:
    return f"""\
#pragma unroll
for (int r = 0; r < TM; ++r) {{
    #pragma unroll
    for (int c = 0; c < TN; ++c) {{
        const int row = first_row + thread_row + r * (BM / TM);
        const int col = first_col + thread_col + c * (BN / TN);
        if (row < m && col < n) {{
            {parts.store("row", "col", "sums[r][c]")}
        }}
    }}
}}
"""
