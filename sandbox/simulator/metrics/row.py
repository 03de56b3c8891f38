"""What a row of the table of metrics is, and what its count is made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from sandbox.simulator.cost.counting import BlockCount, Counter, Site
from sandbox.simulator.cost.estimate import Estimate
from sandbox.simulator.cost.traffic import LaunchShape
from sandbox.simulator.gpus.architecture import Architecture
from sandbox.simulator.ptx.syntax import Instruction


@dataclass(frozen=True)
class CountedLaunch:
    """Everything known of one launch."""

    counter: Counter
    shape: LaunchShape
    result: Estimate
    architecture: Architecture

    @cached_property
    def _reducing(self) -> frozenset[int]:
        return _reductions(self.counter.blocks.values())

    def sites(self, space: str, *kinds: str) -> list[Site]:
        """Memory instructions of a space: "load", "store", "atom" or "red"; all where none is named."""
        found = self.counter.sites.values()
        return [site for site in found if site.space == space and (not kinds or self._kind(site) in kinds)]

    def _kind(self, site: Site) -> str:
        if site.kind != "atomic":
            return site.kind
        return "red" if id(site.instruction) in self._reducing else "atom"


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


def _reductions(counts: Iterable[BlockCount]) -> frozenset[int]:
    """The `id` of each atomic that returns nothing, or whose result nothing that ran reads.

    The assembler makes RED of such an `atom`, which Nsight counts as `op_red`.
    """
    read: dict[str, set[str]] = {}
    atomics: list[tuple[str, Instruction, tuple[str, ...]]] = []
    for count in counts:
        names = read.setdefault(count.function, set())
        for instruction in count.block.instructions:
            sources, targets = instruction.read, instruction.written
            names.update(sources)
            if instruction.opcode in {"atom", "red"}:
                atomics.append((count.function, instruction, targets))
    return frozenset(id(one) for function, one, targets in atomics if read[function].isdisjoint(targets))
