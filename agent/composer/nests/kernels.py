"""Writes one kernel of a program of nests: how threads share its points, and what each does at a point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.composer.expressions import Kind, Value
from agent.composer.kernel_text import indent
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.at_points import PointWriter
from agent.composer.nests.collectives import (
    counting,
    looking_back,
    moments,
    scanning,
    selecting,
    sliding,
    solving,
    sorting,
    windows,
)
from agent.composer.nests.collectives.scanning import scanned
from agent.composer.nests.collectives.tiling.kernels import TiledKernel, TiledWriter
from agent.composer.nests.collectives.tiling.products import Product, product_of
from agent.composer.nests.collectives.turning import TurnWriter
from agent.composer.nests.neighbours import width_macro
from agent.composer.nests.options import (
    NestOptions,
    counts_by,
    covers,
    is_coarse,
    is_packed,
    is_tiled,
    lanes,
    last_block,
    looks_back,
    slides,
    tile_choices,
    tile_ending,
)
from agent.composer.nests.packing import Packing, groups
from agent.composer.nests.points import At
from agent.composer.nests.program import Nest, NestProgram
from agent.composer.nests.sizes import Axis, Size, combinations
from agent.composer.nests.texts import PackedTexts, Texts


@dataclass(frozen=True)
class WrittenKernel:
    """A kernel: its code, how it is launched, and what it needs: dims as macros, directives, device functions."""

    code: str
    launch: str
    macros: frozenset[str]
    defines: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()


class NestWriter:
    """Writes the kernel of one nest."""

    def __init__(self, program: NestProgram, index: int, options: NestOptions) -> None:
        """Take the program, which of its nests to write, and with what."""
        self._tail = last_block(program, index, options)
        self._program = program
        self._index = index
        self._nest = program.nests[index]
        self._options = options
        self._lanes = lanes(program, index, options)
        scalars = frozenset(one.name for one in program.task.arguments if one.is_scalar)
        self._texts = Texts(
            program.types, program.dtypes, program.shapes, scalars, constant=options.constant_dimensions
        )
        self._coarse = is_coarse(program, index, options)
        self._packing = is_packed(program, index, options)
        suffix = f"_{index + 1}" if len(program.nests) > 1 else ""
        self._name, self._width = f"nest{suffix}", f"WIDTH{suffix}"
        self._at = PointWriter(program, self._nest, self._texts, self._lanes, options, self._name)
        self._at.coarse = self._coarse
        self._at.many = "COARSE" if self._coarse else ""

    def write(self) -> WrittenKernel:
        """Write the kernel and its launch."""
        found = self._collective(self._nest.stages[0])
        if found is not None:
            return found
        if self._packing is not None:
            return self._packed(self._packing)
        return self._by_points()

    def _collective(self, stage: FilledBuffer) -> WrittenKernel | None:
        """Write a kernel of a form of its own; None where threads, warps or blocks take points."""
        nest, texts, options = self._nest, self._texts, self._options
        if nest.turns is not None:
            return self._turn_by_turn()
        if sums := moments.moments_of(nest):
            return self._moments(sums)
        if back := looks_back(self._program, stage, options):
            self._at.written.append(stage.name)
            body = back.named(looking_back.body(back, texts, self._at.decoded))
            made = self._finished(body, back.grid, defines=back.directives())
            return replace(made, code=back.variables() + made.code)
        if scanned(stage):
            self._at.written.append(stage.name)
            body = self._head("blockIdx.x", "", "1", nest.points, scanning.body(stage, texts))
            return self._finished(body, self._grid(nest.points, "1"))
        if order := sorting.order_of(stage):
            return self._ordered(order)
        if count := counting.counted(stage):
            return self._histogram(stage, count)
        if equations := solving.solved(stage):
            stored = self._at.stored(stage, Value("{}", Kind.REAL))
            self._at.written.append(solving.system(stage))
            body = solving.body(stage, equations, texts, lambda text: stored.replace("{}", text))
            return self._finished(body, "1", defines=solving.directives(stage))
        if is_tiled(nest, options) and (found := product_of(nest)):
            return self._tiled(stage, found)
        if covered := covers(nest, options):
            body = windows.body(covered, texts, self._at.decoded, self._at.stored)
            itemsize = 8 if texts.types.real == "double" else 4
            threads = covered.named(windows.THREADS)
            return self._finished(body, covered.grid, defines=covered.directives(itemsize), threads=threads)
        if overlapping := slides(self._program, self._index, options):
            points = sliding.grid(overlapping)
            body = sliding.body(overlapping, texts, self._at.decoded, self._at.stored)
            text = self._head("blockIdx.x * BLOCK + threadIdx.x", "", "BLOCK", points, "", body)
            return self._finished(text, self._grid(points, "BLOCK"))
        return None

    def _moments(self, sums: moments.Moments) -> WrittenKernel:
        self._at.written += [sums.parts, *([solving.system(sums.solved)] if sums.solved else [])]
        body = moments.body(sums, self._texts, self._at.stored)
        solved = solving.directives(sums.solved) if sums.solved else ()
        grid = sums.named("PARTS")
        made = self._finished(
            body, grid, defines=(*sums.directives(self._program.dtypes[sums.parts]), *solved)
        )
        return replace(made, code=moments.counter(sums) + made.code)

    def _turn_by_turn(self) -> WrittenKernel:
        at = self._at
        writer = TurnWriter(self._nest.stages, self._texts, at.decoded, at.computed, at.stored)
        points = writer.points
        if points == Size.of(1):
            return self._finished(writer.body(), "1")
        guard = f"if (point >= {self._texts.size(points)}) {{\n    return;\n}}\n"
        head = "const int point = blockIdx.x * BLOCK + threadIdx.x;\n"
        return self._finished(f"{head}{guard}{writer.body()}", f"ceil_div({points.expression()}, BLOCK)")

    def _ordered(self, order: sorting.ElementOrder) -> WrittenKernel:
        self._at.written.append(order.runs)
        writer = sorting if order.is_whole else selecting
        body = writer.body(order, self._texts, self._at.decoded, self._at.stored)
        made = self._finished(body, writer.grid(order), defines=writer.directives(order, self._program.types))
        if order.is_whole:
            return replace(made, launch=made.launch.replace("launch ", "launch cooperative ", 1))
        return replace(made, code=selecting.counter(order) + made.code)

    def _tiled(self, stage: FilledBuffer, product: Product) -> WrittenKernel:
        self._at.written.append(stage.name)
        target = At(stage.name, self._at.own(stage), stage.kind)
        made = TiledWriter(
            self._name, stage, product, tile_choices(self._program, product, self._options), self._texts,
            self._at.decoded, lambda value: self._at.stored(stage, value), target,
            tile_ending(self._program, self._index),
        ).written()  # fmt: skip
        return self._finished(made.body, made.grid, made.directives, tiled=made)

    def _histogram(self, stage: FilledBuffer, count: counting.Count) -> WrittenKernel:
        style = counts_by(self._program, count, self._options)
        body = counting.body(stage, count, self._texts, self._at.decoded, style)
        self._at.written.append(stage.name)
        width = (
            (width_macro(counting.width_name(stage), style.width, style.aligned),) if style.width > 1 else ()
        )
        return self._finished(body, counting.grid(count), counting.directives(stage, style), defines=width)

    def _by_points(self) -> WrittenKernel:
        """Let threads, warps or blocks take points."""
        nest, points = self._nest, self._nest.points
        if self._coarse:
            for axis in nest.axes:
                self._texts.rename(axis, f"{self._texts.axis(axis)}[r]")
        inner = self._at.point()
        match self._lanes:
            case 1 if self._coarse:
                body = self._head(
                    "blockIdx.x * (BLOCK * COARSE) + threadIdx.x", "", "(BLOCK * COARSE)", points, inner
                )
                return self._finished(body, self._grid(points, "(BLOCK * COARSE)"))
            case 1:
                body = self._head("blockIdx.x * BLOCK + threadIdx.x", "", "BLOCK", points, inner)
            case 32:
                first = "blockIdx.x * (BLOCK / 32) + threadIdx.x / 32"
                body = self._head(
                    first, "const int lane = threadIdx.x % 32;\n", "(BLOCK / 32)", points, inner
                )
            case _:
                body = self._head("blockIdx.x", "const int lane = threadIdx.x;\n", "1", points, inner)
        return self._finished(
            body, self._grid(points, {1: "BLOCK", 32: "(BLOCK // 32)"}.get(self._lanes, "1"))
        )

    def _packed(self, pack: Packing) -> WrittenKernel:
        """Let a thread take neighbouring points; where the axis may end among them, those one after the other."""
        texts, axis = self._texts, pack.axis
        first, group = texts.axis(axis), Axis(axis.number, groups(pack, self._width))
        axes = (*self._nest.axes[:-1], group)
        texts.rename(group, texts.fresh("group"))
        alone = ""
        if pack.has_tail:
            texts.rename(axis, "tail")
            alone = self._at.point()
            self._at.again()
        self._at.many = self._width
        texts.packed = PackedTexts(axis, first, self._width, pack.width)
        texts.rename(axis, f"({first} + r)")
        body = self._at.point()
        if alone:
            extent = texts.size(axis.extent)
            loop = f"for (int tail = {first}; tail < {extent}; ++tail) {{\n{indent(alone)}}}\n"
            body = (
                f"if ({first} + {self._width} <= {extent}) {{\n{indent(body)}}} else {{\n{indent(loop)}}}\n"
            )
        points, here = combinations(axes), f"const int {first} = {texts.axis(group)} * {self._width};\n"
        start = self._at.decoded("point", axes) + here
        text = self._head("blockIdx.x * BLOCK + threadIdx.x", "", "BLOCK", points, body, start)
        return self._finished(text, self._grid(points, "BLOCK"), defines=(pack.macro(self._width),))

    def _grid(self, points: Size, each: str) -> str:
        count = points.expression()
        blocks = count if each == "1" else f"ceil_div({count}, {each})"
        return f"min({blocks}, GRID)" if self._options.grid_stride_loop else blocks

    def _head(self, first: str, lane: str, each: str, points: Size, inner: str, axes: str = "") -> str:
        """Find this thread's point, or its points in turn, and decode the axes unless that is written already."""
        count = self._texts.size(points)
        if not axes:
            axes = self._points(count) if self._coarse else self._at.decoded("point", self._nest.axes)
        if self._options.grid_stride_loop:
            step = f"gridDim.x * {each}" if each != "1" else "gridDim.x"
            loop = (
                f"for (int point = {first}; point < {count}; point += {step}) {{\n{indent(axes + inner)}}}\n"
            )
            return lane + loop
        if not self._nest.axes and each == "1":
            return lane + inner
        start = f"{lane}const int point = {first};\n"
        if each == "1":
            return f"{start}{axes}{inner}"
        if self._tail is not None:
            return f"{start}if (point < {count}) {{\n{indent(axes + inner)}}}\n"
        return f"{start}if (point >= {count}) {{\n    return;\n}}\n{axes}{inner}"

    def _points(self, count: str) -> str:
        """Decode the axes of all points of this thread; what is beyond the last is the last, and is not stored."""
        names = [self._texts.axis(axis).removesuffix("[r]") for axis in self._nest.axes]
        declared = f"int {', '.join(f'{name}[COARSE]' for name in names)};\n" if names else ""
        decoded = self._at.decoded("one", self._nest.axes).replace("const int ", "")
        return declared + self._at.each(f"const int one = min(point + r * BLOCK, {count} - 1);\n{decoded}")

    def _finished(
        self, body: str, grid: str, before: Sequence[str] = (), tiled: TiledKernel | None = None,
        defines: tuple[str, ...] = (), threads: str = "BLOCK",
    ) -> WrittenKernel:  # fmt: skip
        texts = self._texts
        if self._tail is not None:
            body += self._last_block(self._tail)
        read_only = self._options.read_only_cache or tiled is not None
        declared = [
            texts.declared(name, written=name in self._at.written, read_only=read_only) for name in texts.used
        ]
        declared += [f"const int {name}" for name in texts.dims.values()]
        arguments = ", ".join([*texts.used, *texts.dims])
        bounds, shape, mode = threads, f"{grid}, {threads}", ""
        if tiled is not None:
            bounds, shape, mode = tiled.bounds, f"{grid}, {tiled.threads}, {tiled.shared}", tiled.mode
        head = f'extern "C" __global__ void __launch_bounds__({bounds})\n{self._name}({", ".join(declared)})'
        launch = "\n".join([*before, f"//@ launch {mode}{self._name}<<<{shape}>>>({arguments})"])
        counter = f"__device__ unsigned int {self._name}_done;\n\n" if self._tail is not None else ""
        return WrittenKernel(
            f"{counter}{head} {{\n{indent(body)}}}\n", launch, frozenset(texts.macros),
            (*defines, *self._at.defines), () if tiled is None else tuple(tiled.functions),
        )  # fmt: skip

    def _last_block(self, tail: Nest) -> str:
        """Let the block that ends last do what comes next: it sees what all the others have stored."""
        texts = self._texts
        texts.uncached = {stage.name for stage in self._nest.stages}
        writer = PointWriter(self._program, tail, texts, 0, NestOptions())
        count, axes = texts.size(tail.points), writer.decoded("last_point", tail.axes)
        text = axes + writer.point()
        self._at.written += writer.written
        if tail.axes:
            text = f"for (int last_point = 0; last_point < {count}; ++last_point) {{\n{indent(text)}}}\n"
        return (
            "__shared__ bool is_last;\n__threadfence();\n__syncthreads();\nif (threadIdx.x == 0) {\n"
            f"    is_last = atomicAdd(&{self._name}_done, 1u) == gridDim.x - 1;\n    __threadfence();\n}}\n"
            f"__syncthreads();\nif (is_last) {{\n    const int lane = threadIdx.x;\n{indent(text)}}}\n"
        )
