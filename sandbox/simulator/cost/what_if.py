"""What a launch would take if one cause of its time were gone: the model again, with a demand that is changed.

All else stays as it is, the time of a warp on its own among it: what is removed may well show another cause.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sandbox.device import Cause, WhatIf
from sandbox.simulator.cost.constants import USED, CostConstants
from sandbox.simulator.cost.demand import Demand
from sandbox.simulator.cost.estimate import timed
from sandbox.simulator.cost.traffic import LaunchShape
from sandbox.simulator.gpus.architecture import Architecture
from sandbox.simulator.machine.lanes import WARP

MOST = 4
_WORTH_SAYING = 0.03
"""The part of the latency that must go."""


def what_ifs(
    asked: Demand, shape: LaunchShape, architecture: Architecture, constants: CostConstants = USED
) -> tuple[WhatIf, ...]:
    """The causes that matter, the one that matters most first; at most `MOST`.

    Args:
        asked: What the launch asks for.
        shape: Of the launch.
        architecture: Of the GPU.
        constants: What every GPU has in common.
    """
    now = timed(asked, architecture, constants).latency_us
    found = latencies_without(asked, shape, architecture, constants)
    told = [WhatIf(cause, time) for cause, time in found.items() if time < (1 - _WORTH_SAYING) * now]
    return tuple(sorted(told, key=lambda one: one.latency_us)[:MOST])


def latencies_without(
    asked: Demand, shape: LaunchShape, architecture: Architecture, constants: CostConstants = USED
) -> dict[Cause, float]:
    """The estimate without each cause that the launch has, microseconds; the arguments are those of `what_ifs`."""
    return {
        cause: timed(changed, architecture, constants).latency_us
        for cause, changed in _without(asked, shape, architecture)
    }


def _without(asked: Demand, shape: LaunchShape, architecture: Architecture) -> Iterator[tuple[Cause, Demand]]:
    """What would be asked without each cause that there is."""
    if _scattered(asked, "load"):
        yield Cause.SCATTERED_LOADS, _coalesced(asked, "load")
    if _scattered(asked, "store") or asked.moved.ragged:
        yield Cause.SCATTERED_STORES, _coalesced(asked, "store")
    least = {"wavefronts": asked.least_wavefronts, "atomic_wavefronts": asked.least_atomic_wavefronts}
    if any(getattr(asked, name) > fewest for name, fewest in least.items()):
        yield Cause.BANK_CONFLICTS, replace(asked, **least)
    if any(asked.turns.values()):
        yield Cause.CONTENTION, replace(asked, turns={})
    chains = asked.chains
    if chains.mean.barriers or chains.longest.barriers:
        mean, longest = (replace(one, barriers=0.0) for one in (chains.mean, chains.longest))
        yield Cause.BARRIERS, replace(asked, chains=replace(chains, mean=mean, longest=longest))
    if chains.longest != chains.mean:
        yield Cause.UNEVEN_BLOCKS, replace(asked, chains=replace(chains, longest=chains.mean))
    if 2 * shape.occupancy.warps <= architecture.threads_per_sm // WARP and asked.waves > 1:
        yield Cause.LOW_OCCUPANCY, _twice_resident(asked, shape, architecture)
    moved = asked.moved
    again = moved.dram_read + moved.dram_write - asked.once
    if again > 0:
        yield (
            Cause.READ_AGAIN,
            replace(asked, moved=replace(moved, dram_read=max(0.0, moved.dram_read - again))),
        )


def _scattered(asked: Demand, kind: str) -> bool:
    """Whether requests of this kind take more lines, or move more bytes, than their lanes asked for."""
    mine = (one for one in asked.requests if one.kind == kind)
    return any(one.least_lines < one.lines or one.wanted < one.moved for one in mine)


def _coalesced(asked: Demand, kind: str) -> Demand:
    """Requests of this kind take the lines that their bytes fill, and move no byte that nobody wants."""
    mine = [one for one in asked.requests if one.kind == kind]
    others = [one for one in asked.requests if one.kind != kind]
    kept = [one.least_lines / one.lines if one.lines else 1.0 for one in mine]
    gone = sum(one.beyond * (1 - part) for one, part in zip(mine, kept, strict=True))
    filled = [
        replace(one, lines=one.least_lines, beyond=one.beyond * part)
        for one, part in zip(mine, kept, strict=True)
    ]
    wasted = sum(max(0.0, one.moved - one.wanted) for one in mine)
    moved = asked.moved
    if kind == "load":
        read = moved.l2_read - wasted
        moved = replace(moved, l2_read=read, dram_read=min(moved.dram_read, read))
    else:
        written = moved.l2_write - wasted
        moved = replace(moved, l2_write=written, dram_write=min(moved.dram_write, written), ragged=0.0)
    return replace(asked, requests=(*others, *filled), beyond=asked.beyond - gone, moved=moved)


def _twice_resident(asked: Demand, shape: LaunchShape, architecture: Architecture) -> Demand:
    """Twice as many blocks on a multiprocessor, as far as there are so many."""
    most = -(-shape.blocks // architecture.multiprocessors)
    blocks = min(2 * asked.resident_blocks, most)
    slots = asked.resident_slots * blocks / asked.resident_blocks
    return replace(asked, waves=asked.waves / 2, resident_blocks=blocks, resident_slots=slots)
