"""Symbolic arrays: a shape, and what the element at each index is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from agent.composer.expressions import Kind
from agent.composer.ir import Literal, Node
from agent.composer.nests.kinds import literal, truth
from agent.composer.nests.points import (
    At,
    Fold,
    Index,
    axes_of,
    chosen,
    folds_in,
    kind_of,
    loads,
    number,
    placed,
)
from agent.composer.nests.sizes import ONE, Axis, Size
from agent.composer.nests.wrapping import dtype_of

MAX_NODES = 150
"""What is larger at one point is kept in a buffer instead of computed wherever it is used."""

Shape = tuple[Size, ...]


class NotExpressed(Exception):
    """The reference does something that nests do not express; the text says what."""


class SizesDifferError(NotExpressed):
    """Two sizes are not equal for all dims, where NumPy goes on only if they are."""

    def __init__(self, message: str, left: Size, right: Size) -> None:
        super().__init__(message)
        self.left = left
        self.right = right


def check_equal(left: Size, right: Size, message: str) -> None:
    """Go on only where two sizes are equal, as NumPy does.

    Raises:
        SizesDifferError: They are not for all dims.
    """
    if left != right:
        raise SizesDifferError(message, left, right)


class BuildsOnTurnsError(NotExpressed):
    """A loop over a size goes on from what its turns before made.

    Attributes:
        name: What the reference calls it; empty where that is not known.
        array: What it is, where it is an array that is stored into.
    """

    def __init__(self, message: str, name: str = "", array: Array | None = None) -> None:
        super().__init__(message)
        self.name = name
        self.array = array


class Array:
    """An array of the reference. Storing into it changes what it is from then on; views of it end there."""

    def __init__(
        self, axes: tuple[Axis, ...], body: Node, base: Array | None = None, tracer: Tracer | None = None
    ) -> None:
        """Take the axes, and the element in terms of them; `base` is what it is a view of."""
        self.axes = axes
        self.own = body
        self._base, self._seen = self._root(base)
        self._tracer = tracer
        self._read_at = self._written_at = -1
        self.depth = len(tracer.loops) if tracer else 0
        self.version = 0

    @staticmethod
    def _root(base: Array | None) -> tuple[Array | None, int]:
        """What a view is a view of in the end, and which version of that."""
        if base is None:
            return None, 0
        return (base, base.version) if base._base is None else (base._base, base._seen)

    @property
    def shape(self) -> Shape:
        """Its extents."""
        return tuple(axis.extent for axis in self.axes)

    @property
    def body(self) -> Node:
        """The element at the axes.

        Raises:
            NotExpressed: It is a view of what was written to since.
        """
        if self._base is not None and self._base.version != self._seen:
            raise NotExpressed("a view is read after the array it belongs to was written to; copy it first")
        if self._base is not None:
            self._base.note_read()
        self.note_read()
        return self.own

    def note_read(self) -> None:
        """Remember that it is read now.

        Raises:
            NotExpressed: A loop that is being followed has written to it.
        """
        if self._tracer is None:
            return
        self._read_at = self._tracer.tick()
        if self._written_at >= self._tracer.entered(self.depth):
            message = "a loop that reads what it has written: each turn builds on those before"
            raise BuildsOnTurnsError(message, array=self)

    @property
    def kind(self) -> Kind:
        """The kind of its elements."""
        return kind_of(self.own)

    def at(self, indices: Sequence[Index]) -> Node:
        """The element at these indices, one for each axis."""
        return placed(self.body, dict(zip(self.axes, indices, strict=True)))

    def write(self, body: Node) -> None:
        """Let it be another array of the same shape."""
        if self._base is not None:
            raise NotExpressed("storing through a view; store into the array itself")
        if self._tracer is not None:
            if self._read_at >= self._tracer.entered(self.depth):
                message = "a loop that reads what it writes: each turn builds on those before"
                raise BuildsOnTurnsError(message, array=self)
            self._written_at = self._tracer.tick()
        self.own = body
        self.version += 1


@dataclass(frozen=True)
class FilledBuffer:
    """A buffer that a kernel fills: its element in terms of its axes, with the folds that are its own.

    Attributes:
        place: Where the element goes, where that is not at its axes: no two go to one, each gets one.
        extents: Of the buffer, where they are not those of the axes.
        turns: The loop that fills it turn by turn, for its turns build on those before. What the loop carries has one
            axis more, its first: the value before turn `i` is at `i`.
    """

    name: str
    axes: tuple[Axis, ...]
    value: Node
    kind: Kind
    place: tuple[Index, ...] | None = None
    extents: Shape | None = None
    turns: Axis | None = None

    @property
    def is_state(self) -> bool:
        """Whether a loop carries it from turn to turn."""
        return self.turns is not None and self.turns not in self.axes

    @property
    def shape(self) -> Shape:
        """Extents of the buffer."""
        return self.extents if self.extents is not None else tuple(axis.extent for axis in self.axes)

    @property
    def target(self) -> tuple[Index, ...]:
        """Where the element goes."""
        return self.place if self.place is not None else tuple(map(Size.of, self.axes))

    @property
    def is_scattered(self) -> bool:
        """Whether where an element goes is read from memory."""
        return any(isinstance(one, Node) for one in self.target)

    def reads(self) -> Iterator[At]:
        """Every element that it reads."""
        yield from loads(self.value)
        for one in self.place or ():
            if isinstance(one, Node):
                yield from loads(one)

    def reads_of(self, name: str) -> list[At]:
        """The elements that it reads of one buffer."""
        return [at for at in self.reads() if at.buffer == name]

    def rebuilt(self, change: Callable[[Node], Node]) -> FilledBuffer:
        """The same with its value, and what its place reads, changed."""
        place = self.place and tuple(change(one) if isinstance(one, Node) else one for one in self.place)
        return replace(self, value=change(self.value), place=place)


@dataclass
class Tracer:
    """Makes arrays while a reference is followed.

    Attributes:
        stages: The buffers made so far, each after those it reads.
        loops: The axes of the loops that are being followed, outermost first.
    """

    stages: list[FilledBuffer] = field(default_factory=list[FilledBuffer])
    loops: list[Axis] = field(default_factory=list[Axis])
    _entries: list[int] = field(default_factory=list[int])
    _count: int = 0
    _clock: int = 0

    def tick(self) -> int:
        """The next moment."""
        self._clock += 1
        return self._clock

    def enter(self, loop: Axis) -> None:
        """Follow a loop's body, once for all its turns."""
        self.loops.append(loop)
        self._entries.append(self.tick())

    def leave(self) -> None:
        """End the innermost loop."""
        self.loops.pop()
        self._entries.pop()

    def entered(self, depth: int) -> float:
        """When the outermost loop began in which what was made at this depth stays; never, where there is none."""
        return self._entries[depth] if depth < len(self._entries) else float("inf")

    def axis(self, extent: Size) -> Axis:
        """A new axis."""
        self._count += 1
        return Axis(self._count, extent)

    def array(
        self, shape: Sequence[Size], element: Callable[[tuple[Size, ...]], Node], base: Array | None = None
    ) -> Array:
        """Make an array of what its elements are."""
        axes = tuple(self.axis(extent) for extent in shape)
        body = element(tuple(Size.of(axis) for axis in axes))
        if body.size > MAX_NODES:
            body = self.kept(axes, body).own
        return Array(axes, body, base, self)

    def scalar(self, node: Node) -> Array:
        """An array without axes."""
        return Array((), node, None, self)

    def kept(self, axes: tuple[Axis, ...], value: Node) -> Array:
        """Let a kernel fill a buffer with it, and read it there from now on."""
        named = axes_of(value) | _axes_of_extents(value, axes)
        within = [axis for axis in self.loops if axis in named]
        name = f"stage_{len(self.stages)}"
        kind = kind_of(value)
        self.stages.append(FilledBuffer(name, (*within, *axes), value, kind))
        indices = tuple(Size.of(axis) for axis in (*within, *axes))
        return Array(axes, At(name, indices, kind, dtype=dtype_of(value)), None, self)

    def _folded(self, op: str, kept: tuple[Axis, ...], over: tuple[Axis, ...], body: Node) -> Array:
        """Fold elements; the extreme of truths is a truth."""
        if kind_of(body) is not Kind.BOOL or op not in ("max", "min"):
            return self.kept(kept, Fold(op, over, body))
        found = self.kept(kept, Fold(op, over, chosen(body, Literal(1), Literal(0))))
        return Array(kept, truth(found.own), None, self)

    def folded(self, op: str, array: Array, over: Sequence[int], *, keepdims: bool = False) -> Array:
        """Reduce an array over some of its axes."""
        gone = tuple(array.axes[position] for position in over)
        kept = tuple(axis for position, axis in enumerate(array.axes) if position not in over)
        if any(axis.extent == Size() for axis in gone):
            raise NotExpressed("a reduction over nothing")
        result = self._folded(op, kept, gone, array.body) if gone else array
        if not keepdims:
            return result
        shape = [ONE if position in over else axis.extent for position, axis in enumerate(array.axes)]
        rest = [position for position in range(len(shape)) if position not in over]
        return self.array(shape, lambda index: result.at([index[position] for position in rest]))


