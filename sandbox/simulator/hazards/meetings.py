"""Which elements of kept accesses touch the same memory, and how many accesses are kept."""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.hazards.touches import Touch


def meetings(one: Touch, other: Touch, groups: int) -> tuple[Array, Array]:
    """Positions in both of every pair of elements at the same unit; both must be expanded."""
    assert one.block is not None
    assert other.block is not None
    place = other.unit * groups + other.block
    order = np.argsort(place, kind="stable")
    sought = one.unit * groups + one.block
    low, high = (np.searchsorted(place[order], sought, side) for side in ("left", "right"))
    count = high - low
    which = np.repeat(np.arange(one.unit.size), count)
    first = np.repeat(low - (np.cumsum(count) - count), count)
    return which, order[first + np.arange(int(count.sum()))]


def merged(touches: list[Touch]) -> list[Touch]:
    """One list for each instruction that differs between blocks, of each agent only its last time at a unit."""
    groups: dict[int, list[Touch]] = {}
    merged: list[Touch] = []
    for touch in touches:
        if touch.block is None:
            merged.append(touch)
        else:
            groups.setdefault(id(touch.instruction), []).append(touch)
    for group in groups.values():
        names = ("unit", "thread", "lane", "block", "agent", "time")
        unit, thread, lane, block, agent, time = (
            np.concatenate([getattr(touch, name) for touch in reversed(group)]) for name in names
        )
        key = (unit * (int(block.max()) + 1) + block) * (int(agent.max()) + 1) + agent
        _, first = np.unique(key, return_index=True)
        fields = unit[first], thread[first], lane[first], block[first], agent[first], time[first]
        merged.append(Touch(group[0].access, group[0].offset, *fields))
    return merged
