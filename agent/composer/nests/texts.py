"""Writes what an array is at one point as C: loads with their indices, counted numbers, results of folds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from agent.composer.expressions import Kind, Lines, Types, Value, Writer, storage
from agent.composer.ir import Node
from agent.composer.names import Names
from agent.composer.nests.neighbours import PackedAccess, packed_access
from agent.composer.nests.points import At, Fold, Index, Number
from agent.composer.nests.sizes import Atom, Axis, Size

FLOORED = """\
template <typename T>
__device__ __forceinline__ T floor_div(T left, T right) {
    const T whole = left / right;
    return left % right != 0 && (left < 0) != (right < 0) ? whole - 1 : whole;
}

template <typename T>
__device__ __forceinline__ T floor_mod(T left, T right) {
    const T rest = left % right;
    return rest != 0 && (rest < 0) != (right < 0) ? rest + right : rest;
}
"""
"""Whole division as Python rounds it; C rounds towards zero."""


@dataclass
class PackedTexts:
    """What neighbouring points load together.

    Attributes:
        axis: Along which they are neighbours.
        first: The variable of the first of them.
        macro: How many they are.
        width: The same as a number, where everything is aligned.
        loads: Declarations of packs that no kernel text has yet, by what they hold.
    """

    axis: Axis
    first: str
    macro: str
    width: int
    loads: dict[At, str] = field(default_factory=dict[At, str])

    def lane(self, step: int) -> str:
        """Which element of a pack belongs to point `r`."""
        return "r" if step == 1 else f"{self.macro} - 1 - r"


class Texts:
    """The names of one kernel, and how its values are written with them.

    Attributes:
        dtypes: Of every buffer.
        shapes: Of every buffer.
        used: Buffers and scalars that were read or written so far, by their C names.
        dims: Dims that were mentioned so far, by their C names.
        macros: Dims that were mentioned so far and are macros.
        uncached: Buffers that other blocks of the same launch have written.
    """

    def __init__(
        self,
        types: Types,
        dtypes: Mapping[str, str],
        shapes: Mapping[str, tuple[Size, ...]],
        scalars: frozenset[str],
        *,
        constant: bool = False,
    ) -> None:
        """Take the C types, and of every buffer its dtype and shape; with `constant`, dims are macros."""
        self._constant = constant
        self.types = types
        self.dtypes = dtypes
        self.shapes = shapes
        self._scalars = scalars
        self._names = Names("ijkfrmn")
        self._axes: dict[Axis, str] = {}
        self.used: dict[str, str] = {}
        self.dims: dict[str, str] = {}
        self.macros: set[str] = set()
        self.known: dict[Node, Value] = {}
        self._locals: set[str] = set()
        self.packed: PackedTexts | None = None
        self.uncached: set[str] = set()

    def fresh(self, wanted: str) -> str:
        """A name that nothing has yet."""
        return self._names.fresh(wanted)

    def axis(self, axis: Axis) -> str:
        """The variable of an axis."""
        if axis not in self._axes:
            extent = axis.extent.expression()
            self._axes[axis] = self.fresh(
                f"at_{extent}" if extent.isidentifier() and not extent.isupper() else "at"
            )
        return self._axes[axis]

    def rename(self, axis: Axis, text: str) -> None:
        """Write an axis as this from here on."""
        self._axes[axis] = text

    def buffer(self, name: str) -> str:
        """The parameter of a buffer or a scalar."""
        if name not in self.used:
            self.used[name] = self.fresh(name)
        return self.used[name]

    def size(self, size: Size) -> str:
        """A number that follows from dims and axes, as C."""
        return size.text(self._atom, "/")

    def _atom(self, atom: Atom) -> str:
        if isinstance(atom, Axis):
            return self.axis(atom)
        assert isinstance(atom, str), "the others are written by their parts"
        if atom.isupper():
            return atom  # a macro
        if self._constant:
            self.macros.add(atom)
            return size_macro(atom)
        if atom not in self.dims:
            self.dims[atom] = self.fresh(atom)
        return self.dims[atom]

    def place(self, buffer: str, indices: tuple[Index, ...]) -> str:
        """The flat place of an element in its buffer, in C order."""
        counted, read = Size(), list[str]()
        stride = Size.of(1)
        for index, extent in zip(indices[::-1], self.shapes[buffer][::-1], strict=True):
            if isinstance(index, Size):
                counted = counted + index * stride
            else:
                text = self.value(index).text
                read.append(f"({text})" if stride == Size.of(1) else f"({text}) * ({self.size(stride)})")
            stride = stride * extent
        parts_ = [*read, *([self.size(counted)] if counted.terms or not read else [])]
        return " + ".join(parts_)

    def lines(self, node: Node) -> Lines:
        """Write a value: declarations of what it uses twice, and the value itself."""
        self._bind(node)
        return Writer(self.types, self.known).lines([node], {}, self._locals)

    def value(self, node: Node) -> Value:
        """Write a value as one expression."""
        self._bind(node)
        return Writer(self.types, self.known).value(node)

    def _bind(self, node: Node) -> None:
        """Give everything that is no arithmetic its text; folds must have theirs before."""
        if node in self.known:
            return
        if isinstance(node, Number):
            self.known[node] = Value(f"({self.size(node.value)})", Kind.INTEGER)
        elif isinstance(node, At):
            self.known[node] = self._load(node)
        else:
            assert not isinstance(node, Fold), "folds are computed before what uses them"
            for child in node.children:
                self._bind(child)

    def _load(self, at: At) -> Value:
        if (plain := replace(at, guards=())) in self.known:
            return self.known[plain]  # computed at this very point, guarded or not
        name, dtype = self.buffer(at.buffer), self.dtypes[at.buffer]
        if at.buffer in self._scalars:
            return Writer(self.types, {}).loaded(name, dtype)
        if self.packed is not None and (pack := self._pack(self.packed, at)) is not None:
            return Writer(self.types, {}).loaded(pack, dtype)
        place = self.place(at.buffer, at.indices)
        element = f"__ldcg({name} + {place})" if at.buffer in self.uncached else f"{name}[{place}]"
        value = Writer(self.types, {}).loaded(element, dtype)
        guards = list(dict.fromkeys(at.guards))
        if not guards:
            return value
        met = " && ".join(self.value(guard).at(_TIGHT) for guard in guards)
        return Value(f"({met} ? {value.text} : {self.types.name(value.kind)}(0))", value.kind)

    def _pack(self, packed: PackedTexts, at: At) -> str | None:
        """Load an element together with its neighbours'; None where they do not lie in one pack."""
        access = None if at.guards else self.packed_access(at.buffer, at.indices)
        if access is None:
            return None
        name = self.fresh(f"{at.buffer}_pack")
        pack = self.pack_type(at.buffer)
        place = self.pack_place(at.buffer, at.indices, access.step)
        packed.loads[at] = (
            f"const {pack} {name} = *reinterpret_cast<const {pack}*>({self.buffer(at.buffer)} + {place});\n"
        )
        return f"{name}.lane[{packed.lane(access.step)}]"

    def packed_access(self, buffer: str, indices: tuple[Index, ...]) -> PackedAccess | None:
        """How neighbouring points touch an element; None where no pack holds what they touch."""
        if self.packed is None:
            return None
        return packed_access(indices, self.shapes[buffer], self.packed.axis, self.packed.width)

    def pack_type(self, buffer: str) -> str:
        """The C type of neighbouring elements of a buffer."""
        assert self.packed is not None, "points are taken together"
        return f"Pack<{self.ctype(buffer)}, {self.packed.macro}>"

    def pack_place(self, buffer: str, indices: tuple[Index, ...], step: int) -> str:
        """The flat place of the lowest of the elements that neighbouring points touch."""
        assert self.packed is not None, "points are taken together"
        each = self._axes[self.packed.axis]
        self._axes[self.packed.axis] = self.packed.first
        place = self.place(buffer, indices)
        self._axes[self.packed.axis] = each
        return place if step == 1 else f"{place} - ({self.packed.macro} - 1)"

    def pack_loads(self) -> tuple[str, frozenset[At]]:
        """The packs that were asked for since the last call: their declarations, and what they hold."""
        if self.packed is None:
            return "", frozenset()
        found, self.packed.loads = self.packed.loads, {}
        return "".join(found.values()), frozenset(found)

    def forget(self, nodes: Iterable[Node]) -> None:
        """Write these anew when they are next needed."""
        for node in nodes:
            self.known.pop(node, None)

    def cast(self, value: Value, kind: Kind) -> Value:
        """A value as another kind."""
        return Writer(self.types, {}).cast(value, kind)

    def stored(self, buffer: str, value: Value) -> str:
        """A value as an element of a buffer."""
        return Writer(self.types, {}).stored(value, self.dtypes[buffer])

    def ctype(self, buffer: str) -> str:
        """The C type of a buffer's elements."""
        return storage(self.dtypes[buffer])

    def declared(self, buffer: str, *, written: bool, read_only: bool) -> str:
        """A buffer or a scalar as a parameter."""
        ctype = storage(self.dtypes[buffer])
        if buffer in self._scalars:
            return f"const {ctype} {self.used[buffer]}"
        const = "" if written else "const "
        return f"{const}{ctype}*{' __restrict__' if read_only else ''} {self.used[buffer]}"


def size_macro(dim: str) -> str:
    """Name of the macro that is a dim."""
    return f"SIZE_{dim.upper()}"


_TIGHT = 99
"""Brackets around everything but a name or a call."""
