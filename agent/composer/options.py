"""Base of the families' options: each field is a feature of the library, on or off."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Self


@dataclass(frozen=True)
class Options:
    """What a kernel uses; a family's subclass has one boolean field for each feature it knows."""

    @classmethod
    def of(cls, features: Iterable[str]) -> Self:
        """Turn these features on, and whatever they need; unknown names are ignored."""
        wanted = set(features)
        known = {entry.name: True for entry in fields(cls) if entry.name in wanted}
        return replace(cls(), **known).settled()

    @classmethod
    def every(cls) -> Self:
        """Turn everything on, settled or not."""
        return replace(cls(), **{entry.name: True for entry in fields(cls)})

    def settled(self) -> Self:
        """Return options that can be emitted: features that need others bring them."""
        return self

    @property
    def features(self) -> tuple[str, ...]:
        """The features in use, in the order the family declares them."""
        return tuple(entry.name for entry in fields(self) if getattr(self, entry.name))
