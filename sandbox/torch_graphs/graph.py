"""What a PyTorch function or module computes, as data: operators of ATen, sizes as expressions in symbols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sandbox.device import Array


class ArgumentKind(StrEnum):
    """What an argument of an operator is."""

    VALUE = "value"
    """The result of a node, or an input; the text is its name."""
    SIZE = "size"
    """A whole number; the text is an expression in the graph's symbols, in the language of tasks."""
    REAL = "real"
    """A floating point number; the text is Python's own of it."""
    TRUTH = "truth"
    """True or False."""
    TEXT = "text"
    """A word, as a way to reduce, or a dtype by its name."""
    NOTHING = "nothing"
    """None."""
    LIST = "list"
    """Several arguments."""


@dataclass(frozen=True)
class GraphArgument:
    """One argument of an operator."""

    kind: ArgumentKind
    text: str = ""
    items: tuple[GraphArgument, ...] = ()


@dataclass(frozen=True)
class GraphTensor:
    """What is known of a tensor.

    Attributes:
        dtype: As NumPy names it; `bfloat16` too.
        shape: An expression in the graph's symbols for each axis.
    """

    dtype: str
    shape: tuple[str, ...]


class InputOrigin(StrEnum):
    """Where an input of a graph is from."""

    GIVEN = "given"
    """The caller gives it."""
    PARAMETER = "parameter"
    """A parameter of the module, or a buffer that stands for learnt values."""
    CONSTANT = "constant"
    """A tensor that the module or the code holds, whose values are part of what it computes."""


@dataclass(frozen=True)
class GraphInput:
    """An input of a graph.

    Attributes:
        name: As arguments of nodes name it.
        path: As people do: an argument of the function, or a path in the module such as `conv.weight`.
        data: A generator call of tasks whose values are like those that the example had.
        owner: Name of the class of the module that holds it, empty for others.
        values: Of a constant.
    """

    name: str
    path: str
    origin: InputOrigin
    tensor: GraphTensor
    data: str = ""
    owner: str = ""
    values: Array | None = None


@dataclass(frozen=True)
class GraphNode:
    """One application of an operator.

    Attributes:
        operator: With its overload, as `aten.linear.default`; `getitem` takes one of several results.
        results: One tensor, or several where the operator has several results.
        line: In the file that was exported; 0 where that is not known.
        repeatable: Whether a reference may ask PyTorch for it: ATen's, and a function of its arguments alone.
        several: Whether its results are a list of tensors, be it of one.
    """

    name: str
    operator: str
    arguments: tuple[GraphArgument, ...]
    keywords: Mapping[str, GraphArgument]
    results: tuple[GraphTensor, ...]
    line: int
    repeatable: bool = False
    several: bool = False

    @property
    def plain_operator(self) -> str:
        """The operator's name without `aten.` and without its overload."""
        return self.operator.removeprefix("aten.").partition(".")[0]


@dataclass(frozen=True)
class SizeSymbol:
    """A size that may be another.

    Attributes:
        size: In the example.
        least: The least that the graph was seen to take, the other sizes being those of the example.
        multiple_of: What all sizes must be multiples of.
        largest: Whether nothing larger than the example's is taken.
    """

    size: int
    least: int = 1
    multiple_of: int = 1
    largest: bool = False


@dataclass(frozen=True)
class TorchGraph:
    """A graph.

    Attributes:
        nodes: In an order in which they can be computed.
        outputs: Names of nodes or inputs.
        symbols: By name.
        integers: Whole numbers that the file names at its top level: what people call the sizes.
        notes: What the graph leaves out, or takes for something else.
        examples: What the function calls its example inputs, in order, those among them that are no tensors.
    """

    inputs: tuple[GraphInput, ...]
    nodes: tuple[GraphNode, ...]
    outputs: tuple[str, ...]
    symbols: Mapping[str, SizeSymbol]
    integers: Mapping[str, int]
    notes: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportCall:
    """Role `torch`: export this; the reply is a `TorchGraph` or an `ExportFault`.

    Attributes:
        text: The whole of a Python file. Its code runs in the worker, and nowhere else.
        file: Its name, for messages.
        target: What is exported: the name of a function, of a module, or of a class of modules.
        inputs: Name of a function without arguments that returns a list of example inputs, or a dict of them and of
            parameters by name.
        settings: Name of a function that returns the list of a class's arguments (or arguments and keywords); empty
            for none.
        fixed: Every size is the example's own.
    """

    text: str
    file: str
    target: str = "Model"
    inputs: str = "get_inputs"
    settings: str = "get_init_inputs"
    fixed: bool = False


@dataclass(frozen=True)
class ExportFault:
    """Why there is no graph.

    Attributes:
        line: Of the file, where known.
    """

    message: str
    line: int | None


@dataclass(frozen=True)
class EvaluateCall:
    """Role `torch`: compute an exported graph; the reply is an `Evaluated` or an `ExportFault`.

    Attributes:
        exported: What was exported; a worker that remembers it need not do so again.
        sizes: Of every symbol.
        inputs: By the name of the graph's input, without constants; computed in float64.
        outputs: Names of nodes that are asked for instead of the program's own outputs; inputs may then be nodes too,
            and need only be enough to compute these.
    """

    exported: ExportCall
    sizes: Mapping[str, int]
    inputs: Mapping[str, Array] = field(default_factory=dict[str, Array])
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evaluated:
    """The outputs of a graph, in order; floating ones float64."""

    outputs: tuple[Array, ...]


@dataclass(frozen=True)
class SizesCall:
    """Role `torch`: which of these sizes an exported graph takes, and fits; the reply is a `FittingSizes`."""

    exported: ExportCall
    sizes: tuple[Mapping[str, int], ...]


@dataclass(frozen=True)
class FittingSizes:
    """For each of several sizes, whether the graph takes it."""

    fits: tuple[bool, ...]


@dataclass(frozen=True)
class CapturedCall:
    """Role `torch`: read a file of captured tensors; the reply is a `CapturedTensors` or an `ExportFault`.

    Attributes:
        file: Its name; the ending says what it is.
        data: All of it.
    """

    file: str
    data: bytes


@dataclass(frozen=True)
class CapturedTensor:
    """One tensor or number of a file.

    Attributes:
        name: Its own, or its place in the file's list.
        plain: Whether it is a number of Python; NumPy's files do not tell it from a tensor without axes.
    """

    name: str
    values: Array
    plain: bool = False


@dataclass(frozen=True)
class CapturedTensors:
    """What a file holds, in order; `named` where the names are the file's own."""

    tensors: tuple[CapturedTensor, ...]
    named: bool
