"""Operators of PyTorch that find places by a ratio of sizes, and what they give where that ratio is rounded.

Where 9 elements become 31, one of the 31 lies on an old one exactly, and its neighbours count nothing in float64. A
kernel in float32 comes beside it, and a huge neighbour shows, with what its weight of nearly 0 was rounded by. No
move of the inputs does, for sizes are no inputs.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

_PREFIXES = ("upsample_", "_upsample_")


@dataclass
class MovedPlaces:
    """How far ratios of the axes are moved in turn, relative (None: not at all), and the operators that had one."""

    by: tuple[float, float] | None
    operators: set[str] = field(default_factory=set[str])


_MOVED: ContextVar[MovedPlaces | None] = ContextVar("moved_places", default=None)


@contextmanager
def moved_places(by: tuple[float, float] | None) -> Generator[MovedPlaces]:
    """Move the ratios of sizes by a part of themselves meanwhile; with None, only note who has one."""
    moved = MovedPlaces(by)
    token = _MOVED.set(moved)
    try:
        yield moved
    finally:
        _MOVED.reset(token)


def resampled(torch: Any, overload: Any, given: list[Any], words: dict[str, Any], found: Any) -> Any:
    """Return what an operator gives with its ratios moved; `found` where none are or it has none.

    Args:
        torch: PyTorch.
        overload: The operator that was called.
        given: Its arguments, as tensors and numbers.
        words: Those by name.
        found: What it gave; its sizes are those that were asked for.
    """
    moved, name = _MOVED.get(), overload._schema.name.removeprefix("aten::")
    if moved is None or not name.startswith(_PREFIXES):
        return found
    moved.operators.add(name)
    if moved.by is None:
        return found
    known = dict(zip((one.name for one in overload._schema.arguments), given, strict=False)) | words
    source = given[0]
    sides = list(found.shape[2:])
    said = known.get("scale_factors") or [known[one] for one in sorted(known) if one.startswith("scales")]
    exact = [new / old for new, old in zip(sides, source.shape[2:], strict=True)]
    asked = [one or other for one, other in zip([*said, *[None] * len(sides)], exact, strict=False)]
    align = [known["align_corners"]] if "align_corners" in known else []
    ratios = [one * (1 + moved.by[axis % 2]) for axis, one in enumerate(asked)]
    return getattr(torch.ops.aten, name).default(source, sides, *align, *ratios)
