"""Small systems of linear equations: one block eliminates, with the largest pivot of each column.

Of up to 16 unknowns a warp has an equation a lane, in registers, and takes pivots from where they stand.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.composer.expressions import Kind
from agent.composer.ir import Node
from agent.composer.kernel_text import indent
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.points import At
from agent.composer.nests.texts import Texts
from agent.composer.value import value

_LANES = 16
"""Unknowns up to which a warp has all equations in registers."""

_SHARED = 4096
"""Elements of a system that shared memory holds."""


@value
class Solved(Node):
    """An unknown of the equations `matrix` times unknowns equals `right`; both are whole buffers."""

    matrix: At
    right: At

    @property
    def children(self) -> tuple[Node, ...]:
        """What is read, for who asks which buffers those are."""
        return (self.matrix, self.right)


def solved(stage: FilledBuffer) -> Solved | None:
    """The equations that a stage solves; None for any other stage."""
    return stage.value if isinstance(stage.value, Solved) else None


def system(stage: FilledBuffer) -> str:
    """Name of the buffer in which the equations are eliminated."""
    return f"{stage.name}_system"


def scratch(stage: FilledBuffer, dtype: str) -> str:
    """The directive that declares it."""
    extent = stage.axes[0].extent
    return f"//@ scratch {system(stage)}: {dtype}[{(extent * (extent + 1)).expression()}]"


def directives(stage: FilledBuffer) -> tuple[str, ...]:
    """How large the system is: shared memory holds a small one."""
    extent = stage.axes[0].extent
    return (
        f"//@ define {_count(stage)} = {extent.expression()}",
        f"//@ define {_size(stage)} = {(extent * (extent + 1)).expression()}",
    )


def _count(stage: FilledBuffer) -> str:
    return f"{system(stage).upper()}_COUNT"


def _size(stage: FilledBuffer) -> str:
    return f"{system(stage).upper()}_SIZE"


def body(stage: FilledBuffer, found: Solved, texts: Texts, stored: Callable[[str], str]) -> str:
    """Write the kernel's body; `stored` writes the statement that stores an unknown."""
    few = f"#if {_count(stage)} <= {_LANES}\n{_by_warp(stage, found, texts, stored)}#else\n"
    return f"{few}{_by_block(stage, found, texts, stored)}#endif\n"


def _by_warp(stage: FilledBuffer, found: Solved, texts: Texts, stored: Callable[[str], str]) -> str:
    ctype, absolute = texts.types.name(Kind.REAL), texts.types.function("fabs")
    largest, least = texts.types.function("fmax"), texts.types.function("fmin")
    matrix, right = texts.buffer(found.matrix.buffer), texts.buffer(found.right.buffer)
    unknown, count = texts.axis(stage.axes[0]), _count(stage)
    pivot = (
        f"const {ctype} size = {unknown} < 0 && row < {count} ? {least}({absolute}(equation[p]), INFINITY) : -1;\n"
        f"{ctype} best = size;\n"
        "#pragma unroll\nfor (int offset = 16; offset > 0; offset /= 2) {\n"
        f"    best = {largest}(best, __shfl_xor_sync(0xffffffff, best, offset));\n}}\n"
        "const int from = __ffs(__ballot_sync(0xffffffff, size == best)) - 1;\n"
        f"{unknown} = row == from ? p : {unknown};\n"
        f"const {ctype} divisor = __shfl_sync(0xffffffff, equation[p], from);\n"
        f"const {ctype} factor = row == from ? 0 : equation[p] / divisor;\n"
    )
    eliminate = (
        f"#pragma unroll\nfor (int col = p + 1; col <= {count}; ++col) {{\n"
        "    equation[col] -= factor * __shfl_sync(0xffffffff, equation[col], from);\n}\n"
    )
    last = (
        f"{ctype} divisor = 1;\n#pragma unroll\nfor (int p = 0; p < {count}; ++p) {{\n"
        f"    divisor = {unknown} == p ? equation[p] : divisor;\n}}\n"
        f"if ({unknown} >= 0) {{\n{indent(stored(f'equation[{count}] / divisor'))}}}\n"
    )
    load = f"col < {count} ? {matrix}[row * {count} + col] : {right}[row]"
    inside = (
        f"const int row = threadIdx.x;\nint {unknown} = -1;\n{ctype} equation[{count} + 1];\n"
        f"#pragma unroll\nfor (int col = 0; col <= {count}; ++col) {{\n"
        f"    equation[col] = row < {count} ? {load} : 0;\n}}\n"
        f"#pragma unroll\nfor (int p = 0; p < {count}; ++p) {{\n{indent(pivot + eliminate)}}}\n{last}"
    )
    return f"if (threadIdx.x < 32) {{\n{indent(inside)}}}\n"


def _by_block(stage: FilledBuffer, found: Solved, texts: Texts, stored: Callable[[str], str]) -> str:
    ctype, absolute = texts.types.name(Kind.REAL), texts.types.function("fabs")
    count, unknown = texts.size(stage.axes[0].extent), texts.axis(stage.axes[0])
    matrix, right = texts.buffer(found.matrix.buffer), texts.buffer(found.right.buffer)
    scratched, rows = texts.buffer(system(stage)), "equations"
    load = (
        f"const int row = e / wide, col = e % wide;\n"
        f"{rows}[e] = col < count ? {matrix}[row * count + col] : {right}[row];\n"
    )
    search = (
        f"int best = p;\nfor (int row = p + 1; row < count; ++row) {{\n"
        f"    if ({absolute}({rows}[row * wide + p]) > {absolute}({rows}[best * wide + p])) {{\n"
        "        best = row;\n    }\n}\n"
        "pivot = best;\n"
    )
    swap = (
        f"const {ctype} value = {rows}[p * wide + col];\n{rows}[p * wide + col] = {rows}[best * wide + col];\n"
        f"{rows}[best * wide + col] = value;\n"
    )
    eliminate = (
        "const int row = e / wide, col = e % wide;\nif (row != p && col > p) {\n"
        f"    {rows}[e] -= {rows}[row * wide + p] / {rows}[p * wide + p] * {rows}[p * wide + col];\n}}\n"
    )
    step = (
        f"if (threadIdx.x == 0) {{\n{indent(search)}}}\n__syncthreads();\nconst int best = pivot;\n"
        "if (best != p) {\n    for (int col = threadIdx.x; col < wide; col += BLOCK) {\n"
        f"{indent(indent(swap))}    }}\n}}\n__syncthreads();\n"
        f"for (int e = threadIdx.x; e < count * wide; e += BLOCK) {{\n{indent(eliminate)}}}\n__syncthreads();\n"
    )
    last = stored(f"{rows}[{unknown} * wide + count] / {rows}[{unknown} * wide + {unknown}]")
    return (
        f"__shared__ int pivot;\n#if {_size(stage)} <= {_SHARED}\n__shared__ {ctype} {rows}[{_size(stage)}];\n"
        f"#else\n{ctype}* {rows} = {scratched};\n#endif\nconst int count = {count}, wide = count + 1;\n"
        f"for (int e = threadIdx.x; e < count * wide; e += BLOCK) {{\n{indent(load)}}}\n__syncthreads();\n"
        f"for (int p = 0; p < count; ++p) {{\n{indent(step)}}}\n"
        f"for (int {unknown} = threadIdx.x; {unknown} < count; {unknown} += BLOCK) {{\n{indent(last)}}}\n"
    )
