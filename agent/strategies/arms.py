"""Chooses one of several writers by Thompson sampling over how often each one's kernels gained."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ArmTally:
    """What became of a writer's candidates: how many were judged, and how many were right and faster than before."""

    tried: int = 0
    won: int = 0


def choose_arm(arms: Sequence[str], tallies: Mapping[str, ArmTally], seed: int) -> str:
    """Return the arm whose draw from its posterior is highest.

    The chance to win is believed to be Beta(1 + won, 1 + lost): uniform before anything was tried (Thompson 1933).

    Args:
        arms: At least one, in any order.
        tallies: By arm; one that is not there was not tried.
        seed: The same seed and tallies give the same arm.
    """
    rng = random.Random(seed)

    def draw(arm: str) -> float:
        tally = tallies.get(arm, ArmTally())
        return rng.betavariate(1 + tally.won, 1 + tally.tried - tally.won)

    return max(arms, key=draw)
