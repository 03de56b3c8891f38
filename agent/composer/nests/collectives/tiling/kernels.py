"""Kernels for sums of products: tiles of both factors, step by step, and a pass over the results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from agent.composer.expressions import Value, Writer
from agent.composer.kernel_text import SIZED_PACK, indent, with_declared
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.collectives.tiling.filling import ASYNC_COPY, Decoded, Filler
from agent.composer.nests.collectives.tiling.geometry import TileLayout, ended, layout, result_bytes
from agent.composer.nests.collectives.tiling.multiplying import Converted, Multiplier
from agent.composer.nests.collectives.tiling.packing import width
from agent.composer.nests.collectives.tiling.products import Factor, Product
from agent.composer.nests.collectives.tiling.splitting import CLUSTER, Splitting
from agent.composer.nests.collectives.tiling.tensor import TensorMultiplier
from agent.composer.nests.points import At, kind_of
from agent.composer.nests.sizes import Axis, combinations
from agent.composer.nests.texts import Texts


@dataclass(frozen=True)
class TileChoices:
    """How a product is written.

    Attributes:
        tensor: By tensor cores.
        side: Results along each side of a thread's block, 4 or 8; by tensor cores, an eighth of a warp's rows.
        vectors: Packs move where they can.
        pipeline: How the next tiles come: `` (after the present ones), `ahead` in registers, or `async`.
        bounded: A thread has 128 registers at most.
        constant: Dims are constants of the code.
        clustered: The blocks of a cluster share what is summed.
    """

    tensor: bool
    side: int
    vectors: bool
    pipeline: str
    bounded: bool
    constant: bool
    clustered: bool


@dataclass(frozen=True)
class TiledKernel:
    """The parts of a kernel that sums products.

    Attributes:
        grid: Blocks.
        threads: Threads of a block.
        bounds: What `__launch_bounds__` is told.
        shared: Bytes of dynamic shared memory.
        mode: What the launch says before the kernel's name.
        directives: Defines that it goes by.
        functions: Device functions that it calls.
    """

    body: str
    grid: str
    threads: str
    bounds: str
    shared: str
    mode: str
    directives: list[str]
    functions: list[str]


@dataclass(frozen=True)
class TiledWriter:
    """Writes the kernel of one product.

    Attributes:
        name: Of the kernel; its defines end with it.
        decoded: Takes a flat index over some axes apart.
        stored: Writes the statement that stores the stage's element.
        target: The buffer that the stage fills, and where its element goes in there.
        ending: Of the names of its tiles' defines.
    """

    name: str
    stage: FilledBuffer
    product: Product
    choices: TileChoices
    texts: Texts
    decoded: Decoded
    stored: Callable[[Value], str]
    target: At
    ending: str

    def written(self) -> TiledKernel:
        """Write it."""

        def named(text: str) -> str:
            return ended(text, self.ending)

        body = f"{self._head()}{self._multiplier.declared()}{self._loop()}{self._results()}"
        fillers = [self._left, self._right]
        macros = [f"//@ define {one.macro} = {one.packed}" for one in fillers if one.packed]
        macros += [f"//@ define {self._out} = {self._packed_out}"] if self._packed_out else []
        macros += [named(self._splitting.directive(self._count))] if self._splitting else []
        functions = [SIZED_PACK, *([ASYNC_COPY] if self.choices.pipeline == "async" else [])]
        functions += [CLUSTER] if self._splitting else []
        functions += self._multiplier.functions if isinstance(self._multiplier, TensorMultiplier) else []
        stages = f"GROUPS * STAGES * ({self._left.tile.bytes} + {self._right.tile.bytes})"
        threads, shared = (
            "LANES * GROUPS",
            f"max({stages}, {result_bytes(self._ctype, self._multiplier.pitch)})",
        )
        bounds = f"{threads}, (512 + {threads} - 1) / ({threads})" if self.choices.bounded else threads

        return TiledKernel(
            named(body), named(self._grid), named(threads), named(bounds), named(shared),
            self._splitting.mode if self._splitting else "", macros, functions,
        )  # fmt: skip

    @cached_property
    def _splitting(self) -> Splitting | None:
        return Splitting(f"splits_{self.name}".upper()) if self.choices.clustered else None

    @property
    def _parts(self) -> str:
        return self._splitting.parts if self._splitting else "GROUPS"

    @property
    def _ctype(self) -> str:
        return self.texts.types.name(kind_of(self.product.fold))

    @cached_property
    def _left(self) -> Filler:
        return self._filler(self.product.left)

    @cached_property
    def _right(self) -> Filler:
        return self._filler(self.product.right)

    def _filler(self, factor: Factor) -> Filler:
        at = factor.element
        dtype = None if at is None else self.texts.dtypes[at.buffer]
        tile = layout(factor, dtype, self.texts.types, "BK")
        macro = f"{factor.side}_width_{self.name}".upper()
        return Filler(
            tile, self.texts, self.decoded, macro, self.choices.vectors, self.choices.constant, self._parts
        )

    @cached_property
    def _multiplier(self) -> Multiplier | TensorMultiplier:
        left, right = self._left.tile, self._right.tile
        if self.choices.tensor:
            return TensorMultiplier(left, right, self.choices.side // 2)
        return Multiplier(
            left, right, self.choices.side, self._ctype, self._converted(left), self._converted(right)
        )

    def _converted(self, tile: TileLayout) -> Converted:
        kind, at = kind_of(self.product.fold), tile.factor.element
        writer = Writer(self.texts.types, {})

        def value(text: str) -> str:
            given = (
                Value(text, kind_of(tile.factor.value))
                if at is None
                else writer.loaded(text, self.texts.dtypes[at.buffer])
            )
            return writer.cast(given, kind).text

        return value

    @property
    def _tiles(self) -> tuple[str, str]:
        """How many tiles lie side by side, and one above the other, as expressions of kernel files."""
        columns, rows = (
            combinations(factor.outer).expression() for factor in (self.product.right, self.product.left)
        )
        return f"ceil_div({columns}, BN)", f"ceil_div({rows}, BM)"

    @property
    def _grid(self) -> str:
        across, down = self._tiles
        tiles = self._count if self.product.batch else f"({across}, {down})"
        return self._splitting.grid(tiles) if self._splitting else tiles

    @property
    def _count(self) -> str:
        """How many tiles the result has, as an expression of kernel files."""
        across, down = self._tiles
        return f"{across} * {down} * ({combinations(self.product.batch).expression()})"

    def _head(self) -> str:
        left, right = self._left.tile, self._right.tile
        return (
            "extern __shared__ __align__(16) unsigned char shared[];\n"
            f"const int group = threadIdx.x / LANES;\nconst int item = threadIdx.x % LANES;\n"
            f"const int warp = item / 32;\nconst int lane = threadIdx.x % 32;\n{self._placed()}"
            f"unsigned char* const own = shared + group * (STAGES * ({left.bytes} + {right.bytes}));\n"
        )

    def _placed(self) -> str:
        """Where the block's results begin."""
        if not self.product.batch:
            return "const int first_row = blockIdx.y * BM;\nconst int first_col = blockIdx.x * BN;\n"
        columns, rows = (
            self.texts.size(combinations(factor.outer)) for factor in (self.product.right, self.product.left)
        )
        return (
            f"const int tiles_across = ({columns} + BN - 1) / BN;\n"
            f"const int tiles = tiles_across * (({rows} + BM - 1) / BM);\n"
            "const int batch = blockIdx.x / tiles;\n"
            "const int first_row = blockIdx.x % tiles / tiles_across * BM;\n"
            "const int first_col = blockIdx.x % tiles % tiles_across * BN;\n"
            f"{self.decoded('batch', self.product.batch)}"
        )

    def _loop(self) -> str:
        """Go along what is summed, tile by tile."""
        depth = self.texts.size(combinations(self.product.left.depth))
        parts = self._parts
        own = self._splitting.part if self._splitting else "group"
        steps = f"const int steps = ({depth} + BK * {parts} - 1) / (BK * {parts});\n"
        k0 = f"const int k0 = (step * {parts} + {own}) * BK;\n"
        both = [self._left, self._right]
        multiply, turn = self._multiplier.step(), "for (int step = 0; step < steps; ++step) {\n"
        match self.choices.pipeline:
            case "async":
                return steps + self._asynchronous(k0, multiply)
            case "ahead":
                fetch = "".join(one.ahead() for one in both)
                registers = "".join(one.declared() for one in both)
                ahead = f"auto fetch = [&](const int step) {{\n{indent(k0 + fetch)}}};\nfetch(0);\n"
                store = "".join(one.stored() for one in both)
                following = "if (step + 1 < steps) {\n    fetch(step + 1);\n}\n"
                inner = f"{store}__syncthreads();\n{following}{multiply}__syncthreads();\n"
                return f"{steps}{self._pointers('own')}{registers}{ahead}{turn}{indent(inner)}}}\n"
            case _:
                fill = "".join(one.direct() for one in both)
                inner = f"{k0}{fill}__syncthreads();\n{multiply}__syncthreads();\n"
                return f"{steps}{self._pointers('own')}{turn}{indent(inner)}}}\n"

    def _pointers(self, base: str) -> str:
        left, right = self._left.tile, self._right.tile
        return (
            f"{left.ctype}* const left_tile = reinterpret_cast<{left.ctype}*>({base});\n"
            f"{right.ctype}* const right_tile = reinterpret_cast<{right.ctype}*>({base} + {left.bytes});\n"
        )

    def _asynchronous(self, k0: str, multiply: str) -> str:
        left, right = self._left.tile, self._right.tile
        filled = f"own + stage * ({left.bytes} + {right.bytes})"
        fetch = self._pointers(filled) + k0 + self._left.asynchronous() + self._right.asynchronous()
        commit = 'asm volatile("cp.async.commit_group;" ::: "memory");\n'
        inner = (
            'asm volatile("cp.async.wait_group %0;" :: "n"(STAGES - 2) : "memory");\n__syncthreads();\n'
            f"if (step + STAGES - 1 < steps) {{\n    fetch(step + STAGES - 1, coming);\n}}\n{commit}"
            f"{self._pointers(filled)}{multiply}"
            "stage = stage + 1 == STAGES ? 0 : stage + 1;\ncoming = coming + 1 == STAGES ? 0 : coming + 1;\n"
        )
        first = f"if (s < steps) {{\n    fetch(s, s);\n}}\n{commit}"
        return (
            f"auto fetch = [&](const int step, const int stage) {{\n{indent(fetch)}}};\n"
            f"#pragma unroll\nfor (int s = 0; s < STAGES - 1; ++s) {{\n{indent(first)}}}\n"
            "int stage = 0;\nint coming = STAGES - 1;\n"
            f"for (int step = 0; step < steps; ++step) {{\n{indent(inner)}}}\n"
            'asm volatile("cp.async.wait_group 0;" ::: "memory");\n__syncthreads();\n'
        )

    @property
    def _out(self) -> str:
        return f"out_width_{self.name}".upper()

    @cached_property
    def _packed_out(self) -> str | None:
        """How many results are stored at a time, as an expression of kernel files; None where always one is."""
        at, run = self.target, self.product.right.outer[-1]
        if not self.choices.vectors:
            return None
        return width(at.buffer, at.indices, run, self.texts.shapes, self.texts.dtypes[at.buffer])

    def _results(self) -> str:
        """Sum up the groups in shared memory, and store what follows from the sums, neighbours side by side."""
        handed = f"if (group == g) {{\n{indent(self._multiplier.handed_over())}}}\n__syncthreads();\n"
        split, many = self._splitting, self._out if self._packed_out else "1"
        each = f"(BN / {many})" if self._packed_out else "BN"
        across = f"e % {each} * {many}" if self._packed_out else f"e % {each}"
        left, right = self.product.left, self.product.right
        rows, columns = (self.texts.size(combinations(factor.outer)) for factor in (left, right))
        inside = f"across < {rows} && along < {columns}"
        kept = with_declared(self.decoded("across", left.outer), self._kept(right.outer))
        row = f"e / {each} + {split.first_row}" if split else f"e / {each}"
        at = (
            f"const int to_row = {row};\nconst int to_col = {across};\n"
            "const int across = first_row + to_row;\nconst int along = first_col + to_col;\n"
            f"if ({inside}) {{\n{indent(self._sum(many) + kept)}}}\n"
        )
        return (
            f"{self._ctype}* const results = reinterpret_cast<{self._ctype}*>(shared);\n"
            f"#pragma unroll\nfor (int g = 0; g < GROUPS; ++g) {{\n{indent(handed)}}}\n"
            f"{split.gathered(self._ctype) if split else ''}"
            f"for (int e = threadIdx.x; e < {split.rows if split else 'BM'} * {each}; e += LANES * GROUPS) "
            f"{{\n{indent(at)}}}\n{split.left() if split else ''}"
        )

    def _sum(self, many: str) -> str:
        """Read one pack of results."""
        pack, place = f"Pack<{self._ctype}, {many}>", f"to_row * {self._multiplier.pitch} + to_col"
        if self._splitting:
            return self._splitting.added(pack, many, place)
        return f"const {pack} sum = *reinterpret_cast<const {pack}*>(results + {place});\n"

    def _kept(self, columns: tuple[Axis, ...]) -> str:
        """Compute and store one pack of results."""
        kind = kind_of(self.product.fold)
        self.texts.known[self.product.fold] = Value(f"sum.lane[{'j' if self._packed_out else '0'}]", kind)
        lines = self.texts.lines(self.stage.value)
        (value,) = lines.values
        before = "".join(f"{line}\n" for line in lines.lines)
        if not self._packed_out:
            return with_declared(self.decoded("along", columns), before + self.stored(value))
        ctype, buffer = self.texts.ctype(self.target.buffer), self.texts.buffer(self.target.buffer)
        pack = f"Pack<{ctype}, {self._out}>"
        one = f"{before}values.lane[j] = {self.texts.stored(self.target.buffer, value)};\n"
        one = with_declared(f"const int place = along + j;\n{self.decoded('place', columns)}", one)
        place = self.texts.place(self.target.buffer, self.target.indices)
        to = f"*reinterpret_cast<{pack}*>({buffer} + ({place})) = values;\n"
        return (
            f"{pack} values;\n#pragma unroll\nfor (int j = 0; j < {self._out}; ++j) {{\n{indent(one)}}}\n"
            f"{with_declared(self.decoded('along', columns), to)}"
        )
