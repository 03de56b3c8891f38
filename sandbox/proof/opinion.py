"""What a verifier says of a launch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Opinion(StrEnum):
    """Whether a launch is free of races in every schedule."""

    PROVED = "proved"
    CONTRADICTED = "contradicted"
    """Two accesses are not ordered, or a barrier is not met by all: so the verifier's model has it."""
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class LaunchProof:
    """The opinion on one launch, at its sizes.

    Attributes:
        kernel: The name in the kernel file.
        line: Of the launch.
        said: The verifier's own words; empty where it proved the launch.
    """

    kernel: str
    line: int
    opinion: Opinion
    said: str
