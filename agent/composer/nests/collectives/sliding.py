"""Windows that overlap: a thread takes points one below the other, and reads once what their windows share.

Where what a fold reads depends on an axis of the nest and on one of its own only by their sum, neighbours along the
first need the same elements one step later: they stay in registers and move on by one place a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from agent.composer.expressions import Value
from agent.composer.ir import Node
from agent.composer.kernel_text import accumulate, identity, indent
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.points import At, Fold, Number, axes_of, folds_in, kind_of, placed
from agent.composer.nests.program import Nest, is_special
from agent.composer.nests.sizes import Axis, Quotient, Size, combinations
from agent.composer.nests.texts import Texts


@dataclass(frozen=True)
class Sliding:
    """A fold whose windows overlap.

    Attributes:
        along: The axis of the nest along which a thread takes WINDOW points.
        step: The axis of the fold along which their windows move.
        moving: What is read for each point, in terms of `along` alone where `step` is 0.
    """

    nest: Nest
    fold: Fold
    along: Axis
    step: Axis
    moving: Mapping[At, At]

    @property
    def axes(self) -> tuple[Axis, ...]:
        """Axes of the threads: groups of WINDOW points in the place of the points."""
        over = Quotient(self.along.extent + Size.of("WINDOW") - 1, Size.of("WINDOW"))
        group = Axis(self.along.number, Size((((over,), 1),)))
        return tuple(group if axis == self.along else axis for axis in self.nest.axes)


def sliding_of(nest: Nest) -> Sliding | None:
    """How windows overlap in a nest; None where they do not."""
    (stage, *others) = nest.stages
    if others or is_special(stage) or stage.is_scattered or nest.extra(stage):
        return None
    match list(folds_in(stage.value)):
        case [fold]:
            found = (_along(nest, fold, axis, step) for axis in nest.axes[:-1] for step in fold.axes)
            return next((one for one in found if one is not None), None)
        case _:
            return None


def _along(nest: Nest, fold: Fold, along: Axis, step: Axis) -> Sliding | None:
    if any(True for axis in fold.axes for _ in axis.extent.axes()):
        return None
    moving: dict[At, At] = {}
    for part in _outermost(fold.body):
        if along not in axes_of(part):
            continue
        if not isinstance(part, At):
            return None
        shifted = placed(part, {along: Size.of(along) - Size.of(step)})
        if step in axes_of(shifted) or not isinstance(shifted, At):
            return None
        moving[part] = shifted
    return Sliding(nest, fold, along, step, moving) if moving else None


def _outermost(node: Node) -> Iterator[Node]:
    """What is read and what is counted, without what those are made of."""
    if isinstance(node, At | Number):
        yield node
    for child in node.children if not isinstance(node, At | Number) else ():
        yield from _outermost(child)


def body(
    found: Sliding, texts: Texts, decoded: Callable[[str, tuple[Axis, ...]], str],
    stored: Callable[[FilledBuffer, Value], str],
) -> str:  # fmt: skip
    """Write what a thread does with its points; `decoded` takes an index apart, `stored` stores an element."""
    fold, kind = found.fold, kind_of(found.fold)
    ctype, start = texts.types.name(kind), identity(fold.op, kind, texts.types)
    group, name = texts.axis(found.axes[found.nest.axes.index(found.along)]), texts.axis(found.along)
    windows = _windows(found, texts, name)
    sums = f"{ctype} sums[WINDOW];\n{_each(f'sums[r] = {start};' + chr(10))}"
    lines = texts.lines(fold.body)
    value = texts.cast(lines.values[0], kind).text
    summed = "".join(f"{line}\n" for line in lines.lines) + accumulate(
        fold.op, kind, texts.types, "sums[r]", value
    )
    step = texts.axis(found.step)
    loop = (
        f"#pragma unroll WINDOW\nfor (int {step} = 0; {step} < {texts.size(found.step.extent)}; ++{step}) {{\n"
        f"{indent(''.join(one.moved for one in windows) + _each(summed))}}}\n"
    )
    inner = "".join(one.filled for one in windows) + loop
    for axis in reversed([axis for axis in fold.axes if axis != found.step]):
        at = texts.axis(axis)
        inner = f"for (int {at} = 0; {at} < {texts.size(axis.extent)}; ++{at}) {{\n{indent(inner)}}}\n"
    texts.known[fold] = Value("sums[r]", kind)
    texts.rename(found.along, f"({name} + r)")
    (stage,) = found.nest.stages
    last = texts.lines(stage.value)
    text = "".join(f"{line}\n" for line in last.lines) + stored(stage, last.values[0])
    guarded = f"if ({name} + r < {texts.size(found.along.extent)}) {{\n{indent(text)}}}\n"
    head = decoded("point", found.axes) + f"const int {name} = {group} * WINDOW;\n"
    return head + sums + inner + _each(guarded)


@dataclass(frozen=True)
class _Window:
    """How one window begins, and how it moves on by one place."""

    filled: str
    moved: str


def _windows(found: Sliding, texts: Texts, name: str) -> list[_Window]:
    """Declare a window for each moving element, and let it stand for that element."""
    last = texts.size(found.along.extent + found.step.extent - 2)
    known: dict[Node, Value] = {}
    made: list[_Window] = []

    def element(here: At, at: str) -> str:
        """The element for a point; beyond the last there is no window, and what is read for it is not used."""
        texts.rename(found.along, f"min({name} + {at}, {last})")
        text = texts.value(here).text
        texts.known.clear()
        return text

    for at, here in found.moving.items():
        window, ctype = texts.fresh(f"{at.buffer}_window"), texts.types.name(kind_of(at))
        filled = f"{window}[r + 1] = {element(here, 'r')};\n"
        following = element(here, f"WINDOW - 1 + {texts.axis(found.step)}")
        made.append(
            _Window(
                f"{ctype} {window}[WINDOW];\n{_each(filled, 'WINDOW - 1')}",
                f"{_each(f'{window}[r] = {window}[r + 1];', 'WINDOW - 1')}{window}[WINDOW - 1] = {following};\n",
            )
        )
        known[at] = Value(f"{window}[r]", kind_of(at))
    texts.known.update(known)
    texts.rename(found.along, name)
    return made


def _each(text: str, count: str = "WINDOW") -> str:
    return f"#pragma unroll\nfor (int r = 0; r < {count}; ++r) {{\n{indent(text)}}}\n"


def grid(found: Sliding) -> Size:
    """How many threads there are."""
    return combinations(found.axes)
