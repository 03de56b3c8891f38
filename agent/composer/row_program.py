"""What a row kernel computes, pass by pass, apart from how it loops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.composer.expressions import Kind, Value, Writer, dims, leaves
from agent.composer.families import RowReduction, place
from agent.composer.functions import ElementFunction, FunctionMaker
from agent.composer.ir import Dim, Leaf, Literal, Node, Reduce, walk
from agent.composer.kernel_text import KernelParameter, buffers, extent
from agent.composer.names import Names
from agent.composer.shapes import product


@dataclass(frozen=True)
class Running:
    """A reduction of a pass: the function of an element, and the variable that gathers it."""

    op: str
    kind: Kind
    name: str
    function: ElementFunction


@dataclass(frozen=True)
class Stored:
    """An output of a pass: the function of an element, and the argument that takes it."""

    argument: str
    function: ElementFunction


@dataclass(frozen=True)
class Pass:
    """One walk along the row.

    Attributes:
        prepare: Declarations of values of the whole row that the walk needs.
        leaves: What it reads at each element.
    """

    prepare: tuple[str, ...]
    leaves: tuple[Leaf, ...]
    running: tuple[Running, ...]
    stored: tuple[Stored, ...]


class RowProgram:
    """The passes of a row kernel, with names for everything."""

    def __init__(self, family: RowReduction, *, read_only: bool) -> None:
        self.family = family
        self.maker = FunctionMaker(family.problem)
        self.types = self.maker.types
        self.names = Names("ck")
        self._labels = dict(family.problem.labels)
        roots = [reduction.operand for stage in family.stages for reduction in stage]
        roots += [value for _, value in (*family.outputs, *family.row_outputs)]
        self.leaves = leaves(roots)
        touched = dict.fromkeys([leaf.name for leaf in self.leaves])
        touched |= dict.fromkeys(name for name, _ in (*family.outputs, *family.row_outputs))
        declared = buffers(
            (family.problem.arguments[name] for name in touched), self.names, read_only=read_only
        )
        self.buffer = declared.names
        self.parameters = list(declared.parameters)
        self.values: dict[Node, str] = {}
        self._bind_sizes(roots)
        self._bind_leaves()
        self._writer = Writer(self.types, self._initial())
        self.passes = tuple(self._passes())
        self.results = tuple(self._results())

    def _bind_sizes(self, roots: list[Node]) -> None:
        space = self.family.space
        for size in dims(roots):
            if size.text == space[-1]:
                self.values[size] = "cols"
            elif size.text == product(space[:-1]):
                self.values[size] = "rows"
            else:
                name = self.names.fresh(f"extent_{size.text}" if size.text.isidentifier() else "extent")
                self.values[size] = name
                self.parameters.append(extent(name, size.text))
        self.parameters += [extent("rows", product(space[:-1])), extent("cols", space[-1])]

    def _bind_leaves(self) -> None:
        for leaf in self.leaves:
            name = self.buffer[leaf.name]
            kind = place(leaf, self.family.space).kind
            if self.family.problem.arguments[leaf.name].is_scalar:
                self.values[leaf] = name
            elif kind in ("row", "one"):
                self.values[leaf] = f"{name}[{'row' if kind == 'row' else '0'}]"
            else:
                self.values[leaf] = self.names.fresh(f"{name}_c")

    def _initial(self) -> Mapping[Node, Value]:
        bound: dict[Node, Value] = {}
        for node, text in self.values.items():
            if isinstance(node, Leaf):
                if not self._along_row(node):
                    dtype = self.family.problem.arguments[node.name].dtype
                    bound[node] = Writer(self.types, {}).loaded(text, dtype)
            else:
                bound[node] = Value(text, Kind.INTEGER)
        return bound

    def _along_row(self, leaf: Leaf) -> bool:
        return place(leaf, self.family.space).kind in ("full", "column")

    def _passes(self) -> Iterator[Pass]:
        count = sum(len(stage) for stage in self.family.stages)
        number = 0
        for stage in self.family.stages:
            prepare, given = self._prepare([reduction.operand for reduction in stage])
            running: list[Running] = []
            for reduction in stage:
                number += 1
                wanted = f"term{number}" if count > 1 else "term"
                function = self.maker.make(wanted, reduction.operand, given)
                kind = max(function.kind, Kind.INTEGER)
                name = self.names.fresh(self._labels.get(reduction, f"row_{reduction.op}"))
                running.append(Running(reduction.op, kind, name, function))
            yield self._pass(prepare, [reduction.operand for reduction in stage], running, [])
            for reduction, done in zip(stage, running, strict=True):
                self._bind(reduction, Value(done.name, done.kind))
        if self.family.outputs:
            yield self._last()

    def _last(self) -> Pass:
        roots = [value for _, value in self.family.outputs]
        prepare, given = self._prepare(roots)
        stored: list[Stored] = []
        for name, value in self.family.outputs:
            wanted = "compute" if len(roots) == 1 else f"compute_{name}"
            dtype = self.family.problem.arguments[name].dtype
            stored.append(Stored(name, self.maker.make(wanted, value, given, dtype)))
        return self._pass(prepare, roots, [], stored)

    def _pass(
        self, prepare: list[str], roots: list[Node], running: list[Running], stored: list[Stored]
    ) -> Pass:
        read = tuple(leaf for leaf in leaves(roots) if self._along_row(leaf))
        return Pass(tuple(prepare), read, tuple(running), tuple(stored))

    def _bind(self, node: Node, value: Value) -> None:
        self._writer.bind(node, value)
        self.values[node] = value.text

    def _prepare(self, roots: list[Node]) -> tuple[list[str], dict[Node, Kind]]:
        """Declare what is one value for the whole row and not yet at hand."""
        wanted = list(dict.fromkeys(atom for root in roots for atom in self._atoms(root)))
        fresh = [atom for atom in wanted if not self._writer.is_bound(atom)]
        labels = {atom: self.names.fresh(self._labels[atom]) for atom in fresh if atom in self._labels}
        written = self._writer.lines(fresh, labels)
        lines = list(written.lines)
        for atom, value in zip(fresh, written.values, strict=True):
            if atom not in labels:
                name = self.names.fresh("row_value")
                lines.append(f"const {self.types.name(value.kind)} {name} = {value.text};")
                value = Value(name, value.kind)
            self._bind(atom, value)
        return lines, {atom: self._writer.kind(atom) for atom in wanted}

    def _atoms(self, node: Node) -> Iterator[Node]:
        """The largest subtrees that are one value for the whole row and take work to compute."""
        if self._row_level(node):
            if any(isinstance(part, Reduce) or self._per_row(part) for part in walk(node)):
                yield node
            return
        for child in node.children:
            yield from self._atoms(child)

    def _row_level(self, node: Node) -> bool:
        match node:
            case Reduce() | Literal() | Dim():
                return True
            case Leaf():
                return not self._along_row(node)
            case _:
                return all(self._row_level(child) for child in node.children)

    def _per_row(self, node: Node) -> bool:
        return isinstance(node, Leaf) and place(node, self.family.space).kind == "row"

    def _results(self) -> Iterator[str]:
        """Statements that store the outputs with one value a row."""
        for name, node in self.family.row_outputs:
            dtype = self.family.problem.arguments[name].dtype
            value = self._writer.stored(self._writer.value(node), dtype)
            yield f"{self.buffer[name]}[row] = {value};"

    def parameter_list(self) -> tuple[KernelParameter, ...]:
        """The kernel's parameters in order."""
        return tuple(self.parameters)
