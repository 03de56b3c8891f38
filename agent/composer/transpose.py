"""Kernels for transposes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.composer.expressions import storage
from agent.composer.families import Transposition
from agent.composer.functions import FunctionMaker
from agent.composer.ir import Dim, Leaf, Node
from agent.composer.kernel_text import (
    SIZED_PACK,
    KernelParameter,
    buffers,
    extent,
    file_text,
    indent,
    kernel,
    launch,
    tune,
)
from agent.composer.names import Names
from agent.composer.options import Options
from sandbox.dtypes import DTYPE_BYTES


@dataclass(frozen=True)
class TransposeOptions(Options):
    """Features of transposes. With `register_blocking` a thread moves several elements of a tile."""

    shared_memory_tiling: bool = False
    bank_conflict_padding: bool = False
    register_blocking: bool = False
    vectorized_loads: bool = False
    loop_unrolling: bool = False
    block_size_tuning: bool = False
    read_only_cache: bool = False

    def settled(self) -> TransposeOptions:
        """Padding, several elements a thread and vectors are ways of moving a tile."""
        tiled = self.shared_memory_tiling or self.bank_conflict_padding or self.register_blocking
        unrolled = self.loop_unrolling and (self.register_blocking or self.vectorized_loads)
        tiled = tiled or self.vectorized_loads
        blocked = self.register_blocking and not self.vectorized_loads
        return replace(self, shared_memory_tiling=tiled, register_blocking=blocked, loop_unrolling=unrolled)


def features(family: Transposition) -> tuple[str, ...]:
    """The features that can change a kernel of this task."""
    return ("shared_memory_tiling", "bank_conflict_padding", "register_blocking", "vectorized_loads",
            "loop_unrolling", "block_size_tuning", "read_only_cache")  # fmt: skip


def emit(family: Transposition, options: TransposeOptions) -> str:
    """Write the kernel file."""
    return _TransposeEmission(family, options).text()


class _TransposeEmission:
    def __init__(self, family: Transposition, options: TransposeOptions) -> None:
        self._family = family
        self._options = options
        arguments = family.problem.arguments
        names = Names("ik")
        self._source, self._target = arguments[family.source.name], arguments[family.output]
        self._function = FunctionMaker(family.problem).make("compute", family.value, {}, self._target.dtype)
        touched = dict.fromkeys([family.source.name])
        touched |= dict.fromkeys(node.name for node in self._function.inputs if isinstance(node, Leaf))
        touched |= dict.fromkeys([family.output])
        declared = buffers((arguments[name] for name in touched), names, read_only=options.read_only_cache)
        self._x, self._y = declared.names[family.source.name], declared.names[family.output]
        self._values: dict[Node, str] = {}
        sizes: list[KernelParameter] = []
        for node in self._function.inputs:
            if isinstance(node, Dim):
                self._values[node] = names.fresh("extent")
                sizes.append(extent(self._values[node], node.text))
            elif isinstance(node, Leaf) and node != family.source:
                name = declared.names[node.name]
                self._values[node] = name if arguments[node.name].is_scalar else f"{name}[0]"
        self._cols, self._rows = family.space
        sizes += [extent("rows", self._rows), extent("cols", self._cols)]
        self._parameters = (*declared.parameters, *sizes)

    def _call(self, element: str) -> str:
        return self._function.call({**self._values, self._family.source: element})

    def text(self) -> str:
        options = self._options
        if options.vectorized_loads:
            directives, body, threads = self._vector()
            headline = "A transpose: a tile goes through shared memory, packs of neighbours in and out."
        elif options.shared_memory_tiling:
            directives, body, threads = self._tiled()
            headline = (
                "A transpose: a tile goes through shared memory, so that reads and writes run along rows."
            )
        else:
            directives, body, threads = self._plain()
            headline = "A transpose: a thread for each element."
        code = [
            SIZED_PACK if options.vectorized_loads else "",
            self._function.text,
            kernel("transpose", self._parameters, body, threads=threads),
        ]
        dtypes = [argument.dtype for argument in self._family.problem.arguments.values()]
        return file_text(headline, options.features, directives, dtypes, code)

    def _launch(self, tile_x: str, tile_y: str, block: str) -> str:
        grid = f"(ceil_div({self._cols}, {tile_x}), ceil_div({self._rows}, {tile_y}))"
        return launch("transpose", f"{grid}, {block}", self._parameters)

    def _plain(self) -> tuple[list[str], str, str]:
        directives = [
            tune("BLOCK_X", 32, (8, 16, 32), swept=self._options.block_size_tuning),
            "//@ define BLOCK_Y = 256 // BLOCK_X",
            self._launch("BLOCK_X", "BLOCK_Y", "(BLOCK_X, BLOCK_Y)"),
        ]
        element = self._call(f"{self._x}[static_cast<size_t>(row) * cols + col]")
        body = f"""\
