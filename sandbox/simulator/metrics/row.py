"""What a row of the table of metrics is, and what its count is made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from sandbox.simulator.cost.counting import Counter, Site
from sandbox.simulator.cost.dataflow import reductions
from sandbox.simulator.cost.estimate import Estimate
from sandbox.simulator.cost.traffic import LaunchShape
from sandbox.simulator.gpus.architectures import Architecture


@dataclass(frozen=True)
class CountedLaunch:
    """Everything known of one launch."""

    counter: Counter
    shape: LaunchShape
    result: Estimate
    architecture: Architecture

    @cached_property
    def _reductions(self) -> frozenset[int]:
        return reductions(self.counter.blocks.values())

    def sites(self, space: str, *kinds: str) -> list[Site]:
        """Memory instructions of a space: "load", "store", "atom" or "red"; all where none is named."""
        found = self.counter.sites.values()
        return [site for site in found if site.space == space and (not kinds or self._kind(site) in kinds)]

    def _kind(self, site: Site) -> str:
        if site.kind != "atomic":
            return site.kind
        return "red" if id(site.instruction) in self._reductions else "atom"


Value = Callable[[CountedLaunch], float | None]
Number = Callable[[CountedLaunch], float]


@dataclass(frozen=True)
class Row:
    """One metric.

    Attributes:
        how: How it is counted, one or more sentences.
        value: Of the sample; None where it does not apply.
        kind: "sum" grows with the blocks, so it is scaled from the sample to the grid; "work" does too, but
            rests on weights; "ratio" does not grow; "model" comes out of a model; "launch" needs no sample.
    """

    name: str
    unit: str
    how: str
    value: Value
    kind: str = "ratio"
