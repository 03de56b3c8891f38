"""What pages say of features together: what each needs and what it excludes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prompts import Feature


@dataclass(frozen=True)
class Relations:
    """The pages of a run's features by name; features without a page need and exclude nothing."""

    pages: Mapping[str, Feature]

    def needs(self, name: str) -> tuple[str, ...]:
        """Return what a feature needs, as far as there is a page of it."""
        page = self.pages.get(name)
        return () if page is None else tuple(need for need in page.needs if need in self.pages)

    def conflicts(self, name: str, others: Iterable[str]) -> bool:
        """Whether a feature and one of these exclude each other, by either's page."""
        return any(self._excludes(name, other) or self._excludes(other, name) for other in others)

    def with_all(self, features: Iterable[str], added: Iterable[str]) -> frozenset[str]:
        """Return features after some were added in turn: with what these need, without what they exclude."""
        found = set(features)
        for name in added:
            brought = {name, *self.needs(name)}
            found = {other for other in found if not self.conflicts(other, brought)} | brought
        return frozenset(found)

    def without_all(self, features: Iterable[str], removed: Iterable[str]) -> frozenset[str]:
        """Return features after some were taken out, and with them what needs those."""
        found = set(features) - set(removed)
        while lame := {name for name in found if not found.issuperset(self.needs(name))}:
            found -= lame
        return frozenset(found)

    def _excludes(self, one: str, other: str) -> bool:
        return one in self.pages and other in self.pages[one].conflicts
