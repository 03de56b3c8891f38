"""Who has read units of global memory since they were last written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sandbox.device import Array
from sandbox.simulator.hazards.order import NOBODY, OBSERVED, LaunchOrder, block_of, warp_of
from sandbox.simulator.hazards.shadow import ALL, MANY, MIXED, Watched

_MOST = 1 << 18
"""Readers of several blocks that are listed; beyond it, writers must know of everybody."""


@dataclass(frozen=True)
class Reads:
    """One load's units.

    Attributes:
        unit, agent: Of each lane, or of each that stands for several.
        width: How many the lane stands for: 0 for itself, 1 for lanes of its warp, 2 for threads of its block.
        reading, by: How, and by which instruction.
    """

    unit: Array
    agent: Array
    width: Array
    reading: int
    by: int


@dataclass(frozen=True)
class Found:
    """Readers that nothing orders before a write: units, their agents and instructions, and the writer's lanes."""

    position: Array
    reader: Array
    by: Array


def remember(watched: Watched, order: LaunchOrder, reads: Reads) -> None:
    """Keep who reads."""
    watched.read = True
    unit, agent = reads.unit, reads.agent
    last, crowd = watched.reader.take(unit), watched.crowd.take(unit)
    fresh = (last == NOBODY) | order.replaces(last, agent, crowd)
    apart = ~fresh & ((last < NOBODY) | (block_of(last) != block_of(agent)))
    beside = ~fresh & ~apart
    grown = np.broadcast_to(reads.width, unit.shape)
    if beside.any():
        width = np.where(warp_of(last) == warp_of(agent), 1, 2)
        grown = np.where(beside, np.maximum(np.maximum(crowd, width), reads.width), grown).astype(np.uint8)
    if apart.any():
        _list(watched, reads, apart, last)
        kept = ~apart
        unit, agent, grown = unit[kept], agent[kept], grown[kept]
    watched.reader[unit] = agent
    watched.crowd[unit] = grown
    watched.reading[unit] = reads.reading
    watched.read_by[unit] = reads.by
    _collided(watched, reads, unit, agent)


def _collided(watched: Watched, reads: Reads, unit: Array, agent: Array) -> None:
    """Lanes of one instruction that share a unit."""
    now = watched.reader.take(unit)
    lost = now != agent
    if not lost.any():
        return
    unit, agent, now = unit[lost], agent[lost], now[lost]
    apart = block_of(now) != block_of(agent)
    width = np.where(warp_of(now) == warp_of(agent), 1, 2).astype(np.uint8)
    np.maximum.at(watched.crowd, unit[~apart], width[~apart])
    if apart.any():
        some = Reads(unit, agent, np.zeros(len(unit), np.int64), reads.reading, reads.by)
        _list(watched, some, apart, now)


def _list(watched: Watched, reads: Reads, apart: Array, last: Array) -> None:
    """Readers of several blocks: list the new one, and the one before."""
    unit = reads.unit[apart]
    width = np.broadcast_to(reads.width, apart.shape)[apart]
    listed = [_rows(unit, reads.agent[apart], width, reads.reading, reads.by)]
    single = np.unique(unit[last[apart] >= 0])
    if single.size:
        now = watched.reader[single]
        first, by = watched.reading[single], watched.read_by[single]
        still = now >= 0
        listed.append(_rows(single[still], now[still], watched.crowd[single][still], first[still], by[still]))
    everyone = watched.reader[unit] == ALL
    watched.reader[unit[~everyone]] = MANY
    if everyone.any():
        watched.reading[unit[everyone & (watched.reading[unit] != reads.reading)]] = MIXED
    rows = np.concatenate(listed, axis=1)
    watched.note_latest(block_of(rows[1]), rows[1])
    watched.others = np.concatenate([watched.others, rows], axis=1)
    if watched.others.shape[1] > _MOST:
        _shorten(watched)


def _rows(unit: Array, agent: Array, width: Array, reading: Array | int, by: Array | int) -> Array:
    """Columns of `Watched.others`; the width travels with the instruction's number."""
    rows = np.empty((4, len(unit)), np.int64)
    rows[0], rows[1], rows[2], rows[3] = unit, agent, reading, by
    rows[2] |= np.asarray(width, np.int64) << 8
    return rows


def _shorten(watched: Watched) -> None:
    """Keep the last of each thread; of units that even so have too many readers only that there were."""
    others = watched.others[:, ::-1]
    key = others[0] << 36 | block_of(others[1]) << 10 | others[1] & 1023
    watched.others = others[:, np.sort(np.unique(key, return_index=True)[1])][:, ::-1]
    if watched.others.shape[1] > _MOST // 2:
        _count_as_everyone(watched)
        watched.others = watched.others[:, :0]


