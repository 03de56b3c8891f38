"""From buffers to kernels: what is dead goes, what is read once is joined, long sums are cut into pieces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.composer.expressions import Kind
from agent.composer.ir import Literal, Node
from agent.composer.nests.arrays import Array, NotExpressed, Stage
from agent.composer.nests.counting import counted
from agent.composer.nests.following import Followed
from agent.composer.nests.points import (
    At,
    Fold,
    Index,
    axes_of,
    chosen,
    compared,
    guarded,
    loads,
    parts,
    placed,
    rebuilt,
)
from agent.composer.nests.solving import solved
from agent.composer.nests.sizes import ONE, Axis, Quotient, Remainder, Size, product
from tools.tasks.task import Task, TaskArgument

_PIECES = 2048
"""About how many pieces of long sums there should be in all."""

_SHORT = 1 << 14
_FEW = 256
_NEUTRAL = {"sum": 0.0, "prod": 1.0, "max": float("-inf"), "min": float("inf")}


@dataclass(frozen=True)
class Nest:
    """One kernel: some buffers that share their first axes, filled one after the other.

    Attributes:
        axes: The shared axes; each combination is a point, worked on by a thread, a warp or a block.
        stages: In order; what the later read of the earlier is at the same point.
    """

    axes: tuple[Axis, ...]
    stages: tuple[Stage, ...]

    @property
    def folds(self) -> bool:
        """Whether it reduces anything."""
        return any(
            isinstance(part, Fold)
            for stage in self.stages
            for one in (stage.value, *stage.target)
            if isinstance(one, Node)
            for part in parts(one)
        )

    def extra(self, stage: Stage) -> tuple[Axis, ...]:
        """The axes that a stage has beside the shared ones."""
        return stage.axes[len(self.axes) :]


@dataclass(frozen=True)
class Program:
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

    @property
    def sizes(self) -> Mapping[str, int]:
        """The dims that matter for speed: those of the largest case."""
        cases = self.task.benches or self.task.tests
        return max((case.dims for case in cases), key=lambda dims: sum(dims.values()), default={})

    def count(self, size: Size, default: int = 1 << 20) -> int:
        """About how many elements that is."""
        return size.value(self.sizes) if size.atoms <= set(self.sizes) else default


def planned(task: Task, followed: Followed) -> Program:
    """Plan the kernels of a task.

    Raises:
        NotExpressed: An output has another shape than the task says.
    """
    arguments = {argument.name: argument for argument in task.arguments}
    outputs = [_output(arguments, name, array) for name, array in followed.outputs]
    written = {argument.name for argument in task.arguments if argument.is_output}
    if written != {stage.name for stage in outputs}:
        raise NotExpressed(
            f"the reference returns {sorted(s.name for s in outputs)}, the task has {sorted(written)}"
        )
    stages = _renamed([*followed.stages, *outputs], len(outputs))
    stages = [_split(stage) for stage in _alive(stages, written)]
    empty = Program(task, (), _shapes(task, stages), frozenset(written))
    stages = [piece for stage in stages for piece in _pieces(stage, empty)]
    stages = _inlined(stages, written)
    shapes = _shapes(task, stages)
    in_place = [one.name for one in task.arguments if one.role == "inout"]
    nests = _grouped(stages, empty)
    for name in in_place:
        nests = _swapped(nests, name) or _copied(nests, name, shapes)
    return replace(empty, nests=nests, shapes=shapes)


def _output(arguments: Mapping[str, TaskArgument], name: str, array: Array) -> Stage:
    from agent.composer.nests.functions import size_of

    if name not in arguments:
        raise NotExpressed(f"the reference returns {name}, which is no argument")
    shape = tuple(size_of(text) for text in arguments[name].shape)
    given = [size for size in array.shape if size != ONE]
    if given != [size for size in shape if size != ONE]:
        shown = ", ".join(size.expression() for size in array.shape)
        raise NotExpressed(f"{name} has shape ({', '.join(arguments[name].shape)}), computed is ({shown})")
    kept = tuple(axis for axis in array.axes if axis.extent != ONE)
    value = placed(array.body, {axis: Size() for axis in array.axes if axis.extent == ONE})
    return Stage(name, kept, value, array.kind)


def _shapes(task: Task, stages: Iterable[Stage]) -> dict[str, tuple[Size, ...]]:
    from agent.composer.nests.functions import size_of

    found = {one.name: tuple(size_of(text) for text in one.shape) for one in task.arguments}
    outputs = {one.name for one in task.arguments if one.is_output}
    return found | {stage.name: stage.shape for stage in stages if stage.name not in outputs}


def _renamed(stages: list[Stage], outputs: int) -> list[Stage]:
    """A buffer that only becomes an output is that output."""
    made, last = stages[:-outputs], stages[-outputs:]
    for position, stage in enumerate(last):
        match stage.value:
            case At(buffer=name, indices=indices, guards=()) if _same(indices, stage.axes):
                source = next((one for one in made if one.name == name), None)
                if source is not None and _uses(name, [*made, *last]) == 1:
                    last[position] = replace(source, name=stage.name)
                    made.remove(source)
            case _:
                continue
    return [*made, *last]


def _moves(stage: Stage, indices: Sequence[Index]) -> dict[Axis, Index]:
    return dict(zip(stage.axes, indices, strict=True))


def _same(indices: Sequence[Index], axes: Sequence[Axis]) -> bool:
    return list(indices) == [Size.of(axis) for axis in axes]


def _uses(name: str, stages: Iterable[Stage]) -> int:
    return sum(any(at.buffer == name for at in stage.reads()) for stage in stages)


def _swapped(nests: Sequence[Nest], name: str) -> tuple[Nest, ...] | None:
    """Let threads swap elements with their mirror images, where that is all that becomes of an array in place."""
    from agent.composer.nests.swapping import swapped

    if any(at.buffer == name for nest in nests[:-1] for stage in nest.stages for at in stage.reads()):
        return None
    last = swapped(nests[-1], name) if nests else None
    return None if last is None else (*nests[:-1], last)


def _copied(nests: Sequence[Nest], name: str, shapes: dict[str, tuple[Size, ...]]) -> tuple[Nest, ...]:
    """Copy an array that is changed in place, where it is read after that, or by another thread than the writer."""
    at = next(position for position, nest in enumerate(nests) if any(one.name == name for one in nest.stages))
    if not any(_reads_changed(nest, name) for nest in nests[at:]):
        return tuple(nests)
    copy, shape = f"{name}_before", shapes[name]
    shapes[copy] = shape
    axes = tuple(Axis(-1 - position, extent) for position, extent in enumerate(shape))
    kind = next(
        load.kind for nest in nests for one in nest.stages for load in one.reads() if load.buffer == name
    )
    first = Nest(axes, (Stage(copy, axes, At(name, tuple(map(Size.of, axes)), kind), kind),))
    moved = [
        replace(nest, stages=tuple(one.rebuilt(lambda node: _reads(node, name, copy)) for one in nest.stages))
        for nest in nests
    ]
    return (first, *moved)


def _reads(node: Node, old: str, new: str) -> Node:
    """The same value, read from another buffer."""

    def change(part: Node) -> Node:
        again = rebuilt(part, change)
        return replace(again, buffer=new) if isinstance(again, At) and again.buffer == old else again

    return change(node)


def _reads_changed(nest: Nest, name: str) -> bool:
    """Whether a nest reads what it, or a nest before it, has written; values at a point are read before any is stored."""
    own = next((one for one in nest.stages if one.name == name), None)
    for stage in nest.stages:
        for load in stage.reads():
            if load.buffer != name:
                continue
            beside = own is not None and stage is not own and bool(nest.extra(own))
            if own is None or beside or load.indices != own.target:
                return True
    return False


def _split(stage: Stage) -> Stage:
    """The stage with an axis taken apart that its value only takes apart: what a reshape joined."""
    for axis in stage.axes:
        by = _divisors(stage.value, axis)
        if len(by) != 1:
            continue
        (width,) = by
        outer, inner = (
            Axis(-2 * axis.number - 5000, axis.extent // width),
            Axis(-2 * axis.number - 5001, width),
        )
        joined = Size.of(outer) * width + Size.of(inner)
        axes = tuple(new for one in stage.axes for new in ((outer, inner) if one == axis else (one,)))
        place = tuple(joined if one == Size.of(axis) else one for one in stage.target)
        value = placed(stage.value, {axis: joined})
        if axis not in axes_of(value) and outer.extent * width == axis.extent:
            return _split(replace(stage, axes=axes, value=value, place=place, extents=stage.shape))
    return stage


def _divisors(node: Node, axis: Axis) -> set[Size]:
    """What an axis is divided by, with and without rest, in the indices of a value."""
    sizes = [one for at in loads(node) for one in at.indices if isinstance(one, Size)]
    return {
        atom.by for size in sizes for atoms, _ in size.terms for atom in atoms
        if isinstance(atom, Quotient | Remainder) and atom.over == Size.of(axis)
    }  # fmt: skip


def _alive(stages: Sequence[Stage], outputs: Iterable[str]) -> list[Stage]:
    needed = set(outputs)
    for stage in reversed(stages):
        if stage.name in needed:
            needed |= {at.buffer for at in stage.reads()}
    return [stage for stage in stages if stage.name in needed]


def scanned(stage: Stage) -> Axis | None:
    """The axis along which a stage is a running sum or the like."""
    match stage.value:
        case Fold(axes=(before,)):
            return next((axis for axis in stage.axes if before.extent == Size.of(axis) + 1), None)
        case _:
            return None


def is_special(stage: Stage) -> bool:
    """Whether a kernel of another form fills the buffer: a scan, a histogram, the solution of equations."""
    return bool(scanned(stage) or counted(stage) or solved(stage))


def _pieces(stage: Stage, program: Program) -> list[Stage]:
    """Cut a long reduction with few results into pieces, which a second stage puts together."""
    fold = stage.value
    if not isinstance(fold, Fold) or scanned(stage) or counted(stage):
        return [stage]
    total = product(tuple(axis.extent for axis in fold.axes))
    points = program.count(product(tuple(axis.extent for axis in stage.axes)), 2 * _FEW)
    if points > _FEW or program.count(total) < _SHORT:
        return [stage]
    count = 1 << max(3, min(10, (_PIECES // max(1, points)).bit_length() - 1))
    pieces, along = Axis(-1000, Size.of(count)), Axis(-1001, (total + (count - 1)) // count)
    flat = Size.of(pieces) * along.extent + Size.of(along)
    inside = compared("<", flat, total)
    neutral = Literal(
        _NEUTRAL[fold.op] if stage.kind is Kind.REAL or fold.op in ("max", "min") else int(_NEUTRAL[fold.op])
    )
    if stage.kind is not Kind.REAL and fold.op in ("max", "min"):
        return [stage]
    value = placed(fold.body, dict(zip(fold.axes, _decoded(flat, fold.axes), strict=True)))
    first = Stage(
        f"{stage.name}_pieces", (*stage.axes, pieces),
        Fold(fold.op, (along,), chosen(inside, guarded(value, inside), neutral)), stage.kind,
    )  # fmt: skip
    again = Axis(-1002, Size.of(count))
    read = At(first.name, (*map(Size.of, stage.axes), Size.of(again)), stage.kind)
    return [first, replace(stage, value=Fold(fold.op, (again,), read))]


def _decoded(flat: Size, axes: Sequence[Axis]) -> list[Size]:
    found: list[Size] = []
    for position in range(len(axes) - 1, -1, -1):
        found.append(flat % axes[position].extent if position else flat)
        flat = flat // axes[position].extent
    return found[::-1]


def _inlined(stages: list[Stage], outputs: Iterable[str]) -> list[Stage]:
    """Compute what is read at one place alone, and for the same point, right there."""
    kept = list(stages)
    for name in [stage.name for stage in stages]:
        stage = next(one for one in kept if one.name == name)
        if stage.name in outputs or stage.is_scattered or is_special(stage):
            continue
        readers = [one for one in kept if any(at.buffer == stage.name for at in one.reads())]
        if len(readers) != 1 or is_special(readers[0]):
            continue
        reader = readers[0]
        found = [at for at in reader.reads() if at.buffer == stage.name]
        if all(not at.guards and _covers(at.indices, reader.axes) for at in found):
            kept[kept.index(reader)] = _taken_in(reader, stage)
            kept.remove(stage)
    return kept


def _covers(indices: Sequence[Index], axes: Sequence[Axis]) -> bool:
    """Whether the indices are the axes, each once, in any order."""
    return len(indices) == len(axes) and set(indices) == {Size.of(axis) for axis in axes}


def _taken_in(reader: Stage, stage: Stage) -> Stage:
    def change(part: Node) -> Node:
        if isinstance(part, At) and part.buffer == stage.name:
            return placed(stage.value, _moves(stage, part.indices))
        return rebuilt(part, change)

    return reader.rebuilt(change)


def _grouped(stages: Sequence[Stage], program: Program) -> tuple[Nest, ...]:
    nests: list[Nest] = []
    made: dict[str, int] = {}
    for stage in stages:
        joined = _joined(nests, made, stage, program)
        if joined is None:
            nests.append(Nest(_points(stage, program), (stage,)))
            made[stage.name] = len(nests) - 1
        else:
            nests[joined[0]] = joined[1]
            made[stage.name] = joined[0]
    return tuple(nests)


def _points(stage: Stage, program: Program) -> tuple[Axis, ...]:
    """The axes whose combinations are points: all, but for a scan's own, which goes last."""
    along = scanned(stage)
    return tuple(axis for axis in stage.axes if axis != along)


