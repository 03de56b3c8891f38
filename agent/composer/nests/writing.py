"""Writes the kernel file of a program of nests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.composer.expressions import Kind, Types, Value
from agent.composer.gathering import block_by_shuffles, warp_function
from agent.composer.ir import Node
from agent.composer.kernel_text import accumulate, file_text, identity, indent, tune
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.buffers import dtypes_of, is_local, scratch, types_of
from agent.composer.nests.collectives import counting, scanning, solving
from agent.composer.nests.collectives.scanning import scanned
from agent.composer.nests.collectives.tiling.kernels import TiledKernel, TiledWriter
from agent.composer.nests.collectives.tiling.products import Product, product_of
from agent.composer.nests.collectives.turning import TurnWriter
from agent.composer.nests.options import (
    NestOptions,
    features,
    is_coarse,
    lanes,
    tile_choices,
    tile_ending,
    tile_lines,
)
from agent.composer.nests.points import At, Fold, Index, kind_of, parts
from agent.composer.nests.program import NestProgram
from agent.composer.nests.sizes import Axis, Size, combinations
from agent.composer.nests.texts import FLOORED, Texts, size_macro

__all__ = ["NestOptions", "emit", "features"]


_UNROLLED = 8
_LARGE = 1 << 30


def _each(body: str) -> str:
    """Do something for each of a thread's points."""
    return f"#pragma unroll\nfor (int r = 0; r < COARSE; ++r) {{\n{indent(body)}}}\n"


@dataclass(frozen=True)
class _Written:
    """A kernel: its code, how it is launched, and the dims that are macros in it."""

    code: str
    launch: str
    macros: frozenset[str]
    functions: tuple[str, ...] = ()


def emit(program: NestProgram, options: NestOptions) -> str:
    """Write the kernel file."""
    types = types_of(program)
    dtypes = dtypes_of(program, types)
    written = [
        _NestWriter(program, index, options, types, dtypes).write() for index in range(len(program.nests))
    ]
    code = "\n".join(one.code for one in written)
    helpers = [FLOORED] if "floor_" in code else []
    helpers += _gathering(program, options, types)
    helpers += dict.fromkeys(text.strip("\n") + "\n" for one in written for text in one.functions)
    directives = [
        *(
            [tune("BLOCK", 256, (128, 256, 512), swept=options.block_size_tuning)]
            if any("BLOCK" in one.launch for one in written)
            else []
        ),
        *(
            [tune("UNROLL", 4, (2, 4, 8), swept=not options.block_size_tuning)]
            if options.loop_unrolling
            else []
        ),
        *(
            [tune("GRID", 1056, (528, 1056), swept=not options.block_size_tuning)]
            if options.grid_stride_loop
            else []
        ),
        *(
            f"//@ define {size_macro(dim)} = {dim}"
            for dim in sorted(frozenset[str]().union(*(w.macros for w in written)))
        ),
        *tile_lines(program, options),
        *([tune("COARSE", 4, (2, 4, 8), swept=not options.block_size_tuning)] if "COARSE" in code else []),
        *scratch(program, dtypes),
        *(one.launch for one in written),
    ]
    used = [argument.dtype for argument in program.task.arguments]
    headline = "Nests: loops over what the reference computes, one kernel for what shares its first axes."
    return file_text(headline, options.features, directives, used, [*helpers, code])


def _folds(stage: FilledBuffer) -> list[Fold]:
    """The folds of a stage's value and of where it goes, those that others need first."""
    values = [one for one in (stage.value, *stage.target) if isinstance(one, Node)]
    return [fold for value in values for fold in _folds_of(value)]


def _folds_of(node: Node) -> list[Fold]:
    found: dict[Fold, None] = {}
    for part in parts(node):
        if isinstance(part, Fold):
            found.pop(part, None)
            found[part] = None
    return list(found)[::-1]


