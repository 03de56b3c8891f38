"""Writes one kernel of a program of nests: how threads share its points, and what each does at a point."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from agent.composer.expressions import Kind, Value
from agent.composer.ir import Node
from agent.composer.kernel_text import accumulate, identity, indent
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.collectives import counting, looking_back, scanning, sliding, solving, tiling
from agent.composer.nests.collectives.scanning import scanned
from agent.composer.nests.neighbours import width_macro
from agent.composer.nests.options import (
    NestOptions,
    counts_by,
    is_coarse,
    is_packed,
    lanes,
    looks_back,
    slides,
)
from agent.composer.nests.packing import Packing, groups
from agent.composer.nests.points import At, Fold, Index, axes_of, kind_of
from agent.composer.nests.program import Nest, NestProgram
from agent.composer.nests.sizes import Axis, Size, combinations
from agent.composer.nests.texts import PackedTexts, Texts

_UNROLLED = 8
_LARGE = 1 << 30


@dataclass(frozen=True)
class WrittenKernel:
    """A kernel: its code, how it is launched, the dims that are macros in it, and the directives it needs."""

    code: str
    launch: str
    macros: frozenset[str]
    defines: tuple[str, ...] = ()


def is_local(program: NestProgram, nest: Nest, stage: FilledBuffer) -> bool:
    """Whether only later stages of its own kernel read it, at the same point: then no memory holds it."""
    if stage.name in program.outputs or nest.extra(stage):
        return False
    readers = [(other, one) for other in program.nests for one in other.stages if _reads(one, stage.name)]
    return all(other is nest for other, _ in readers)


def _reads(stage: FilledBuffer, name: str) -> bool:
    return any(at.buffer == name for at in stage.reads())


def folds_first(stage: FilledBuffer) -> list[Fold]:
    """The folds of a stage's value and of where it goes that hang on no other's turns, inner ones first."""
    values = [one for one in (stage.value, *stage.target) if isinstance(one, Node)]
    return list(dict.fromkeys(fold for value in values for fold in free_folds(value)))


def free_folds(node: Node, bound: frozenset[Axis] = frozenset()) -> Iterator[Fold]:
    """The folds in a value, inner ones first, without those that depend on what an outer one runs over."""
    inner = bound | set(node.axes) if isinstance(node, Fold) else bound
    for child in _below(node):
        yield from free_folds(child, inner)
    if isinstance(node, Fold) and not axes_of(node) & bound:
        yield node


def _below(node: Node) -> Iterator[Node]:
    if isinstance(node, At):
        yield from (one for one in (*node.indices, *node.guards) if isinstance(one, Node))
    yield from node.children


class NestWriter:
    """Writes the kernel of one nest."""

    def __init__(self, program: NestProgram, index: int, options: NestOptions) -> None:
        """Take the program, which of its nests to write, and with what."""
        self._program = program
        self._index = index
        self._nest = program.nests[index]
        self._options = options
        self._types = program.types
        self._lanes = lanes(program, index, options)
        scalars = frozenset(one.name for one in program.task.arguments if one.is_scalar)
        self._texts = Texts(
            program.types, program.dtypes, program.shapes, scalars, constant=options.constant_dimensions
        )
        self._coarse = is_coarse(program, index, options)
        self._packing = is_packed(program, index, options)
        self._many = "COARSE" if self._coarse else ""
        suffix = f"_{index + 1}" if len(program.nests) > 1 else ""
        self._name, self._width = f"nest{suffix}", f"WIDTH{suffix}"
        self._written: list[str] = []
        self._values: dict[int, Value] = {}
        self._declared = ""
        self._within: list[Fold] = []
        self._in_place = {one.name for one in program.task.arguments if one.role == "inout"}

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
        if back := looks_back(self._program, stage, options):
            self._written += [stage.name, back.state]
            body = looking_back.body(back, texts, self._decoded)
            return self._finished(body, back.grid, defines=back.directives())
        if scanned(stage):
            self._written.append(stage.name)
            body = self._head("blockIdx.x", "", "1", nest.points, scanning.body(stage, texts))
            return self._finished(body, self._grid(nest.points, "1"))
        if count := counting.counted(stage):
            return self._histogram(stage, count)
        if equations := solving.solved(stage):
            stored = self._stored(stage, Value("{}", Kind.REAL))
            self._written.append(solving.system(stage))
            body = solving.body(stage, equations, texts, lambda text: stored.replace("{}", text))
            return self._finished(body, "1", defines=solving.directives(stage))
        if options.shared_memory_tiling and (found := tiling.product_of(nest)):
            body = tiling.body(stage, found, texts, self._decoded, lambda value: self._stored(stage, value))
            return self._finished(body, tiling.grid(found), threads=str(tiling.THREADS))
        if overlapping := slides(self._program, self._index, options):
            points = sliding.grid(overlapping)
            body = sliding.body(overlapping, texts, self._decoded, self._stored)
            text = self._head("blockIdx.x * BLOCK + threadIdx.x", "", "BLOCK", points, "", body)
            return self._finished(text, self._grid(points, "BLOCK"))
        return None

    def _histogram(self, stage: FilledBuffer, count: counting.Count) -> WrittenKernel:
        style = counts_by(self._program, count, self._options)
        body = counting.body(stage, count, self._texts, self._decoded, style)
        self._written.append(stage.name)
        width = (width_macro("COUNTED", style.width, style.aligned),) if style.width > 1 else ()
        return self._finished(body, counting.grid(count), counting.directives(stage, style), defines=width)

    def _by_points(self) -> WrittenKernel:
        """Let threads, warps or blocks take points."""
        nest, points = self._nest, self._nest.points
        if self._coarse:
            for axis in nest.axes:
                self._texts.rename(axis, f"{self._texts.axis(axis)}[r]")
        inner = self._point()
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

    def _point(self) -> str:
        """All that happens at a point, or at the points that a thread takes together."""
        stages = enumerate(self._nest.stages)
        return "".join(self._stage(number, stage) for number, stage in stages) + self._stores()

    def _packed(self, pack: Packing) -> WrittenKernel:
        """Let a thread take neighbouring points; where the axis may end among them, those one after the other."""
        texts, axis = self._texts, pack.axis
        first, group = texts.axis(axis), Axis(axis.number, groups(pack, self._width))
        axes = (*self._nest.axes[:-1], group)
        texts.rename(group, texts.fresh("group"))
        alone = ""
        if pack.has_tail:
            texts.rename(axis, "tail")
            alone = self._point()
            texts.known.clear()
            self._values.clear()
        self._many = self._width
        texts.packed = PackedTexts(axis, first, self._width, pack.width)
        texts.rename(axis, f"({first} + r)")
        body = self._point()
        if alone:
            extent = texts.size(axis.extent)
            loop = f"for (int tail = {first}; tail < {extent}; ++tail) {{\n{indent(alone)}}}\n"
            body = (
                f"if ({first} + {self._width} <= {extent}) {{\n{indent(body)}}} else {{\n{indent(loop)}}}\n"
            )
        points, here = combinations(axes), f"const int {first} = {texts.axis(group)} * {self._width};\n"
        start = self._decoded("point", axes) + here
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
        return declared + self._each(f"const int one = min(point + r * BLOCK, {count} - 1);\n{decoded}")

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

    def _each(self, body: str) -> str:
        """Do something for each of the points that a thread takes together."""
        return f"#pragma unroll\nfor (int r = 0; r < {self._many}; ++r) {{\n{indent(body)}}}\n"

    def _stage(self, number: int, stage: FilledBuffer) -> str:
        """Compute a buffer's elements at one point: those beside the shared axes are stored, a single one is kept."""
        text = "".join(self._fold(fold) for fold in folds_first(stage))
        extra = self._nest.extra(stage)
        if extra:
            return text + self._loop(extra, lambda: self._store(stage))
        return text + self._kept(number, stage)

    def _kept(self, number: int, stage: FilledBuffer) -> str:
        lines = self._texts.lines(stage.value)
        (value,) = lines.values
        loads, _ = self._texts.pack_loads()
        before = "".join(f"{line}\n" for line in lines.lines)
        if len(self._nest.stages) == 1 or value.text.isidentifier():
            self._values[number] = value
            if self._many:
                self._declared, before = before, ""
        elif self._many:
            name, ctype = self._texts.fresh(f"{stage.name}_value"), self._types.name(value.kind)
            self._values[number] = Value(f"{name}[r]", value.kind)
            before = f"{ctype} {name}[{self._many}];\n" + self._each(f"{before}{name}[r] = {value.text};\n")
        else:
            name = self._texts.fresh(f"{stage.name}_value")
            self._values[number] = Value(name, value.kind)
            before += f"const {self._types.name(value.kind)} {name} = {value.text};\n"
        if stage.name not in self._in_place:
            at = At(stage.name, stage.target, stage.kind)
            self._texts.known[at] = self._values[number]
        return loads + before

    def _stores(self) -> str:
        """Store what is one value a point, after everything was read."""
        text = ""
        for number, stage in enumerate(self._nest.stages):
            if not self._nest.extra(stage) and not is_local(self._program, self._nest, stage):
                text += self._put(stage, self._values[number], self._declared)
        if self._coarse:
            points = self._texts.size(self._nest.points)
            return self._each(f"if (point + r * BLOCK < {points}) {{\n{indent(text)}}}\n")
        return text if self._lanes == 1 or not text else f"if (lane == 0) {{\n{indent(text)}}}\n"

    def _store(self, stage: FilledBuffer) -> str:
        lines = self._texts.lines(stage.value)
        (value,) = lines.values
        return self._put(stage, value, "".join(f"{line}\n" for line in lines.lines))

    def _put(self, stage: FilledBuffer, value: Value, before: str) -> str:
        """Store an element after the lines that compute it, or those of neighbours together."""
        packed = self._texts.packed
        if packed is None:
            return before + self._stored(stage, value)
        own = self._own(stage)
        access = self._texts.packed_access(stage.name, own)
        if access is None:
            return self._each(before + self._stored(stage, value))
        self._written.append(stage.name)
        name, pack = self._texts.fresh(f"{stage.name}_result"), self._texts.pack_type(stage.name)
        result = self._texts.stored(stage.name, value)
        buffer, place = self._texts.buffer(stage.name), self._texts.pack_place(stage.name, own, access.step)
        return (
            f"{pack} {name};\n{self._each(f'{before}{name}.lane[{packed.lane(access.step)}] = {result};' + chr(10))}"
            f"*reinterpret_cast<{pack}*>({buffer} + {place}) = {name};\n"
        )

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
        ctype, start = self._types.name(kind), identity(fold.op, kind, self._types)
        if self._many:
            text = f"{ctype} {name}[{self._many}];\n{self._each(f'{name}[r] = {start};' + chr(10))}"
            name = f"{name}[r]"
        else:
            text = f"{ctype} {name} = {start};\n"

        def inside() -> str:
            before = self._folds_alone(fold.body)
            lines = self._texts.lines(fold.body)
            value = self._texts.cast(lines.values[0], kind)
            step = accumulate(fold.op, kind, self._types, name, value.text)
            body = "".join(f"{line}\n" for line in lines.lines) + step
            return before + (self._each(body) if self._many else body)

        text += self._loop(fold.axes, inside)
        if self._lanes != 1:
            text += f"{name} = {'warp' if self._lanes == 32 else 'reduce'}_{fold.op}({name});\n"
        self._texts.known[fold] = Value(name, kind)
        return text

    def _folds_alone(self, node: Node) -> str:
        """Fold by each thread alone what a value needs within a loop; the loop's end forgets it."""
        lanes_, self._lanes = self._lanes, 1
        text = ""
        for fold in dict.fromkeys(free_folds(node)):
            if fold not in self._texts.known:
                text += self._fold(fold)
                self._within.append(fold)
        self._lanes = lanes_
        return text

    def _loop(self, axes: Sequence[Axis], write: Callable[[], str]) -> str:
        """Go through all combinations of some axes, the lanes of a point in turn."""
        unroll = "#pragma unroll UNROLL\n" if self._options.loop_unrolling else ""
        outer, self._within = self._within, []
        body = write()
        loads, held = self._texts.pack_loads()
        self._texts.forget([*held, *self._within])
        self._within = outer
        body = loads + body
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
        self,
        body: str,
        grid: str,
        before: Sequence[str] = (),
        threads: str = "BLOCK",
        defines: tuple[str, ...] = (),
    ) -> WrittenKernel:
        texts = self._texts
        declared = [
            texts.declared(name, written=name in self._written, read_only=self._options.read_only_cache)
            for name in texts.used
        ]
        declared += [f"const int {name}" for name in texts.dims.values()]
        arguments = ", ".join([*texts.used, *texts.dims])
        head = f'extern "C" __global__ void __launch_bounds__({threads})\n{self._name}({", ".join(declared)})'
        launch = "\n".join([*before, f"//@ launch {self._name}<<<{grid}, {threads}>>>({arguments})"])
        return WrittenKernel(f"{head} {{\n{indent(body)}}}\n", launch, frozenset(texts.macros), defines)
