"""When elements next to each other may move sixteen bytes at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.composer.nests.points import Index
from agent.composer.nests.sizes import ZERO, Atom, Axis, Size, flattened
from sandbox.dtypes import DTYPE_BYTES


def full_width(dtype: str) -> int:
    """How many elements of a dtype sixteen bytes hold."""
    return 16 // DTYPE_BYTES[dtype]


def width(
    buffer: str, indices: Sequence[Index], run: Axis, shapes: Mapping[str, tuple[Size, ...]], dtype: str
) -> str | None:
    """How many elements of a buffer move at a time along an axis, as an expression of kernel files.

    Packs start at multiples of their width along `run`: they are aligned where everything else that counts into the
    place of an element is a multiple of the width too. None where the elements are no neighbours, or never aligned.
    """
    flat = _flat(indices, shapes[buffer])
    rest = flat - Size.of(run)
    if flat.terms == () or run in rest.atoms:
        return None
    most = full_width(dtype)
    strides = [run.extent, *(_known(atoms, factor) for atoms, factor in rest.terms)]
    rests = dict.fromkeys(one % most for one in strides)
    if any(one.constant for one in rests):
        return None
    terms = [one.expression() for one in rests if one.terms]
    return f"{most} if {' + '.join(terms)} == 0 else 1" if terms else str(most)


def _flat(indices: Sequence[Index], shape: Sequence[Size]) -> Size:
    """The place of an element; 0 where an index is read from memory, or where axes of one are left out."""
    counted = [one for one in indices if isinstance(one, Size)]
    return flattened(counted, shape) if len(counted) == len(shape) else ZERO


def _known(atoms: tuple[Atom, ...], factor: int) -> Size:
    """What a term is surely a multiple of."""
    return Size(((tuple(atom for atom in atoms if isinstance(atom, str)), factor),))
