"""Which source lines cost more than they need: sectors, bank conflicts, contention, divergence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.device import Hotspot
from sandbox.simulator.cost.coalescing import SECTOR
from sandbox.simulator.cost.counting import Counter, Site, total
from sandbox.simulator.cost.estimate import Estimate
from sandbox.simulator.cost.pipes import cost_of
from sandbox.simulator.cost.traffic import LaunchShape
from sandbox.simulator.ptx.syntax import Instruction

MOST = 8
_WORTH_SAYING = 1.25
_ANY = frozenset({"load", "store", "atomic"})


@dataclass(frozen=True)
class _Offence:
    """A hotspot and its weight: the microseconds that its share of the resource stands for."""

    hotspot: Hotspot
    weight: float


def hotspots(counter: Counter, shape: LaunchShape, result: Estimate) -> tuple[Hotspot, ...]:
    """The lines that cost most more than they need, the most costly first; at most `MOST`."""
    found = [
        *_uncoalesced(counter, result),
        *_conflicted(counter, result),
        *_contended(counter, shape, result),
        *_divergent(counter, result),
        *_busy_lines(counter, result),
    ]
    found.sort(key=lambda offence: -offence.weight)
    return tuple(offence.hotspot for offence in found[:MOST])


def _offence(
    instruction: Instruction, what: str, value: float, share: float, microseconds: float
) -> _Offence:
    share = min(1.0, max(0.0, share))
    hotspot = Hotspot(instruction.line, instruction.text, what, float(value), float(share))
    return _Offence(hotspot, share * microseconds)


def _uncoalesced(counter: Counter, result: Estimate) -> Iterator[_Offence]:
    """Requests that take more sectors than their lanes' bytes fill; the share is of all global sectors."""
    every = total(counter.sites.values(), "sectors", "global", _ANY)
    time = max(result.parts["dram"], result.parts["l2"], result.parts["l1"])
    for site in counter.sites.values():
        if site.space == "global" and site.requests and _fullness(site) * _WORTH_SAYING < 1:
            wasted = site.sectors * (1 - _fullness(site)) / every
            offence = _offence(
                site.instruction,
                "sectors per request",
                site.sectors / site.requests,
                site.sectors / every,
                time,
            )
            yield _Offence(offence.hotspot, wasted * time)


def _fullness(site: Site) -> float:
    """The part of the moved bytes that lanes asked for, at most 1."""
    return min(1.0, site.lanes * site.size / (site.sectors * SECTOR)) if site.sectors else 1.0


def _conflicted(counter: Counter, result: Estimate) -> Iterator[_Offence]:
    """Shared-memory requests with bank conflicts; the share is of all shared wavefronts."""
    every = total(counter.sites.values(), "wavefronts", "shared", _ANY)
    for site in counter.sites.values():
        if site.space == "shared" and site.kind != "atomic" and site.wavefronts > _WORTH_SAYING * site.ideal:
            per_request = site.wavefronts / site.requests
            share = (site.wavefronts - site.ideal) / every
            yield _offence(
                site.instruction,
                "shared-memory wavefronts per request",
                per_request,
                share,
                result.parts["shared_memory"],
            )


def _contended(counter: Counter, shape: LaunchShape, result: Estimate) -> Iterator[_Offence]:
    """Atomics that meet at one address; the share is of all global atomics, or of all shared wavefronts."""
    wavefronts = total(counter.sites.values(), "wavefronts", "shared", _ANY)
    every = total(counter.sites.values(), "lanes", "global", frozenset({"atomic"})) * shape.scale
    for site in counter.sites.values():
        if site.kind != "atomic":
            continue
        if site.space == "global":
            busiest = site.contention.busiest(shape.scale)
            if busiest > 1:
                what = "operations on the busiest address"
                yield _offence(site.instruction, what, busiest, busiest / every, result.parts["atomics"])
        elif site.requests and site.wavefronts > _WORTH_SAYING * site.ideal:
            what = "lanes of a warp on one bank, taking turns"
            value = site.wavefronts / site.requests
            share = site.wavefronts / (wavefronts or 1)
            yield _offence(site.instruction, what, value, share, result.parts["shared_memory"])


def _divergent(counter: Counter, result: Estimate) -> Iterator[_Offence]:
    """Branches at which the lanes of warps part; the share is of all branches that warps executed."""
    every = sum(count.branches for count in counter.blocks.values())
    for count in counter.blocks.values():
        instruction = count.block.jump.instruction
        if instruction is not None and count.divergent:
            percent = 100 * count.divergent / count.branches
            share = count.divergent / every
            yield _offence(instruction, "percent of warps diverge", percent, share, result.parts["issue"])


def _busy_lines(counter: Counter, result: Estimate) -> Iterator[_Offence]:
    """The lines that take most issue slots; the share is of all issued instructions."""
    weights: dict[int | None, float] = {}
    heaviest: dict[int | None, tuple[float, Instruction]] = {}
    for count in counter.blocks.values():
        for instruction in count.block.instructions:
            weight = cost_of(instruction).weight * count.warps
            weights[instruction.line] = weights.get(instruction.line, 0.0) + weight
            if weight > heaviest.get(instruction.line, (0.0, instruction))[0]:
                heaviest[instruction.line] = (weight, instruction)
    every = sum(weights.values()) or 1.0
    for line in sorted(heaviest, key=lambda line: -weights[line])[:3]:
        share = weights[line] / every
        what = "percent of issued instructions"
        yield _offence(heaviest[line][1], what, 100 * share, share, result.parts["issue"])