def _axes_of_extents(value: Node, axes: Sequence[Axis]) -> set[Axis]:
    """The axes that extents depend on: of an array's axes, and of those that its elements fold."""
    folded = [axis for fold in folds_in(value) for axis in fold.axes]
    return {inner for axis in (*axes, *folded) for inner in axis.extent.axes()} - {*axes, *folded}


def as_array(value: Array | Size | float) -> Array:
    """A number as an array without axes."""
    if isinstance(value, Array):
        return value
    if isinstance(value, Size):
        return Array((), number(value))
    return Array((), literal(value, Kind.BOOL) if isinstance(value, bool) else Literal(value))


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The shape that arrays of these shapes have together.

    Raises:
        NotExpressed: They do not fit.
    """
    rank = max((len(shape) for shape in shapes), default=0)
    result: list[Size] = []
    for position in range(rank):
        extents = [
            shape[position - rank + len(shape)] for shape in shapes if position - rank + len(shape) >= 0
        ]
        wide = list(dict.fromkeys(extent for extent in extents if extent != ONE))
        if len(wide) > 1:
            shown = " and ".join(f"({', '.join(size.expression() for size in shape)})" for shape in shapes)
            raise SizesDifferError(f"shapes {shown} do not fit each other for all sizes", *wide[:2])
        result.append(wide[0] if wide else ONE)
    return tuple(result)


def spread(array: Array, index: Sequence[Index]) -> Node:
    """The element of an array at an index of what it is broadcast to."""
    own = index[len(index) - len(array.axes) :]
    return array.at(
        [Size() if axis.extent == ONE else one for axis, one in zip(array.axes, own, strict=True)]
    )
