"""Kernels before they are written: nests, and the program they make together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from agent.composer.expressions import Kind, Types
from agent.composer.ir import Node, Unary
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.collectives.counting import counted
from agent.composer.nests.collectives.moments import moments_of
from agent.composer.nests.collectives.scanning import scanned
from agent.composer.nests.collectives.solving import solved, system
from agent.composer.nests.collectives.sorting import order_of
from agent.composer.nests.points import Fold, folds_in, parts
from agent.composer.nests.sizes import Axis, Size, combinations
from tools.tasks.task import Task


def is_special(stage: FilledBuffer) -> bool:
    """Whether a kernel of another form fills the buffer: a scan, an order, a histogram, the solution of equations."""
    return bool(stage.turns or scanned(stage) or order_of(stage) or counted(stage) or solved(stage))


def folds_of(stage: FilledBuffer) -> Iterator[Fold]:
    """What a stage reduces, in its value and in where it goes."""
    for one in (stage.value, *stage.target):
        if isinstance(one, Node):
            yield from folds_in(one)


@dataclass(frozen=True)
class Nest:
    """One kernel: some buffers that share their first axes, filled one after the other.

    Attributes:
        axes: The shared axes; each combination is a point, worked on by a thread, a warp or a block.
        stages: In order; what the later read of the earlier is at the same point.
    """

    axes: tuple[Axis, ...]
    stages: tuple[FilledBuffer, ...]

    @property
    def turns(self) -> Axis | None:
        """The loop whose turns build on those before, where the kernel goes through one."""
        return self.stages[0].turns

    @property
    def folds(self) -> bool:
        """Whether it reduces anything."""
        return any(True for stage in self.stages for _ in folds_of(stage))

    @property
    def points(self) -> Size:
        """How many points there are."""
        return combinations(self.axes)

    def shapes_loops(self, axes: Iterable[Axis]) -> bool:
        """Whether how long a loop at a point is depends on some axes."""
        loops = {axis for stage in self.stages for axis in self.extra(stage)}
        loops |= {axis for stage in self.stages for fold in folds_of(stage) for axis in fold.axes}
        wanted = set(axes)
        return any(one in wanted for loop in loops for one in loop.extent.axes())

    def extra(self, stage: FilledBuffer) -> tuple[Axis, ...]:
        """The axes that a stage has beside the shared ones."""
        return stage.axes[len(self.axes) :]


@dataclass(frozen=True)
class NestProgram:
    """What computes a task.

    Attributes:
        nests: Kernels, in the order of their launches.
        shapes: Of every buffer, the task's own among them.
        outputs: The task's outputs, which the last stage of that name fills.
    """

    task: Task
    nests: tuple[Nest, ...]
    shapes: Mapping[str, tuple[Size, ...]]
    outputs: frozenset[str]

    @cached_property
    def types(self) -> Types:
        """The C types that are computed in: wide enough for arguments, and for what the reference converts to."""
        given = [argument.dtype for argument in self.task.arguments]
        values = [stage.value for nest in self.nests for stage in nest.stages]
        return Types.of(
            [*given, *(one.op for value in values for one in parts(value) if isinstance(one, Unary))]
        )

    @cached_property
    def dtypes(self) -> Mapping[str, str]:
        """The dtype of every buffer: what is no argument is as wide as what is computed in."""
        wide = {Kind.REAL: "float64" if self.types.real == "double" else "float32"}
        wide[Kind.INTEGER] = wide[Kind.BOOL] = "int64" if self.types.integer == "long long" else "int32"
        stages = [stage for nest in self.nests for stage in nest.stages]
        made = {stage.name: wide[stage.kind] for stage in stages}
        systems = {system(stage): wide[Kind.REAL] for stage in stages if solved(stage)}
        orders = [order for stage in stages if (order := order_of(stage))]
        runs = {order.runs: order.words(self.types)[0] for order in orders}
        sums = [found for nest in self.nests if (found := moments_of(nest))]
        parts_ = {one.parts: wide[Kind.REAL] for one in sums}
        return (
            made
            | systems
            | runs
            | parts_
            | {argument.name: argument.dtype for argument in self.task.arguments}
        )

    @property
    def sizes(self) -> Mapping[str, int]:
        """The dims that matter for speed: those of the largest case."""
        cases = [case.dims for case in self.task.benches or self.task.tests]
        return max(cases, key=lambda dims: sum(dims.values())) if cases else {}

    def count(self, size: Size, default: int = 1 << 17) -> int:
        """How many elements that is in the largest case, where indices are 0; the default where nobody knows."""
        size = size.rebuilt(lambda atom: Size() if isinstance(atom, Axis) else None)
        return size.value(self.sizes) if size.atoms <= set(self.sizes) else default
