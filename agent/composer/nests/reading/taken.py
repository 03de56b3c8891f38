"""What is taken for known when a reference is followed; where it turns out otherwise, it is followed again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agent.composer.nests.arrays import SizesDifferError
from agent.composer.nests.reading.carrying import Carried, CarriesError, Place
from agent.composer.nests.reading.whole_parts import fitted
from agent.composer.nests.sizes import Size

_MOST = 12
"""Names that one loop carries at most."""


@dataclass(frozen=True)
class Taken:
    """What is known so far.

    Attributes:
        dims: What each dim is taken for: itself, or a multiple of what must divide it.
        carried: Of each loop whose turns build on those before: its names, and what they hold where that is known.
    """

    dims: Mapping[str, Size]
    carried: Mapping[Place, Mapping[str, Carried | None]] = field(
        default_factory=dict[Place, Mapping[str, Carried | None]]
    )

    def learnt(self, cause: BaseException | None) -> Taken | None:
        """What is known once following stopped for this cause; None where that says nothing new."""
        match cause:
            case SizesDifferError(left=left, right=right):
                dims = fitted(left, right, self.dims)
                return None if dims is None else replace(self, dims=dims)
            case CarriesError(place=place, name=name, carried=carried):
                names = self.carried.get(place, {})
                if len(names) >= _MOST or (name in names and (carried is None or carried == names[name])):
                    return None
                return replace(self, carried={**self.carried, place: {**names, name: carried}})
            case _:
                return None
