"""The names of strategies: on a floor of their own, so that help texts cost no imports."""

from __future__ import annotations

from enum import StrEnum


class StrategyName(StrEnum):
    """How a search decides what each candidate builds on (`agent/strategies`)."""

    AUTO = "auto"
    """One of the others, by budget and task."""
    FSR = "fsr"
    """The paper's: every candidate of a round builds on the fastest of the round before."""
    ELITES = "elites"
    """MAP-Elites: the best kernel of each kind is kept, and any may be a parent."""
    TREE = "tree"
    """Best-first with backtracking."""
