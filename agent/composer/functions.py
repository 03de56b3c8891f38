"""Small device functions that hold a kernel's arithmetic, so that every way of looping calls the same one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.composer.expressions import Kind, Types, Value, Writer, kind_of, storage
from agent.composer.families import Problem
from agent.composer.ir import Dim, Leaf, Node, Reduce
from agent.composer.names import Names


@dataclass(frozen=True)
class ElementFunction:
    """A device function of the values of some nodes.

    Attributes:
        name: How it is called.
        text: Its definition; empty where it would only hand its parameter on.
        inputs: The nodes whose values it takes, in order.
        kind: Kind of what it returns.
    """

    name: str
    text: str
    inputs: tuple[Node, ...]
    kind: Kind

    def call(self, values: Mapping[Node, str]) -> str:
        """Write a call, or the one value itself."""
        arguments = ", ".join(values[node] for node in self.inputs)
        return f"{self.name}({arguments})" if self.text else arguments


class FunctionMaker:
    """Makes the element functions of one kernel file."""

    def __init__(self, problem: Problem) -> None:
        self.types = Types.of(argument.dtype for argument in problem.arguments.values())
        self._problem = problem
        self._count = 0

    def leaf_kind(self, leaf: Leaf) -> Kind:
        """The kind of an argument's elements once loaded."""
        return kind_of(self._problem.arguments[leaf.name].dtype)

    def make(
        self, wanted: str, node: Node, given: Mapping[Node, Kind], dtype: str | None = None
    ) -> ElementFunction:
        """Make the function that computes a node.

        Args:
            wanted: Its name.
            node: What to compute.
            given: Nodes besides leaves and sizes whose values are handed in, with their kinds.
            dtype: What to convert the result to for storing; None keeps the kind it is computed in.
        """
        inputs = tuple(dict.fromkeys(_inputs(node, given)))
        names = Names()
        bound: dict[Node, Value] = {}
        for item in inputs:
            kind = (
                given[item]
                if item in given
                else self.leaf_kind(item)
                if isinstance(item, Leaf)
                else Kind.INTEGER
            )
            bound[item] = Value(names.fresh(self._wanted(item)), kind)
        writer = Writer(self.types, bound)
        labels = {
            labelled: names.fresh(name) for labelled, name in self._problem.labels if labelled not in bound
        }
        written = writer.lines([node], labels)
        (value,) = written.values
        if dtype is None and value.kind is Kind.BOOL:
            value = writer.cast(value, Kind.INTEGER)
        result = self.types.name(value.kind) if dtype is None else storage(dtype)
        text = value.text if dtype is None else writer.stored(value, dtype)
        if node in bound and text == bound[node].text:
            return ElementFunction(wanted, "", inputs, value.kind)
        parameters = ", ".join(
            f"const {self.types.name(bound[item].kind)} {bound[item].text}" for item in inputs
        )
        body = "".join(f"    {line}\n" for line in (*written.lines, f"return {text};"))
        head = f"__device__ __forceinline__ {result} {wanted}({parameters})"
        return ElementFunction(wanted, f"{head} {{\n{body}}}\n", inputs, value.kind)

    def _wanted(self, node: Node) -> str:
        for labelled, name in self._problem.labels:
            if labelled == node:
                return name
        match node:
            case Leaf(name=name):
                return name
            case Dim():
                return "extent"
            case Reduce(op=op):
                return f"{op}_value"
            case _:
                return "given"


def _inputs(node: Node, given: Mapping[Node, Kind]) -> Iterator[Node]:
    if node in given or isinstance(node, Leaf | Dim):
        yield node
        return
    for child in node.children:
        yield from _inputs(child, given)


def texts(functions: Sequence[ElementFunction]) -> str:
    """The definitions, one after the other."""
    return "\n".join(function.text for function in functions if function.text)