const int col = blockIdx.x * BLOCK_X + threadIdx.x;
const int row = blockIdx.y * BLOCK_Y + threadIdx.y;
if (row < rows && col < cols) {{
    {self._y}[static_cast<size_t>(col) * rows + row] = {element};
}}
"""
        return directives, body, "BLOCK_X * BLOCK_Y"

    def _tile(self) -> str:
        padding = " + 1" if self._options.bank_conflict_padding else ""
        ctype = storage(self._source.dtype)
        return f"""\
__shared__ {ctype} tile[TILE][TILE{padding}];
const int first_row = blockIdx.y * TILE;
const int first_col = blockIdx.x * TILE;
"""

    def _tiled(self) -> tuple[list[str], str, str]:
        options = self._options
        several = options.register_blocking
        directives = [
            tune("TILE", 32, (16, 32), swept=options.block_size_tuning),
            tune("TILE_ROWS", 8, (4, 8)) if several else "//@ define TILE_ROWS = TILE",
            self._launch("TILE", "TILE", "(TILE, TILE_ROWS)"),
        ]
        read = f"tile[k][threadIdx.x] = {self._x}[static_cast<size_t>(row) * cols + col];"
        element = self._call("tile[threadIdx.x][k]")
        write = f"{self._y}[static_cast<size_t>(col) * rows + row] = {element};"
        inward = "const int row = first_row + k;\nconst int col = first_col + threadIdx.x;\n"
        outward = "const int row = first_row + threadIdx.x;\nconst int col = first_col + k;\n"
        body = self._tile() + self._over_tile(inward, read)
        body += "__syncthreads();\n" + self._over_tile(outward, write)
        return directives, body, "TILE * TILE_ROWS"

    def _over_tile(self, place: str, statement: str) -> str:
        guarded = f"{place}if (row < rows && col < cols) {{\n    {statement}\n}}\n"
        if not self._options.register_blocking:
            return f"{{\n    const int k = threadIdx.y;\n{indent(guarded)}}}\n"
        pragma = "#pragma unroll\n" if self._options.loop_unrolling else ""
        return f"{pragma}for (int k = threadIdx.y; k < TILE; k += TILE_ROWS) {{\n{indent(guarded)}}}\n"

    def _vector(self) -> tuple[list[str], str, str]:
        source, target = storage(self._source.dtype), storage(self._target.dtype)
        wide_in = min(16 // DTYPE_BYTES[self._source.dtype], 8)
        wide_out = min(16 // DTYPE_BYTES[self._target.dtype], 8)
        cols, rows = _operand(self._cols), _operand(self._rows)
        directives = [
            tune(
                "TILE",
                32,
                (32, 64) if DTYPE_BYTES[self._source.dtype] <= 4 else (16, 32),
                swept=self._options.block_size_tuning,
            ),
            tune("BLOCK", 256, (128, 256), swept=self._options.block_size_tuning),
            f"//@ define READ_WIDTH = {wide_in} if {cols} % {wide_in} == 0 else 1",
            f"//@ define WRITE_WIDTH = {wide_out} if {rows} % {wide_out} == 0 else 1",
            self._launch("TILE", "TILE", "BLOCK"),
        ]
        pragma = "#pragma unroll\n" if self._options.loop_unrolling else ""
        element = self._call("tile[minor + k][major]")
        body = f"""\
{self._tile()}{pragma}for (int i = threadIdx.x; i < TILE * TILE / READ_WIDTH; i += BLOCK) {{
    const int major = i / (TILE / READ_WIDTH);
    const int minor = i % (TILE / READ_WIDTH) * READ_WIDTH;
    const int row = first_row + major;
    const int col = first_col + minor;
    if (row < rows && col < cols) {{
        const {source}* from = {self._x} + static_cast<size_t>(row) * cols + col;
        const Pack<{source}, READ_WIDTH> value = *reinterpret_cast<const Pack<{source}, READ_WIDTH>*>(from);
        #pragma unroll
        for (int k = 0; k < READ_WIDTH; ++k) {{
            tile[major][minor + k] = value.lane[k];
        }}
    }}
}}
__syncthreads();
{pragma}for (int i = threadIdx.x; i < TILE * TILE / WRITE_WIDTH; i += BLOCK) {{
    const int major = i / (TILE / WRITE_WIDTH);
    const int minor = i % (TILE / WRITE_WIDTH) * WRITE_WIDTH;
    const int col = first_col + major;
    const int row = first_row + minor;
    if (row < rows && col < cols) {{
        Pack<{target}, WRITE_WIDTH> value;
        #pragma unroll
        for (int k = 0; k < WRITE_WIDTH; ++k) {{
            value.lane[k] = {element};
        }}
        {target}* to = {self._y} + static_cast<size_t>(col) * rows + row;
        *reinterpret_cast<Pack<{target}, WRITE_WIDTH>*>(to) = value;
    }}
}}
"""
        return directives, body, "BLOCK"


def _operand(expression: str) -> str:
    return expression if expression.isidentifier() or expression.isdigit() else f"({expression})"
