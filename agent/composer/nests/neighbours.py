"""What neighbouring points touch: elements side by side, in the same or in the opposite order, or others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from agent.composer.nests.points import Index
from agent.composer.nests.sizes import Axis, Size, flattened
from sandbox.dtypes import DTYPE_BYTES

_BYTES = 16
"""Most that one instruction moves for a thread; beside narrower elements, wide ones may take two."""


@dataclass(frozen=True)
class PackedAccess:
    """Elements that neighbouring points touch: `step` is 1 or -1, `aligned` what must divide by the width."""

    step: int
    aligned: frozenset[Size]


def packed_access(
    indices: tuple[Index, ...], shape: tuple[Size, ...], axis: Axis, width: int
) -> PackedAccess | None:
    """How neighbours along an axis touch an element each; None where no pack of that width holds those."""
    counted = [index for index in indices if isinstance(index, Size)]
    if len(counted) != len(indices) or len(shape) != len(indices):
        return None
    flat = flattened(counted, shape)
    ahead, behind = Size.of(axis), -Size.of(axis)
    for step, along in ((1, ahead), (-1, behind)):
        rest = flat - along
        if axis in rest.atoms:
            continue
        factors = list(_factors(rest if step == 1 else rest + 1))
        numbers = [size.constant for size in factors]
        if any(number is not None and number % width for number in numbers):
            return None
        return PackedAccess(step, frozenset(size for size in factors if size.constant is None))
    return None


def _factors(size: Size) -> Iterator[Size]:
    """What every term is a multiple of, dims alone: axes and whole divisions may be any whole number."""
    left = Size()
    for atoms, factor in size.terms:
        dims = tuple(atom for atom in atoms if isinstance(atom, str))
        if len(dims) == len(atoms):
            left += Size(((atoms, factor),))
        else:
            yield Size(((dims, factor),))
    yield left


def widest(
    touched: Iterable[tuple[str, tuple[Index, ...]]], axis: Axis,
    shapes: Mapping[str, tuple[Size, ...]], dtypes: Mapping[str, str],
) -> tuple[int, frozenset[Size]] | None:  # fmt: skip
    """How many neighbours along an axis fit one access of every buffer, and what that must divide.

    Args:
        touched: Buffers and indices of elements.
        axis: Along which points are neighbours.
        shapes: Of the buffers.
        dtypes: Of the buffers.
    """
    elements = list(touched)
    for width in (16, 8, 4, 2):
        met = [
            (name, access)
            for name, indices in elements
            if (access := packed_access(indices, shapes[name], axis, width)) is not None
        ]
        sizes = [DTYPE_BYTES[dtypes[name]] * width for name, _ in met]
        if met and min(sizes) <= _BYTES and max(sizes) <= 2 * _BYTES:
            return width, frozenset[Size]().union(*(access.aligned for _, access in met))
    return None


def width_macro(name: str, width: int, aligned: Iterable[Size]) -> str:
    """The directive that defines a width: one where it does not divide what it must."""
    rests = " + ".join(sorted(f"({size.expression()}) % {width}" for size in aligned))
    condition = f" if {rests} == 0 else 1" if rests else ""
    return f"//@ define {name} = {width}{condition}"
