"""What a row of the table of metrics is, and what its count is made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.simulator.architectures import Architecture
from sandbox.simulator.cost import Estimate
from sandbox.simulator.counting import Counter, Site
from sandbox.simulator.traffic import LaunchShape


@dataclass(frozen=True)
class Launch:
    """Everything known of one launch."""

    counter: Counter
    shape: LaunchShape
    result: Estimate
    architecture: Architecture

    def sites(self, space: str, *opcodes: str) -> list[Site]:
        """Memory instructions of a space by opcode, all where none is named."""
        found = self.counter.sites.values()
        return [s for s in found if s.space == space and (not opcodes or s.instruction.opcode in opcodes)]


Value = Callable[[Launch], float | None]
Number = Callable[[Launch], float]


@dataclass(frozen=True)
class Row:
    """One metric.

    Attributes:
        how: How it is counted, one or more sentences.
        value: Of the sample; None where it does not apply.
        kind: "sum" grows with the blocks, so it is scaled from the sample to the grid; "ratio" does not;
            "model" comes out of the cost or cache model; "launch" needs no sample.
    """

    name: str
    unit: str
    how: str
    value: Value
    kind: str = "ratio"
