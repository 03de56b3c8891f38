"""Cuts stages: axes that a reshape joined, long sums with few results, long scans with few rows."""

from __future__ import annotations

import itertools
from collections.abc import Container
from dataclasses import dataclass, field, replace

from agent.composer.expressions import Kind
from agent.composer.folding import binary
from agent.composer.ir import Literal, Node
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.collectives.counting import counted
from agent.composer.nests.collectives.scanning import OPERATORS, scanned
from agent.composer.nests.collectives.sorting import order_of
from agent.composer.nests.points import (
    At,
    Fold,
    axes_of,
    chosen,
    compared,
    folds_in,
    guarded,
    loads,
    placed,
    targeted,
)
from agent.composer.nests.program import Nest, NestProgram
from agent.composer.nests.sizes import Axis, Quotient, Remainder, Size, combinations, product, unflattened

_PIECES = 1 << 15
"""About how many pieces of long sums there should be in all."""

_MOST = 4096
"""Pieces of one sum: a block adds them up."""

_ROUND = 16
"""What pieces are multiples of, so that packs begin where pieces do."""

_LEAST = 256
"""Elements that a piece is worth."""

_SHORT = 1 << 14
_FEW = 256
_TILE = 1024
"""Elements of a long scan that a block takes."""

_NEUTRAL = {"sum": 0, "prod": 1, "max": float("-inf"), "min": float("inf")}