def _count_as_everyone(watched: Watched) -> None:
    unit, _, reading, by = watched.others[:, watched.reader[watched.others[0]] != ALL]
    watched.reader[unit] = ALL
    watched.read_by[unit] = by
    watched.reading[unit] = reading & 255
    watched.reading[unit[watched.reading[unit] != reading & 255]] = MIXED


def judge(
    watched: Watched, order: LaunchOrder, unit: Array, agent: Array, excused: tuple[frozenset[int], bool]
) -> Found | None:
    """Readers since the last write that do not come before this one.

    Args:
        watched: The buffer.
        order: Of the launch.
        unit: Of the writing lanes.
        agent: Of the writing lanes.
        excused: Manners of reading that this write may meet; whether it meets strong ones that were observed.
    """
    readers = watched.reader.take(unit)
    there = np.flatnonzero(readers != NOBODY)
    if not there.size:
        return None
    manners, _ = excused
    unit, agent, readers = unit[there], agent[there], readers[there]
    found = _judge_single(watched, order, unit, agent, readers, excused)
    if found is None:
        found = _judge_everyone(watched, order, unit, agent, readers, manners)
    if found is not None:
        where, reader = found
        return Found(there[where], reader, watched.read_by.take(unit[where]))
    many = np.flatnonzero(readers == MANY)
    if many.size:
        return _judge_listed(watched, order, (unit[many], agent[many], there[many]), manners)
    return None


def _judge_single(
    watched: Watched,
    order: LaunchOrder,
    unit: Array,
    agent: Array,
    readers: Array,
    excused: tuple[frozenset[int], bool],
) -> tuple[Array, Array] | None:
    manners, observed = excused
    reading = watched.reading.take(unit)
    free = np.isin(reading, list(manners)) if manners else np.zeros(len(unit), np.bool_)
    racing = order.unordered(np.where(readers >= 0, readers, NOBODY), agent, exempt=free)
    if observed and racing.any():
        strong = racing & (reading >= 2)
        racing &= ~strong | order.unordered(np.where(strong, readers, NOBODY), agent, level=OBSERVED)
    crowd = watched.crowd.take(unit)
    wide = np.flatnonzero((readers >= 0) & (crowd > 0) & ~free & ~racing)
    if wide.size:
        racing[wide] |= ~order.group_known(readers[wide], agent[wide], crowd[wide])
    which = np.flatnonzero(racing)
    return (which, readers[which]) if which.size else None


def _judge_everyone(
    watched: Watched,
    order: LaunchOrder,
    unit: Array,
    agent: Array,
    readers: Array,
    manners: frozenset[int],
) -> tuple[Array, Array] | None:
    """Writers of what too many read to be listed must know the last reading of every block that is one of those."""
    everyone = readers == ALL
    if manners:
        everyone &= ~np.isin(watched.reading.take(unit), list(manners))
    left = np.flatnonzero(everyone)
    for latest in watched.latest[watched.latest != NOBODY] if left.size else ():
        last = np.full(left.size, latest)
        unknown = left[~order.group_known(last, agent[left], np.full(left.size, 2))]
        if unknown.size:
            return unknown, np.full(unknown.size, latest)
    return None


def _judge_listed(
    watched: Watched, order: LaunchOrder, writes: tuple[Array, Array, Array], manners: frozenset[int]
) -> Found | None:
    unit, agent, position = writes
    chosen = np.isin(watched.others[0], unit)
    listed = watched.others[:, chosen]
    by_unit = np.argsort(unit, kind="stable")
    at = by_unit[np.searchsorted(unit[by_unit], listed[0])]
    free = np.isin(listed[2] & 255, list(manners)) if manners else np.zeros(listed.shape[1], np.bool_)
    racing = order.unordered(listed[1], agent[at], exempt=free)
    wide = np.flatnonzero((listed[2] >> 8 > 0) & ~free & ~racing)
    if wide.size:
        racing[wide] |= ~order.group_known(listed[1][wide], agent[at][wide], listed[2][wide] >> 8)
    if racing.any():
        which = np.flatnonzero(racing)
        return Found(position[at[which]], listed[1][which], listed[3][which])
    watched.others = watched.others[:, ~chosen]
    return None


def forget(watched: Watched, unit: Array) -> None:
    """Units were written: who comes next comes after the write."""
    watched.reader[unit] = NOBODY
