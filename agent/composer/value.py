"""Frozen dataclasses whose hash is computed once: trees of them are keys all the time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")

_KEPT = "_hash"


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Make a frozen dataclass, compared by value, that remembers its hash.

    The generated hash walks the whole tree below; a rewriting that looks up each part would take quadratic time.
    """
    made: Any = dataclass(frozen=True)(cls)
    made.__hash__ = _once(made.__hash__)
    return made


def _once(computed: Callable[[Any], int]) -> Callable[[Any], int]:
    def __hash__(self: Any) -> int:
        kept: dict[str, int] = self.__dict__
        found = kept.get(_KEPT)
        if found is None:
            found = kept[_KEPT] = computed(self)
        return found

    return __hash__