def _gathering(program: NestProgram, options: NestOptions, types: Types) -> list[str]:
    texts: dict[str, None] = {}
    for index, nest in enumerate(program.nests):
        many = lanes(program, index, options)
        if options.shared_memory_tiling and product_of(nest):
            continue
        for stage in nest.stages:
            if stage.turns or counting.counted(stage) or solving.solved(stage):
                continue
            if scanned(stage):
                texts |= dict.fromkeys(text.strip("\n") for text in scanning.functions(stage, types))
                continue
            for fold in _folds(stage) if many != 1 else ():
                kind = kind_of(fold)
                if many == 32:
                    made = [warp_function(fold.op, kind, types, f"warp_{fold.op}")]
                else:
                    made = block_by_shuffles(fold.op, kind, types).split("\n\n")
                texts |= dict.fromkeys(text.strip("\n") for text in made)
    return [f"{text}\n" for text in texts]


class _NestWriter:
    def __init__(
        self, program: NestProgram, index: int, options: NestOptions, types: Types, dtypes: dict[str, str]
    ) -> None:
        self._program = program
        self._index = index
        self._nest = program.nests[index]
        self._options = options
        self._types = types
        self._lanes = lanes(program, index, options)
        scalars = frozenset(one.name for one in program.task.arguments if one.is_scalar)
        self._texts = Texts(types, dtypes, program.shapes, scalars, constant=options.constant_dimensions)
        self._coarse = is_coarse(program, index, options)
        self._name = f"nest_{index + 1}" if len(program.nests) > 1 else "nest"
        self._written: list[str] = []
        self._values: dict[int, Value] = {}
        self._declared = ""
        self._in_place = {one.name for one in program.task.arguments if one.role == "inout"}

    def write(self) -> _Written:
        """Write the kernel and its launch."""
        nest = self._nest
        points = nest.points
        if nest.turns is not None:
            return self._turn_by_turn()
        if any(scanned(stage) for stage in nest.stages):
            body = self._head("blockIdx.x", "", "1", points, scanning.body(nest.stages[0], self._texts))
            self._written.append(nest.stages[0].name)
            return self._finished(body, self._grid(points, "1"))
        if len(nest.stages) == 1 and (count := counting.counted(nest.stages[0])):
            stage = nest.stages[0]
            body = counting.body(stage, count, self._texts, self._decoded)
            self._written.append(stage.name)
            return self._finished(body, counting.grid(count), counting.directives(stage))
        if len(nest.stages) == 1 and (equations := solving.solved(nest.stages[0])):
            stage = nest.stages[0]
            stored = self._stored(stage, Value("{}", Kind.REAL))
            body = solving.body(stage, equations, self._texts, lambda text: stored.replace("{}", text))
            self._written.append(solving.system(stage))
            return self._finished(body, "1")
        if self._options.shared_memory_tiling and (found := product_of(nest)):
            return self._tiled(found)
        if self._coarse:
            for axis in nest.axes:
                self._texts.rename(axis, f"{self._texts.axis(axis)}[r]")
        inner = (
            "".join(self._stage(number, stage) for number, stage in enumerate(nest.stages)) + self._stores()
        )
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

    def _turn_by_turn(self) -> _Written:
        writer = TurnWriter(self._nest.stages, self._texts, self._decoded, self._computed, self._stored)
        points = writer.points
        if points == Size.of(1):
            return self._finished(writer.body(), "1")
        guard = f"if (point >= {self._texts.size(points)}) {{\n    return;\n}}\n"
        head = "const int point = blockIdx.x * BLOCK + threadIdx.x;\n"
        return self._finished(f"{head}{guard}{writer.body()}", f"ceil_div({points.expression()}, BLOCK)")

    def _computed(self, stage: FilledBuffer) -> tuple[str, Value]:
        """What computes a buffer's element, and its value."""
        folds = "".join(self._fold(fold) for fold in _folds(stage))
        lines = self._texts.lines(stage.value)
        return folds + "".join(f"{line}\n" for line in lines.lines), lines.values[0]

    def _tiled(self, product: Product) -> _Written:
        (stage,) = self._nest.stages
        self._written.append(stage.name)
        target = At(stage.name, self._own(stage), stage.kind)
        choices = tile_choices(self._program, product, self._options)
        made = TiledWriter(
            self._name, stage, product, choices, self._texts, self._decoded,
            lambda value: self._stored(stage, value), target,
            tile_ending(self._program, self._index),
        ).written()  # fmt: skip
        return self._finished(made.body, made.grid, made.directives, made)

    def _grid(self, points: Size, each: str) -> str:
        count = points.expression()
        blocks = count if each == "1" else f"ceil_div({count}, {each})"
        return f"min({blocks}, GRID)" if self._options.grid_stride_loop else blocks

    def _head(self, first: str, lane: str, each: str, points: Size, inner: str) -> str:
        """Find this thread's point, or its points in turn, and decode the axes."""
        count = self._texts.size(points)
        axes = self._points(count) if self._coarse else self._decoded("point", self._nest.axes)
        if self._options.grid_stride_loop:
            step = f"gridDim.x * {each}" if each != "1" else "gridDim.x"
            loop = (
                f"for (int point = {first}; point < {count}; point += {step}) {{\n{indent(axes + inner)}}}\n"
            )
            return lane + loop
        if not self._nest.axes and each == "1":
            return lane + inner
        guard = "" if each == "1" else f"if (point >= {count}) {{\n    return;\n}}\n"
        return f"{lane}const int point = {first};\n{guard}{axes}{inner}"

    def _points(self, count: str) -> str:
        """Decode the axes of all points of this thread; what is beyond the last is the last, and is not stored."""
        names = [self._texts.axis(axis).removesuffix("[r]") for axis in self._nest.axes]
        declared = f"int {', '.join(f'{name}[COARSE]' for name in names)};\n" if names else ""
        decoded = self._decoded("one", self._nest.axes).replace("const int ", "")
        return declared + _each(f"const int one = min(point + r * BLOCK, {count} - 1);\n{decoded}")

    def _decoded(self, flat: str, axes: Sequence[Axis]) -> str:
        """Take an index over all axes apart."""
        lines: list[str] = []
        below = Size.of(1)
        for position in range(len(axes) - 1, -1, -1):
            axis = axes[position]
            text = flat if below == Size.of(1) else f"{flat} / ({self._texts.size(below)})"
            if position:
                extent = self._texts.size(axis.extent)
                text += f" % {extent}" if extent.isidentifier() or extent.isdigit() else f" % ({extent})"
            lines.append(f"const int {self._texts.axis(axis)} = {text};\n")
            below = below * axis.extent
        return "".join(reversed(lines))

    def _stage(self, number: int, stage: FilledBuffer) -> str:
        """Compute a buffer's elements at one point: those beside the shared axes are stored, a single one is kept."""
        text = "".join(self._fold(fold) for fold in _folds(stage))
        extra = self._nest.extra(stage)
        if extra:
            return text + self._loop(extra, self._store(stage))
        return text + self._kept(number, stage)

    def _kept(self, number: int, stage: FilledBuffer) -> str:
        lines = self._texts.lines(stage.value)
        (value,) = lines.values
        if len(self._nest.stages) == 1 or value.text.isidentifier():
            self._values[number] = value
            text = "".join(f"{line}\n" for line in lines.lines)
            if self._coarse:
                self._declared, text = text, ""
        else:
            name = self._texts.fresh(f"{stage.name}_value")
            self._values[number] = type(value)(name, value.kind)
            declared = f"const {self._types.name(value.kind)} {name} = {value.text};"
            text = "".join(f"{line}\n" for line in (*lines.lines, declared))
        if stage.name not in self._in_place:
            at = At(stage.name, stage.target, stage.kind)
            self._texts.known[at] = self._values[number]
        return text

    def _stores(self) -> str:
        """Store what is one value a point, after everything was read."""
        text = ""
        for number, stage in enumerate(self._nest.stages):
            if not self._nest.extra(stage) and not is_local(self._program, self._nest, stage):
                text += self._stored(stage, self._values[number])
        if self._coarse:
            points = self._texts.size(self._nest.points)
            return _each(f"if (point + r * BLOCK < {points}) {{\n{indent(self._declared + text)}}}\n")
        return text if self._lanes == 1 or not text else f"if (lane == 0) {{\n{indent(text)}}}\n"

    def _store(self, stage: FilledBuffer) -> str:
        lines = self._texts.lines(stage.value)
        (value,) = lines.values
        return "".join(f"{line}\n" for line in lines.lines) + self._stored(stage, value)

    def _stored(self, stage: FilledBuffer, value: Value) -> str:
        self._written.append(stage.name)
        place = self._texts.place(stage.name, self._own(stage))
        return f"{self._texts.buffer(stage.name)}[{place}] = {self._texts.stored(stage.name, value)};\n"

    def _own(self, stage: FilledBuffer) -> tuple[Index, ...]:
        """The stage's own element, with zeros for axes of one that only the argument has."""
        shape, target = self._program.shapes[stage.name], stage.target
        if len(shape) == len(target):
            return target
        left = iter(target)
        return tuple(Size() if extent == Size.of(1) else next(left) for extent in shape)

    def _fold(self, fold: Fold) -> str:
        kind = kind_of(fold)
        name = self._texts.fresh(
            {"sum": "total", "prod": "product", "max": "largest", "min": "least"}[fold.op]
        )
        lines = self._texts.lines(fold.body)
        (value,) = lines.values
        value = self._texts.cast(value, kind)
        ctype, start = self._types.name(kind), identity(fold.op, kind, self._types)
        if self._coarse:
            text = f"{ctype} {name}[COARSE];\n{_each(f'{name}[r] = {start};' + chr(10))}"
            name = f"{name}[r]"
        else:
            text = f"{ctype} {name} = {start};\n"
        step = accumulate(fold.op, kind, self._types, name, value.text)
        inside = "".join(f"{line}\n" for line in lines.lines) + step
        text += self._loop(fold.axes, _each(inside) if self._coarse else inside)
        if self._lanes != 1:
            text += f"{name} = {'warp' if self._lanes == 32 else 'reduce'}_{fold.op}({name});\n"
        self._texts.known[fold] = type(value)(name, kind)
        return text

    def _loop(self, axes: Sequence[Axis], body: str) -> str:
        """Go through all combinations of some axes, the lanes of a point in turn."""
        unroll = "#pragma unroll UNROLL\n" if self._options.loop_unrolling else ""
        if self._lanes == 1:
            for position, axis in enumerate(reversed(axes)):
                name, extent = self._texts.axis(axis), self._texts.size(axis.extent)
                short = (axis.extent.constant or _LARGE) <= _UNROLLED
                pragma = "#pragma unroll\n" if short else unroll if position == 0 else ""
                body = f"{pragma}for (int {name} = 0; {name} < {extent}; ++{name}) {{\n{indent(body)}}}\n"
            return body
        step = "32" if self._lanes == 32 else "BLOCK"
        total = self._texts.size(combinations(axes))
        if len(axes) == 1:
            name = self._texts.axis(axes[0])
            return (
                f"{unroll}for (int {name} = lane; {name} < {total}; {name} += {step}) {{\n{indent(body)}}}\n"
            )
        flat = self._texts.fresh("flat")
        inside = self._decoded(flat, axes) + body
        return f"{unroll}for (int {flat} = lane; {flat} < {total}; {flat} += {step}) {{\n{indent(inside)}}}\n"

    def _finished(
        self, body: str, grid: str, before: Sequence[str] = (), tiled: TiledKernel | None = None
    ) -> _Written:
        texts = self._texts
        read_only = self._options.read_only_cache or tiled is not None
        declared = [
            texts.declared(name, written=name in self._written, read_only=read_only) for name in texts.used
        ]
        declared += [f"const int {name}" for name in texts.dims.values()]
        arguments = ", ".join([*texts.used, *texts.dims])
        bounds, shape, functions = "BLOCK", f"{grid}, BLOCK", list[str]()
        if tiled is not None:
            bounds, shape = tiled.bounds, f"{grid}, {tiled.threads}, {tiled.shared}"
            functions = tiled.functions
        head = f'extern "C" __global__ void __launch_bounds__({bounds})\n{self._name}({", ".join(declared)})'
        launch = "\n".join([*before, f"//@ launch {self._name}<<<{shape}>>>({arguments})"])
        return _Written(f"{head} {{\n{indent(body)}}}\n", launch, frozenset(texts.macros), tuple(functions))
