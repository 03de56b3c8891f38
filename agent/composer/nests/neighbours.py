"""What neighbouring points touch: elements side by side, in the same or in the opposite order, or others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.composer.nests.points import Index
from agent.composer.nests.sizes import Axis, Size, flattened


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