@dataclass
class Cutter:
    """Cuts the stages of one program; the axes that it makes have numbers below 0."""

    program: NestProgram
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(-1, -1))

    def cut(self, stage: FilledBuffer) -> list[FilledBuffer]:
        """The stages that do the work of one."""
        if stage.turns is not None:
            return [stage]
        stage = self._split(stage)
        fold = stage.value
        if not isinstance(fold, Fold) or counted(stage) or stage.place is not None:
            return [stage]
        if order_of(stage):
            return [stage]
        if scanned(stage):
            return [stage]  # in tiles or in one pass: that is a feature of the kernel
        points, total = self.program.count(combinations(stage.axes), 2 * _FEW), combinations(fold.axes)
        if points > _FEW or any(True for _ in total.axes()) or self.program.count(total) < _SHORT:
            return [stage]
        return self._pieces(stage, fold, points)

    def _axis(self, extent: Size) -> Axis:
        return Axis(next(self._numbers), extent)

    def _split(self, stage: FilledBuffer) -> FilledBuffer:
        """The stage with an axis taken apart that its value only takes apart: what a reshape joined."""
        for axis in stage.axes:
            by = _divisors(stage.value, axis)
            if len(by) != 1:
                continue
            (width,) = by
            outer, inner = self._axis(axis.extent // width), self._axis(width)
            joined = Size.of(outer) * width + Size.of(inner)
            axes = tuple(new for one in stage.axes for new in ((outer, inner) if one == axis else (one,)))
            place = targeted(stage.target, {axis: joined})
            value = placed(stage.value, {axis: joined})
            if axis not in axes_of(value) and outer.extent * width == axis.extent:
                return self._split(replace(stage, axes=axes, value=value, place=place, extents=stage.shape))
        return stage

    def _pieces(self, stage: FilledBuffer, fold: Fold, points: int) -> list[FilledBuffer]:
        """Reduce pieces, and put their results together."""
        total = combinations(fold.axes)
        inner = [combinations(part.axes) for part in folds_in(fold.body)]
        work = self.program.count(total) * max((self.program.count(size) for size in inner), default=1)
        most = min(_MOST, _PIECES // max(1, points), work // _LEAST)
        count = 1 << max(3, most.bit_length() - 1)
        part = Quotient(total + (count * _ROUND - 1), Size.of(count * _ROUND))
        each = Size((((part,), _ROUND),))
        # At small sizes there are no more pieces than have something to add.
        extent = Size.of(count).extreme("min", (total + (_ROUND - 1)) // _ROUND)
        pieces = self._axis(extent)
        within = self._axis(each.extreme("min", total - Size.of(pieces) * each))
        flat = Size.of(pieces) * each + Size.of(within)
        indices = unflattened(flat, [axis.extent for axis in fold.axes])
        piece = Fold(fold.op, (within,), placed(fold.body, dict(zip(fold.axes, indices, strict=True))))
        first = FilledBuffer(f"{stage.name}_pieces", (pieces, *stage.axes), piece, stage.kind)
        again = self._axis(extent)
        read = At(first.name, (Size.of(again), *map(Size.of, stage.axes)), stage.kind)
        return [first, replace(stage, value=Fold(fold.op, (again,), read))]

    def tiles(self, stage: FilledBuffer, fold: Fold, along: Axis) -> list[FilledBuffer]:
        """Reduce tiles, scan their results, and scan each tile on top of those before it."""
        rows = tuple(axis for axis in stage.axes if axis != along)
        before = fold.axes[0]
        tile, within = self._axis((along.extent + (_TILE - 1)) // _TILE), self._axis(Size.of(_TILE))
        flat = Size.of(tile) * _TILE + Size.of(within)
        inside = compared("<", flat, along.extent)
        value = guarded(placed(fold.body, {before: flat}), inside)
        totals = FilledBuffer(
            f"{stage.name}_tiles", (*rows, tile),
            Fold(fold.op, (within,), chosen(inside, value, _neutral(fold.op, stage.kind))), stage.kind,
        )  # fmt: skip
        up_to = self._axis(Size.of(tile) + 1)
        read = At(totals.name, (*map(Size.of, rows), Size.of(up_to)), stage.kind)
        sums = FilledBuffer(f"{stage.name}_before", (*rows, tile), Fold(fold.op, (up_to,), read), stage.kind)
        here = self._axis(Size.of(_TILE).extreme("min", along.extent - Size.of(tile) * _TILE))
        inner = self._axis(Size.of(here) + 1)
        base = Size.of(tile) * _TILE
        later = compared(">=", Size.of(tile), Size.of(1))
        start = guarded(At(sums.name, (*map(Size.of, rows), Size.of(tile) - 1), stage.kind), later)
        scan = Fold(fold.op, (inner,), placed(fold.body, {before: base + Size.of(inner)}))
        place = tuple(base + Size.of(here) if axis == along else Size.of(axis) for axis in stage.axes)
        last = replace(
            stage, axes=(*rows, tile, here), place=place, extents=stage.shape,
            value=binary(OPERATORS[fold.op], chosen(later, start, _neutral(fold.op, stage.kind)), scan),
        )  # fmt: skip
        return [totals, sums, last]


def is_long_scan(program: NestProgram, stage: FilledBuffer) -> bool:
    """Whether a stage scans so few and so long rows that a block for each would leave a GPU idle."""
    along = scanned(stage)
    if along is None or stage.place is not None or not isinstance(stage.value, Fold):
        return False
    if stage.kind is not Kind.REAL and stage.value.op in ("max", "min"):
        return False  # whole numbers have no neutral element of these
    rows = product(axis.extent for axis in stage.axes if axis != along)
    if any(True for _ in along.extent.axes()):
        return False
    return program.count(rows, 2 * _FEW) <= _FEW and program.count(along.extent) >= _SHORT


def tiled(program: NestProgram, kept: Container[str]) -> NestProgram:
    """Cut every long scan but those of some buffers: totals of tiles, their scan, and the tiles on top of it."""
    nests: list[Nest] = []
    shapes = dict(program.shapes)
    cutter = Cutter(program, itertools.count(-(1 << 16), -1))
    for nest in program.nests:
        (stage, *_), along = nest.stages, scanned(nest.stages[0])
        if along is None or stage.name in kept or not is_long_scan(program, stage):
            nests.append(nest)
            continue
        assert isinstance(stage.value, Fold), "a long scan is a fold"
        for piece in cutter.tiles(stage, stage.value, along):
            nests.append(Nest(tuple(axis for axis in piece.axes if axis != scanned(piece)), (piece,)))
            shapes.setdefault(piece.name, piece.shape)
    return replace(program, nests=tuple(nests), shapes=shapes)


def _neutral(op: str, kind: Kind) -> Node:
    value = _NEUTRAL[op]
    return Literal(float(value) if kind is Kind.REAL else int(value))


def _divisors(node: Node, axis: Axis) -> set[Size]:
    """What an axis is divided by, with and without rest, in the indices of a value."""
    sizes = [one for at in loads(node) for one in at.indices if isinstance(one, Size)]
    return {
        atom.by for size in sizes for atoms, _ in size.terms for atom in atoms
        if isinstance(atom, Quotient | Remainder) and atom.over == Size.of(axis)
    }  # fmt: skip
