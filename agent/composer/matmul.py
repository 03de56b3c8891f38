"""Kernels for matrix products: a thread for each element, or tiles in shared memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.composer.families import MatrixProduct
from agent.composer.kernel_text import file_text, kernel, launch, tune
from agent.composer.matmul_blocked import blocked
from agent.composer.matmul_parts import ElementAccess, Piece, ProductCode
from agent.composer.options import Options


@dataclass(frozen=True)
class MatmulOptions(Options):
    """Features of matrix products. With `register_blocking` a thread computes a small block of the result."""

    shared_memory_tiling: bool = False
    bank_conflict_padding: bool = False
    register_blocking: bool = False
    vectorized_loads: bool = False
    loop_unrolling: bool = False
    block_size_tuning: bool = False
    read_only_cache: bool = False

    def settled(self) -> MatmulOptions:
        """Vectors feed register blocks, register blocks read shared tiles, padding is of shared tiles."""
        blocks = self.register_blocking or self.vectorized_loads
        tiles = self.shared_memory_tiling or self.bank_conflict_padding or blocks
        return replace(self, register_blocking=blocks, shared_memory_tiling=tiles)


def features(family: MatrixProduct) -> tuple[str, ...]:
    """The features that can change a kernel of this task."""
    return MatmulOptions(*[True] * 7).features


def emit(family: MatrixProduct, options: MatmulOptions) -> str:
    """Write the kernel file."""
    parts = ProductCode(family, read_only=options.read_only_cache)
    if options.register_blocking:
        piece = blocked(
            parts,
            vector=options.vectorized_loads,
            padded=options.bank_conflict_padding,
            unrolled=options.loop_unrolling,
            swept=options.block_size_tuning,
        )
    else:
        piece = _tiled(parts, options) if options.shared_memory_tiling else _plain(parts, options)
    dtypes = [argument.dtype for argument in family.problem.arguments.values()]
    code = [
        *piece.functions,
        parts.function.text,
        kernel("matmul", parts.parameters, piece.body, threads=piece.threads),
    ]
    return file_text(piece.headline, options.features, piece.directives, dtypes, code)


def _plain(parts: ProductCode, options: MatmulOptions) -> Piece:
    directives = [
        tune("BLOCK_X", 32, (16, 32), swept=options.block_size_tuning),
        "//@ define BLOCK_Y = 256 // BLOCK_X",
        *([tune("UNROLL", 4, (2, 4), swept=not options.block_size_tuning)] if options.loop_unrolling else []),
        launch("matmul", f"{parts.grid('BLOCK_X', 'BLOCK_Y')}, (BLOCK_X, BLOCK_Y)", parts.parameters),
    ]
    left, right = parts.left_value(parts.left("row", "i")), parts.right_value(parts.right("i", "col"))
    pragma = "    #pragma unroll UNROLL\n" if options.loop_unrolling else ""
    body = f"""\
const int col = blockIdx.x * BLOCK_X + threadIdx.x;
const int row = blockIdx.y * BLOCK_Y + threadIdx.y;
if (row < m && col < n) {{
    {parts.ctype} total = 0;
{pragma}    for (int i = 0; i < k; ++i) {{
        total += {left} * {right};
    }}
    {parts.store("row", "col", "total")}
}}
"""
    return Piece("A matrix product: a thread for each element.", directives, body, "BLOCK_X * BLOCK_Y")


def _fill(turned: bool, tile: str, element: ElementAccess, row: tuple[str, str], col: tuple[str, str]) -> str:
    """Load one element of a tile; neighbouring threads read neighbours, zeros stand beyond the edges."""
    down, across = ("x", "y") if turned else ("y", "x")
    here_row, here_col = f"{row[0]} + threadIdx.{down}", f"{col[0]} + threadIdx.{across}"
    inside = f"{here_row} < {row[1]} && {here_col} < {col[1]}"
    slot = f"{tile}[threadIdx.{down}][threadIdx.{across}]"
    return f"""\
    if ({inside}) {{
        {slot} = {element(here_row, here_col)};
    }} else {{
        {slot} = 0;
    }}
"""


def _tiled(parts: ProductCode, options: MatmulOptions) -> Piece:
    directives = [
        tune("TILE", 16, (16, 32), swept=options.block_size_tuning),
        launch("matmul", f"{parts.grid('TILE', 'TILE')}, (TILE, TILE)", parts.parameters),
    ]
    padding = " + 1" if options.bank_conflict_padding else ""
    left = parts.left_value("left_tile[threadIdx.y][i]")
    right = parts.right_value("right_tile[i][threadIdx.x]")
    pragma = "    #pragma unroll\n" if options.loop_unrolling else ""
    body = f"""\
__shared__ {parts.left_ctype} left_tile[TILE][TILE{padding}];
__shared__ {parts.right_ctype} right_tile[TILE][TILE{padding}];
const int first_row = blockIdx.y * TILE;
const int first_col = blockIdx.x * TILE;
{parts.ctype} total = 0;
for (int k0 = 0; k0 < k; k0 += TILE) {{
{_fill(parts.left_turned, "left_tile", parts.left, ("first_row", "m"), ("k0", "k"))}\
{_fill(parts.right_turned, "right_tile", parts.right, ("k0", "k"), ("first_col", "n"))}\
    __syncthreads();
{pragma}    for (int i = 0; i < TILE; ++i) {{
        total += {left} * {right};
    }}
    __syncthreads();
}}
const int row = first_row + threadIdx.y;
const int col = first_col + threadIdx.x;
if (row < m && col < n) {{
    {parts.store("row", "col", "total")}
}}
"""
    headline = "A matrix product: tiles of both matrices pass through shared memory."
    return Piece(headline, directives, body, "TILE * TILE")
