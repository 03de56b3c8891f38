"""Sums of products by tiles: a block has tiles of both factors in shared memory, a thread sums several results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.composer.expressions import Value
from agent.composer.ir import Binary, Node
from agent.composer.kernel_text import indent
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.points import Fold, axes_of, kind_of, loads, parts
from agent.composer.nests.program import Nest
from agent.composer.nests.sizes import Axis, Size, combinations
from agent.composer.nests.texts import Texts

THREADS = 256
"""Of a block: sixteen along each side of a tile."""


@dataclass(frozen=True)
class Product:
    """A sum over `fold` of `left`, which does not know the columns, times `right`, which does not know the rows."""

    fold: Fold
    left: Node
    right: Node
    rows: Axis
    columns: Axis
    batch: tuple[Axis, ...]


def product_of(nest: Nest) -> Product | None:
    """The product that a nest sums; None where it does something else."""
    if (
        len(nest.stages) != 1
        or nest.extra(nest.stages[0])
        or len(nest.axes) < 2
        or nest.stages[0].is_scattered
    ):
        return None
    folds = [part for part in parts(nest.stages[0].value) if isinstance(part, Fold)]
    match folds:
        case [Fold(op="sum", body=Binary(op="*", left=one, right=other)) as fold]:
            columns = nest.axes[-1]
            left, right = (other, one) if columns in axes_of(one) else (one, other)
            rows = [axis for axis in nest.axes[:-1] if axis not in axes_of(right) and axis in axes_of(left)]
            if not rows or columns in axes_of(left) or columns not in axes_of(right):
                return None
            batch = tuple(axis for axis in nest.axes if axis not in (rows[-1], columns))
            return Product(fold, left, right, rows[-1], columns, batch)
        case _:
            return None


def grid(found: Product) -> str:
    """Blocks for columns, rows and the axes that both factors know."""
    columns, rows = (f"ceil_div({axis.extent.expression()}, TILE)" for axis in (found.columns, found.rows))
    batch = combinations(found.batch).expression()
    return f"({columns}, {rows}, {batch})"


def body(
    stage: FilledBuffer, found: Product, texts: Texts, decoded: Callable[[str, tuple[Axis, ...]], str],
    stored: Callable[[Value], str],
) -> str:  # fmt: skip
    """Write the kernel's body.

    Args:
        stage: What it fills.
        found: The product.
        texts: Names of the kernel.
        decoded: Takes a flat index apart.
        stored: Writes the statement that stores the stage's element.
    """
    kind = kind_of(found.fold)
    ctype = texts.types.name(kind)
    axes = found.fold.axes
    depth = texts.size(combinations(axes))
    tiles = _tile("left", found.left, found.rows, axes, texts, decoded) + _tile(
        "right", found.right, found.columns, axes, texts, decoded
    )
    summed = (
        "#pragma unroll\nfor (int k = 0; k < 16; ++k) {\n"
        "    #pragma unroll\n    for (int i = 0; i < TILE / 16; ++i) {\n"
        "        #pragma unroll\n        for (int j = 0; j < TILE / 16; ++j) {\n"
        "            sums[i][j] += left_tile[k][row + 16 * i] * right_tile[k][col + 16 * j];\n        }\n    }\n}\n"
    )
    step = f"{tiles}__syncthreads();\n{summed}__syncthreads();\n"
    loop = f"for (int k0 = 0; k0 < {depth}; k0 += 16) {{\n{indent(step)}}}\n"
    texts.known[found.fold] = Value("sums[i][j]", kind)
    rows, columns = texts.axis(found.rows), texts.axis(found.columns)
    lines = texts.lines(stage.value)
    epilogue = "".join(f"{line}\n" for line in lines.lines) + stored(lines.values[0])
    inside = (
        f"const int {rows} = blockIdx.y * TILE + row + 16 * i;\n"
        f"const int {columns} = blockIdx.x * TILE + col + 16 * j;\n"
        f"if ({rows} < {texts.size(found.rows.extent)} && {columns} < {texts.size(found.columns.extent)}) {{\n"
        f"{indent(epilogue)}}}\n"
    )
    last = (
        "#pragma unroll\nfor (int i = 0; i < TILE / 16; ++i) {\n    #pragma unroll\n"
        f"    for (int j = 0; j < TILE / 16; ++j) {{\n{indent(indent(inside))}    }}\n}}\n"
    )
    return (
        f"__shared__ {ctype} left_tile[16][TILE + 1];\n__shared__ {ctype} right_tile[16][TILE + 1];\n"
        f"const int row = threadIdx.x / 16;\nconst int col = threadIdx.x % 16;\n"
        f"{decoded('blockIdx.z', found.batch)}{ctype} sums[TILE / 16][TILE / 16] = {{}};\n{loop}{last}"
    )


def _tile(
    side: str, value: Node, along: Axis, axes: tuple[Axis, ...], texts: Texts,
    decoded: Callable[[str, tuple[Axis, ...]], str],
) -> str:  # fmt: skip
    """Bring a tile of one factor into shared memory; threads next to each other read what lies next to each other."""
    extent, depth = texts.size(along.extent), texts.size(combinations(axes))
    deep = _walks(value, axes[-1]) and not _walks(value, along)
    split = "e % 16, from = e / 16" if deep else "e / TILE, from = e % TILE"
    name, block = texts.axis(along), "blockIdx.y" if side == "left" else "blockIdx.x"
    lines = texts.lines(value)
    kind = kind_of(value)
    load = (
        "".join(f"{line}\n" for line in lines.lines) + f"value = {texts.cast(lines.values[0], kind).text};\n"
    )
    ctype = texts.types.name(kind)
    inside = (
        f"const int {name} = {block} * TILE + from;\nconst int flat = k0 + k;\n{ctype} value = 0;\n"
        f"if ({name} < {extent} && flat < {depth}) {{\n{indent(decoded('flat', axes) + load)}}}\n"
        f"{side}_tile[k][from] = value;\n"
    )
    loop = f"for (int e = threadIdx.x; e < 16 * TILE; e += {THREADS}) {{\n"
    return f"{loop}    const int k = {split};\n{indent(inside)}}}\n"


def _walks(value: Node, axis: Axis) -> bool:
    """Whether an axis steps through neighbours in memory."""
    return any(
        isinstance(at.indices[-1], Size) and axis in at.indices[-1].atoms for at in loads(value) if at.indices
    )