def _shared_axes(stage: Stage, nest: Nest) -> tuple[Axis, ...] | None:
    """The axes of a stage at which it reads a nest's results; None where it reads none, or not along axes of its own."""
    own = {one.name for one in nest.stages if not nest.extra(one)}
    by_size = {Size.of(axis): axis for axis in stage.axes}
    for at in stage.reads():
        if at.buffer in own and len(set(at.indices)) == len(nest.axes):
            found = [by_size.get(one) for one in at.indices if isinstance(one, Size)]
            axes = tuple(axis for axis in found if axis is not None)
            return axes if len(axes) == len(nest.axes) else None
    return None


def _joined(
    nests: Sequence[Nest], made: Mapping[str, int], stage: Stage, program: Program
) -> tuple[int, Nest] | None:
    """The last nest, with this stage at its end, where the stage reads only the same point of it."""
    if not nests or any(
        one.is_scattered or scanned(one) or counted(one) for one in (stage, *nests[-1].stages)
    ):
        return None
    nest = nests[-1]
    shared = nest.axes
    alike = [a.extent for a in stage.axes] == [a.extent for a in shared]
    if not alike and (
        not nest.folds or not shared or program.count(product(tuple(a.extent for a in shared))) < 2
    ):
        return None
    order = _shared_axes(stage, nest) or stage.axes[: len(shared)]
    if [axis.extent for axis in order] != [axis.extent for axis in shared]:
        return None
    here = {own: Size.of(axis) for own, axis in zip(order, shared, strict=True)}
    rest = tuple(axis for axis in stage.axes if axis not in order)
    target = tuple(here.get(axis, Size.of(axis)) for axis in stage.axes)
    moved = replace(
        stage, axes=(*shared, *rest), value=placed(stage.value, here), place=target, extents=stage.shape
    )
    own = {one.name: one for one in nest.stages}
    beside = set(rest)
    if any(isinstance(part, Fold) and axes_of(part) & beside for part in parts(moved.value)):
        return None
    changed = {one.name for one in program.task.arguments if one.role == "inout"}
    own = {name: one for name, one in own.items() if name not in changed}
    if not alike and not any(at.buffer in own for at in moved.reads()):
        return None
    for at in moved.reads():
        if at.buffer in own and (nest.extra(own[at.buffer]) or at.indices != own[at.buffer].target):
            return None
    return len(nests) - 1, replace(nest, stages=(*nest.stages, moved))
