"""Which family of kernels a task belongs to, found from what its reference computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from agent.composer import ir
from agent.composer.ir import Leaf, Node, Reduce
from agent.composer.reading import Reading, ReadingError, read
from agent.composer.shapes import (
    Lowered,
    Lowering,
    Shape,
    ShapeError,
    has_row_reduction,
    is_single,
    normal,
    padded,
)
from tools.tasks.task import Task, TaskArgument

_DTYPES = frozenset({"float16", "bfloat16", "float32", "float64", "int32", "int64", "bool"})


@dataclass(frozen=True)
class NotKnown:
    """The composer has no family for the task."""

    reason: str

    def __str__(self) -> str:
        return f"the composer does not know this family: {self.reason}; configure a model with --model"


@dataclass(frozen=True)
class Problem:
    """What every family shares.

    Attributes:
        arguments: The task's arguments by name.
        labels: Names that the reference gives to values.
        ordered: Whether two runs must agree bit by bit, so no floating atomics.
    """

    arguments: Mapping[str, TaskArgument]
    labels: tuple[tuple[Node, str], ...]
    ordered: bool


@dataclass(frozen=True)
class RowReduction:
    """A row program: reductions over the last axis in stages, each seeing the results of those before.

    Attributes:
        space: Shape of the matrix; all axes but the last count rows.
        stages: The reductions, by stage.
        outputs: Outputs with one value an element.
        row_outputs: Outputs with one value a row.
    """

    problem: Problem
    space: Shape
    stages: tuple[tuple[Reduce, ...], ...]
    outputs: tuple[tuple[str, Node], ...]
    row_outputs: tuple[tuple[str, Node], ...]


@dataclass(frozen=True)
class Transposition:
    """A transposed input, each element passed through `value`."""

    problem: Problem
    space: Shape
    source: Leaf
    output: str
    value: Node


Family = RowReduction | Transposition


def recognise(task: Task) -> Family | NotKnown:
    """Find the family of a task from its reference and its arguments."""
    odd = [argument for argument in task.arguments if argument.dtype not in _DTYPES]
    if odd:
        return NotKnown(f"argument {odd[0].name} has dtype {odd[0].dtype}")
    inputs = [argument for argument in task.arguments if argument.role != "out"]
    try:
        reading = read(task.reference, [argument.name for argument in inputs], task.dims)
        lowering = Lowering({argument.name: argument.shape for argument in inputs})
        outputs = {name: lowering.lower(node) for name, node in reading.outputs}
        problem = _problem(task, reading, lowering)
        _check_outputs(problem, outputs)
        return _classify(problem, outputs)
    except (ReadingError, ShapeError) as error:
        return NotKnown(str(error))


def _problem(task: Task, reading: Reading, lowering: Lowering) -> Problem:
    labels: dict[Node, str] = {}
    for node, name in reading.labels:
        try:
            labels.setdefault(lowering.lower(node)[0], name)
        except ShapeError:
            continue  # a name for something that no output uses
    return Problem({a.name: a for a in task.arguments}, tuple(labels.items()), task.deterministic)


def _check_outputs(problem: Problem, outputs: Mapping[str, Lowered]) -> None:
    written = {a.name for a in problem.arguments.values() if a.is_output}
    if written != set(outputs):
        raise ShapeError(f"the reference returns {sorted(outputs)}, the task's outputs are {sorted(written)}")
    for name, (_, shape) in outputs.items():
        wanted = tuple(normal(extent) for extent in problem.arguments[name].shape)
        if _squeezed(wanted) != _squeezed(shape):
            raise ShapeError(
                f"output {name} has shape ({', '.join(wanted)}), computed is ({', '.join(shape)})"
            )


def _squeezed(shape: Shape) -> Shape:
    return tuple(extent for extent in shape if extent != "1")


def _classify(problem: Problem, outputs: Mapping[str, Lowered]) -> Family:
    nodes = [node for value, _ in outputs.values() for node in ir.walk(value)]
    reductions = list(dict.fromkeys(node for node in nodes if isinstance(node, Reduce)))
    turned = list(dict.fromkeys(node for node in nodes if isinstance(node, Leaf) and node.transposed))
    single = len(outputs) == 1
    name, (value, shape) = next(iter(outputs.items()))
    if any(isinstance(node, ir.Matmul) for node in nodes):
        raise ShapeError("a matrix product")
    if turned:
        if len(turned) > 1 or reductions or not single or _other_arrays(value, turned[0]):
            raise ShapeError("a transpose combined with other arrays")
        return Transposition(problem, shape, turned[0], name, value)
    if any(reduction.axis is None for reduction in reductions):
        raise ShapeError("a reduction over everything")
    if reductions:
        return _rows(problem, reductions, outputs)
    raise ShapeError("elementwise arithmetic")


def _other_arrays(value: Node, source: Leaf) -> bool:
    leaves = (node for node in ir.walk(value) if isinstance(node, Leaf) and node != source)
    return any(not is_single(leaf.shape or ()) for leaf in leaves)


def _rows(problem: Problem, reductions: list[Reduce], outputs: Mapping[str, Lowered]) -> RowReduction:
    space = _space(reductions)
    full: list[tuple[str, Node]] = []
    rows: list[tuple[str, Node]] = []
    for name, (value, shape) in outputs.items():
        if shape == space:
            _check_leaves(value, space)
            full.append((name, value))
        elif shape in (space[:-1], (*space[:-1], "1")):
            rows.append((name, _per_row(value) if shape == space[:-1] else value))
            _check_leaves(rows[-1][1], (*space[:-1], "1"))
        else:
            raise ShapeError(
                f"output {name} of shape ({', '.join(shape)}) beside rows of ({', '.join(space)})"
            )
    level: dict[Node, int] = {}
    for reduction in reductions:  # operands come before the reductions that use them
        below = [level[node] for node in ir.walk(reduction.operand) if isinstance(node, Reduce)]
        level[reduction] = 1 + max(below, default=-1)
    stages = tuple(tuple(r for r in reductions if level[r] == s) for s in range(1 + max(level.values())))
    return RowReduction(problem, space, stages, tuple(full), tuple(rows))


def _space(reductions: list[Reduce]) -> Shape:
    """The shape that the reductions run over; all must share it."""
    spaces: list[Shape] = []
    for reduction in reductions:
        shapes = [node.shape or () for node in _leaves(reduction.operand)]
        rank = max((len(shape) for shape in shapes), default=0)
        axes = zip(*(padded(shape, rank) for shape in shapes), strict=True)
        space = tuple(next((extent for extent in axis if extent != "1"), "1") for axis in axes)
        if has_row_reduction(reduction.operand) and len(space) < 2:
            raise ShapeError("a reduction of values that are already reduced")
        if reduction.axis is not None and is_single(space[-1:]):
            raise ShapeError("a row reduction of values that are the same along the row")
        _check_leaves(reduction.operand, space)
        spaces.append(space)
    if len(set(spaces)) != 1:
        raise ShapeError("reductions over arrays of several shapes")
    return spaces[0]


def _leaves(node: Node) -> list[Leaf]:
    """The leaves of a tree that are not below another reduction."""
    if isinstance(node, Leaf):
        return [node]
    return [leaf for child in node.children if not isinstance(child, Reduce) for leaf in _leaves(child)]


def _per_row(node: Node) -> Node:
    """Give the leaves beside reductions that lost their last axis a last axis of extent 1."""
    return _map_leaves(node, lambda leaf: replace(leaf, shape=(*leaf.shape, "1")) if leaf.shape else leaf)


def _map_leaves(node: Node, change: Callable[[Leaf], Leaf]) -> Node:
    match node:
        case Leaf():
            return change(node)
        case ir.Unary(operand=operand):
            return replace(node, operand=_map_leaves(operand, change))
        case ir.Binary(left=left, right=right):
            return replace(node, left=_map_leaves(left, change), right=_map_leaves(right, change))
        case ir.Where(condition=condition, yes=yes, no=no):
            return ir.Where(_map_leaves(condition, change), _map_leaves(yes, change), _map_leaves(no, change))
        case _:
            return node


@dataclass(frozen=True)
class LeafIndexing:
    """Where a leaf is read in a space: `full`, `one`, `column` (by last index) or `row` (by the others)."""

    kind: str
    leaf: Leaf = field(compare=False)


def place(leaf: Leaf, space: Shape) -> LeafIndexing:
    """Say how a leaf is indexed.

    Raises:
        ShapeError: It is spread over the space in another way.
    """
    shape = padded(leaf.shape or (), len(space))
    if is_single(shape):
        return LeafIndexing("one", leaf)
    if shape == space:
        return LeafIndexing("full", leaf)
    if is_single(shape[:-1]) and shape[-1:] == space[-1:]:
        return LeafIndexing("column", leaf)
    if shape[:-1] == space[:-1] and shape[-1] == "1":
        return LeafIndexing("row", leaf)
    raise ShapeError(f"input {leaf.name} of shape ({', '.join(leaf.shape or ())}) in ({', '.join(space)})")


def _check_leaves(node: Node, space: Shape) -> None:
    if isinstance(node, Reduce):
        return
    if isinstance(node, Leaf):
        place(node, space)
    for child in node.children:
        _check_leaves(child, space)
