"""Writes what happens at a point of a nest, or at the points that a thread takes together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from agent.composer.expressions import Value
from agent.composer.ir import Node
from agent.composer.kernel_text import accumulate, identity, indent
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.buffers import is_local
from agent.composer.nests.neighbours import widest, width_macro
from agent.composer.nests.options import NestOptions
from agent.composer.nests.points import At, Fold, Index, axes_of, kind_of
from agent.composer.nests.program import Nest, NestProgram
from agent.composer.nests.sizes import Axis, Size, combinations
from agent.composer.nests.texts import PackedTexts, Texts

_UNROLLED = 8
_LARGE = 1 << 30


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


class PointWriter:
    """Writes the stages of a nest.

    Attributes:
        many: How many points a thread takes together, where those are several; `r` counts them.
        coarse: Whether those are a block apart from each other, and not neighbours.
        written: The buffers that were stored to so far.
        defines: Directives that the loops need.
    """

    def __init__(
        self,
        program: NestProgram,
        nest: Nest,
        texts: Texts,
        lanes: int,
        options: NestOptions,
        name: str = "nest",
    ) -> None:
        """Take the names to write with, how many threads work on a point (0: a block), features, and a name."""
        self._name = name
        self._program = program
        self._nest = nest
        self._texts = texts
        self._lanes = lanes
        self._options = options
        self._types = program.types
        self.many = ""
        self.defines: tuple[str, ...] = ()
        self.coarse = False
        self.written: list[str] = []
        self._values: dict[int, Value] = {}
        self._declared = ""
        self._together = ""
        self._within: list[Fold] = []
        self._in_place = {one.name for one in program.task.arguments if one.role == "inout"}

    def point(self) -> str:
        """All that happens at a point, or at the points that a thread takes together."""
        stages = enumerate(self._nest.stages)
        return "".join(self._stage(number, stage) for number, stage in stages) + self._stores()

    def each(self, body: str) -> str:
        """Do something for each of the points that a thread takes together."""
        return (
            f"#pragma unroll\nfor (int r = 0; r < {self.many or self._together}; ++r) {{\n{indent(body)}}}\n"
        )

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
            if self.many:
                self._declared, before = before, ""
        elif self.many:
            name, ctype = self._texts.fresh(f"{stage.name}_value"), self._types.name(value.kind)
            self._values[number] = Value(f"{name}[r]", value.kind)
            before = f"{ctype} {name}[{self.many}];\n" + self.each(f"{before}{name}[r] = {value.text};\n")
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
        if self.coarse:
            points = self._texts.size(self._nest.points)
            return self.each(f"if (point + r * BLOCK < {points}) {{\n{indent(text)}}}\n")
        return text if self._lanes == 1 or not text else f"if (lane == 0) {{\n{indent(text)}}}\n"

    def _store(self, stage: FilledBuffer) -> str:
        lines = self._texts.lines(stage.value)
        (value,) = lines.values
        return self._put(stage, value, "".join(f"{line}\n" for line in lines.lines))

    def _put(self, stage: FilledBuffer, value: Value, before: str) -> str:
        """Store an element after the lines that compute it, or those of neighbours together."""
        packed = self._texts.packed
        if packed is None:
            return before + self.stored(stage, value)
        own = self.own(stage)
        access = self._texts.packed_access(stage.name, own)
        if access is None:
            return self.each(before + self.stored(stage, value))
        self.written.append(stage.name)
        name, pack = self._texts.fresh(f"{stage.name}_result"), self._texts.pack_type(stage.name)
        result = self._texts.stored(stage.name, value)
        buffer, place = self._texts.buffer(stage.name), self._texts.pack_place(stage.name, own, access.step)
        return (
            f"{pack} {name};\n{self.each(f'{before}{name}.lane[{packed.lane(access.step)}] = {result};' + chr(10))}"
            f"*reinterpret_cast<{pack}*>({buffer} + {place}) = {name};\n"
        )

    def stored(self, stage: FilledBuffer, value: Value) -> str:
        """Write the statement that stores a stage's element."""
        self.written.append(stage.name)
        place = self._texts.place(stage.name, self.own(stage))
        return f"{self._texts.buffer(stage.name)}[{place}] = {self._texts.stored(stage.name, value)};\n"

    def own(self, stage: FilledBuffer) -> tuple[Index, ...]:
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
        several = self.many or self._together
        if several:
            text = f"{ctype} {name}[{several}];\n{self.each(f'{name}[r] = {start};' + chr(10))}"
            name = f"{name}[r]"
        else:
            text = f"{ctype} {name} = {start};\n"

        def inside() -> str:
            before = self._folds_alone(fold.body)
            lines = self._texts.lines(fold.body)
            value = self._texts.cast(lines.values[0], kind)
            step = accumulate(fold.op, kind, self._types, name, value.text)
            body = "".join(f"{line}\n" for line in lines.lines) + step
            return before + (self.each(body) if self.many or self._together else body)

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
        packed, after = self._packed_loop(axes, write, unroll)
        body = self._inside(write)
        if self._lanes == 1:
            for position, axis in enumerate(reversed(axes)):
                name, extent = self._texts.axis(axis), self._texts.size(axis.extent)
                short = (axis.extent.constant or _LARGE) <= _UNROLLED
                pragma = "#pragma unroll\n" if short else unroll if position == 0 else ""
                body = f"{pragma}for (int {name} = 0; {name} < {extent}; ++{name}) {{\n{indent(body)}}}\n"
            return body
        return packed + self._shared_loop(axes, unroll, body, after)

    def _inside(self, write: Callable[[], str]) -> str:
        """What happens in a loop, with the packs it loads; nothing of it is known after its end."""
        outer, self._within = self._within, []
        body = write()
        loads, held = self._texts.pack_loads()
        self._texts.forget([*held, *self._within])
        self._within = outer
        return loads + body

    def _packed_loop(self, axes: Sequence[Axis], write: Callable[[], str], unroll: str) -> tuple[str, str]:
        """Let each thread of a point take neighbours along an axis, and say where that ends; or nothing."""
        texts = self._texts
        if not self._options.vectorized_loads or self._lanes == 1 or self.many or len(axes) != 1:
            return "", ""
        (axis,) = axes
        found = widest(self._touched(axis), axis, self._program.shapes, self._program.dtypes)
        if found is None:
            return "", ""
        width, aligned = found
        name, extent, known = texts.axis(axis), texts.size(axis.extent), dict(texts.known)
        macro = texts.fresh(f"lanes_of_{self._name}").upper()
        self.defines += (width_macro(macro, width, aligned),)
        texts.packed, self._together = PackedTexts(axis, name, macro, width), macro
        texts.rename(axis, f"({name} + r)")
        body = self._inside(write)
        texts.rename(axis, name)
        texts.packed, self._together, texts.known = None, "", known
        step = "32" if self._lanes == 32 else "BLOCK"
        first, within = f"int {name} = lane * {macro}", f"{name} + {macro} <= {extent}"
        loop = f"{unroll}for ({first}; {within}; {name} += {step} * {macro}) {{\n{indent(body)}}}\n"
        return loop, f"{extent} / {macro} * {macro}"

    def _touched(self, axis: Axis) -> Iterator[tuple[str, tuple[Index, ...]]]:
        """What the nest reads without conditions along an axis, and what it writes there."""
        for stage in self._nest.stages:
            for at in stage.reads():
                if not at.guards and any(isinstance(one, Size) and axis in one.atoms for one in at.indices):
                    yield at.buffer, at.indices
            if axis in stage.axes:
                yield stage.name, stage.target

    def _shared_loop(self, axes: Sequence[Axis], unroll: str, body: str, after: str = "") -> str:
        """Go through some axes by all threads of a point; where packs went before, only through what is left."""
        step = "32" if self._lanes == 32 else "BLOCK"
        total = self._texts.size(combinations(axes))
        if len(axes) == 1:
            name = self._texts.axis(axes[0])
            first = f"{after} + lane" if after else "lane"
            return f"{unroll}for (int {name} = {first}; {name} < {total}; {name} += {step}) {{\n{indent(body)}}}\n"
        flat = self._texts.fresh("flat")
        inside = self.decoded(flat, axes) + body
        return f"{unroll}for (int {flat} = lane; {flat} < {total}; {flat} += {step}) {{\n{indent(inside)}}}\n"

    def decoded(self, flat: str, axes: Sequence[Axis]) -> str:
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

    def computed(self, stage: FilledBuffer) -> tuple[str, Value]:
        """What computes a buffer's element, and its value."""
        folds = "".join(self._fold(fold) for fold in folds_first(stage))
        lines = self._texts.lines(stage.value)
        return folds + "".join(f"{line}\n" for line in lines.lines), lines.values[0]

    def again(self) -> None:
        """Begin anew, for another way of writing the same points."""
        self._texts.known.clear()
        self._values.clear()
