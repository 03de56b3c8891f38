"""From a graph of ATen operators to the text of a reference in NumPy: one statement a node, in dims of the task."""

from __future__ import annotations

import inspect
import json
import keyword
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from agent.importing.graphs.kept import KeptOperator
from sandbox.torch_graphs.graph import ArgumentKind, GraphArgument, GraphNode, GraphTensor
from tools import expressions

_FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})
_SAYS_NOTHING = frozenset({"layout", "device", "pin_memory", "memory_format", "non_blocking", "generator"})
_LETTER = re.compile(r"[A-Za-z_]")
_NAME = re.compile(r"[A-Za-z_]\w*")
_RESERVED = frozenset({"np", "range", "min", "max", "sum", "abs", "erf", "aten", "reference"})


class NotTranslated(Exception):
    """An operator has no meaning in NumPy here; the text says which, and why.

    Attributes:
        line: Of the file that was exported; 0 where that is not known.
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


class SizeText(str):
    """A size that follows from dims: an expression, as Python and tasks read it."""


@dataclass(frozen=True)
class Operand:
    """A tensor as text.

    Attributes:
        text: A name, or a number.
        shape: An expression in dims for each axis.
    """

    text: str
    dtype: str
    shape: tuple[str, ...]

    def __str__(self) -> str:
        return self.text

    @property
    def rank(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    @property
    def is_float(self) -> bool:
        """Whether its dtype is a floating point one."""
        return self.dtype in _FLOATS

    def axis(self, axis: int) -> int:
        """The axis, counted from the front."""
        return axis % max(self.rank, 1)


Handler = Callable[..., "str | Sequence[str]"]
H = TypeVar("H", bound=Handler)
OPERATORS: dict[str, Handler] = {}
"""By name, with or without overload: what writes an operator. It gets the translator and the operator's arguments:
tensors as `Operand`, whole numbers as `int`, or `SizeText` where they follow from dims, all else as itself."""


def operator(*names: str) -> Callable[[H], H]:
    """Register what writes these operators, named as ATen does, without `aten.`."""

    def register(handler: H) -> H:
        OPERATORS.update(dict.fromkeys(names, handler))
        return handler

    return register


@dataclass
class Translator:
    """Writes the statements of a reference.

    Attributes:
        sizes: Names of dims by symbol.
        values: Each value that is known so far.
        lines: The statements.
        special: What is imported from `special`.
        notes: What is taken for something else.
        keeps: Whether an operator without a translation stays PyTorch's own, where it is a function of its arguments.
        kept: Those that stay so.
    """

    sizes: Mapping[str, str]
    values: dict[str, Operand | list[Operand | None]] = field(default_factory=dict[str, Any])
    lines: list[str] = field(default_factory=list[str])
    special: set[str] = field(default_factory=set[str])
    notes: dict[str, None] = field(default_factory=dict[str, None])
    keeps: bool = False
    kept: list[KeptOperator] = field(default_factory=list[KeptOperator])
    taken: set[str] = field(default_factory=lambda: set(_RESERVED))
    node: GraphNode | None = None
    """The node that is being written."""

    def size(self, text: str) -> str:
        """Return an expression in symbols as one in dims."""
        found = _NAME.sub(lambda found: self.sizes.get(found[0], found[0]), text)
        return found if _LETTER.search(found) else str(expressions.parse(found).evaluate({}))

    def shape(self, tensor: GraphTensor) -> tuple[str, ...]:
        """Return a tensor's shape in dims."""
        return tuple(self.size(side) for side in tensor.shape)

    def name(self, wanted: str) -> str:
        """Take a name that nothing has."""
        wanted = re.sub(r"\W", "_", wanted).lower().strip("_") or "value"
        wanted = f"v_{wanted}" if wanted[0].isdigit() else wanted
        found, number = wanted, 2
        while found in self.taken or keyword.iskeyword(found):
            found, number = f"{wanted}_{number}", number + 1
        self.taken.add(found)
        return found

    def let(self, wanted: str, expression: str) -> str:
        """Write a statement that gives an expression a name; return that."""
        name = self.name(wanted)
        self.lines.append(f"{name} = {expression}")
        return name

    def result(self, number: int = 0) -> GraphTensor:
        """A result of the node that is being written."""
        assert self.node is not None
        return self.node.results[number]

    def result_shape(self, number: int = 0) -> tuple[str, ...]:
        """The shape of a result, in dims."""
        return self.shape(self.result(number))

    def refuse(self, why: str) -> NotTranslated:
        """Return what to raise of the node that is being written."""
        assert self.node is not None
        name = self.node.operator.removeprefix("aten.").removesuffix(".default")
        return NotTranslated(f"operator {name}: {why}", self.node.line)

    def translate(self, node: GraphNode) -> None:
        """Write a node.

        Raises:
            NotTranslated: Its operator has no meaning here.
        """
        self.node = node
        if node.operator == "getitem":
            self._item(node)
            return
        before = (len(self.lines), set(self.taken), set(self.special), dict(self.notes))
        try:
            written = self._written(node)
        except NotTranslated as error:
            if not (self.keeps and node.repeatable and node.results):
                raise
            count, self.taken, self.special, self.notes = before
            del self.lines[count:]
            written = self._kept(node, error)
        if isinstance(written, str):
            self.values[node.name] = self._named(node.name, written, node.results[0])
            return
        self.values[node.name] = [
            self._named(f"{node.name}_{number}", text, tensor) if text else None
            for number, (text, tensor) in enumerate(zip(written, node.results, strict=False))
        ]

    def _written(self, node: GraphNode) -> str | Sequence[str]:
        """What an operator's handler writes of it."""
        full = node.operator.removeprefix("aten.").removesuffix(".default")
        handler = OPERATORS.get(full) or OPERATORS.get(full.partition(".")[0])
        if handler is None:
            raise self.refuse("it has no translation into NumPy")
        given, words = self._arguments(node)
        try:
            inspect.signature(handler).bind(self, *given, **words)
        except TypeError:
            raise self.refuse("it is called in a way that is not translated") from None
        return handler(self, *given, **words)

    def _kept(self, node: GraphNode, lacking: NotTranslated) -> str | Sequence[str]:
        """A call of PyTorch's own operator."""
        given, words = self._arguments(node)
        operator = node.operator.removeprefix("aten.")
        shown = [
            f'"{operator}"',
            *map(spoken, given),
            *(f"{name}={spoken(one)}" for name, one in words.items()),
        ]
        call = f"aten({', '.join(shown)})"
        self.kept.append(KeptOperator(node.name, operator, str(lacking), node.line))
        if not node.several:
            return call
        whole = self.let(node.name, call)
        return [f"{whole}[{number}]" for number in range(len(node.results))]

    def _arguments(self, node: GraphNode) -> tuple[list[Any], dict[str, Any]]:
        given = [self._argument(one) for one in node.arguments]
        named = {name: one for name, one in node.keywords.items() if name not in _SAYS_NOTHING}
        return given, {name: self._argument(one) for name, one in named.items()}

    def operand(self, name: str) -> Operand:
        """Return a value by the graph's name of it."""
        found = self.values[name]
        if not isinstance(found, Operand):
            raise NotTranslated(f"{name} is several tensors")
        return found

    def _item(self, node: GraphNode) -> None:
        source, index = node.arguments
        items = self.values[source.text]
        if isinstance(items, Operand):
            raise self.refuse("an item of one tensor")
        found = items[int(index.text)]
        if found is None:
            raise self.refuse(f"its result {index.text} is not translated")
        self.values[node.name] = found

    def _named(self, wanted: str, expression: str, tensor: GraphTensor) -> Operand:
        known = expression.isidentifier() and expression in self.taken
        name = expression if known else self.let(wanted, expression)
        return Operand(name, tensor.dtype, self.shape(tensor))

    def _argument(self, argument: GraphArgument) -> Any:
        match argument.kind:
            case ArgumentKind.VALUE:
                return self.values[argument.text]
            case ArgumentKind.SIZE:
                text = argument.text
                return int(text) if re.fullmatch(r"-?\d+", text) else SizeText(self.size(text))
            case ArgumentKind.REAL:
                return float(argument.text)
            case ArgumentKind.TRUTH:
                return argument.text == "True"
            case ArgumentKind.NOTHING:
                return None
            case ArgumentKind.TEXT:
                return argument.text
            case ArgumentKind.LIST:
                return [self._argument(one) for one in argument.items]


def spoken(value: Any) -> str:
    """Print an argument for PyTorch, whose kind of number matters there."""
    if isinstance(value, list):
        return f"[{', '.join(map(spoken, cast('list[Any]', value)))}]"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else number(value)
    if isinstance(value, str) and not isinstance(value, SizeText):
        return json.dumps(value)
    return str(value)


def number(value: Any) -> str:
    """Print a number, a size, or an operand, ready to stand in an expression."""
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return {"inf": "np.inf", "-inf": "-np.inf"}.get(repr(value), "np.nan")
        text = repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        return f"({text})" if value < 0 else text
    if isinstance(value, SizeText):
        return f"({value})" if not value.isidentifier() else str(value)
    return f"({value})" if isinstance(value, int) and value < 0 else str(value)


def tuple_text(items: Sequence[Any]) -> str:
    """Print a tuple."""
    texts = [str(item) for item in items]
    return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"


def axes_text(axes: Sequence[int] | int) -> str:
    """Print an axis, or several as a tuple."""
    if isinstance(axes, int):
        return str(axes)
    return str(axes[0]) if len(axes) == 1 else tuple_text(axes)
