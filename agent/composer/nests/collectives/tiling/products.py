"""Which nests sum products of two factors, and how the factors lie in memory."""

from __future__ import annotations

from dataclasses import dataclass

from agent.composer.ir import Binary, Node
from agent.composer.nests.points import At, Fold, axes_of, folds_in, loads
from agent.composer.nests.program import Nest
from agent.composer.nests.sizes import Axis, Size


@dataclass(frozen=True)
class Factor:
    """One factor of a product.

    Attributes:
        side: `left`, which does not know the columns, or `right`, which does not know the rows.
        outer: Its axes along the result: rows or columns.
        depth: The axes that are summed.
    """

    side: str
    value: Node
    outer: tuple[Axis, ...]
    depth: tuple[Axis, ...]

    @property
    def is_deep(self) -> bool:
        """Whether memory runs along what is summed: that of the array with most axes, where it reads several."""
        found = [at for at in loads(self.value) if at.indices]
        largest = max(found, key=lambda at: len(at.indices), default=None)
        return largest is not None and _walks(largest, self.depth[-1]) and not _walks(largest, self.outer[-1])

    @property
    def run(self) -> Axis:
        """The axis along which tiles are read."""
        return (self.depth if self.is_deep else self.outer)[-1]

    @property
    def element(self) -> At | None:
        """The element of a buffer that it is; None where it is computed."""
        return self.value if isinstance(self.value, At) else None


@dataclass(frozen=True)
class Product:
    """A sum of `left` times `right`, for each combination of `batch`, which both know."""

    fold: Fold
    left: Factor
    right: Factor
    batch: tuple[Axis, ...]


def product_of(nest: Nest) -> Product | None:
    """The product that a nest sums; None where it does something else."""
    stage = nest.stages[0]
    if len(nest.stages) != 1 or nest.extra(stage) or len(nest.axes) < 2 or stage.is_scattered or stage.turns:
        return None
    match list(dict.fromkeys(folds_in(stage.value))):
        case [Fold(op="sum", body=Binary(op="*", left=one, right=other)) as fold]:
            last = nest.axes[-1]
            left, right = (other, one) if last in axes_of(one) else (one, other)
            rows = tuple(axis for axis in nest.axes if axis not in axes_of(right))
            columns = tuple(axis for axis in nest.axes if axis not in axes_of(left))
            batch = tuple(axis for axis in nest.axes if axis not in (*rows, *columns))
            if not rows or last not in columns or set(rows) & set(columns) or _is_ragged(nest, fold):
                return None
            return Product(
                fold, Factor("left", left, rows, fold.axes), Factor("right", right, columns, fold.axes), batch
            )
        case _:
            return None


def _is_ragged(nest: Nest, fold: Fold) -> bool:
    """Whether an extent depends on another axis, as in a triangle."""
    return any(True for axis in (*nest.axes, *fold.axes) for _ in axis.extent.axes())


def _walks(at: At, axis: Axis) -> bool:
    """Whether an axis steps through neighbours in memory."""
    return isinstance(at.indices[-1], Size) and axis in at.indices[-1].atoms
