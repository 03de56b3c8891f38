"""What releases made known to those who observe them, location by location (PTX ISA 9.0, sections 8.8 and 8.9).

A location that somebody released through has a log: one entry for each release pattern whose write it holds, itself
or through the atomic operations that came after it ("observation order", section 8.9.2). Whoever reads the location
observes the log as long as it is then: a reference of two numbers, which becomes knowledge with an acquire.
An entry says up to which tick its thread, its warp and its whole block are covered, and so, through the references
that its thread had acquired by then, whom else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sandbox.device import Array
from sandbox.simulator.hazards.columns import Columns
from sandbox.simulator.hazards.strength import BLOCK, CLUSTER
from sandbox.simulator.machine.lanes import WARP, Geometry

NEVER = -1
_MOST = 1 << 22
"""Acquired references that are kept; of more, the oldest are forgotten: towards refusing."""
_KEPT = 1 << 12


@dataclass(frozen=True)
class Before:
    """Earlier accesses that somebody asks about: linear block, linear thread and tick of each, shape (n,)."""

    block: Array
    thread: Array
    time: Array

    def only(self, keep: Array) -> Before:
        """Those of a mask or of positions."""
        return Before(self.block[keep], self.thread[keep], self.time[keep])


@dataclass(frozen=True)
class Entries:
    """Release patterns of n lanes.

    Attributes:
        block, thread: Who released.
        time, warp, floor: Up to which tick what the thread, its warp, its block did is released.
        scope: `CLUSTER` or `GRID`.
        row: Where `Releases.rows` says the same for each thread of the block; NEVER for nowhere.
        wrote: The tick of the strong store itself, which whoever reads it comes after; NEVER for atomic operations.
    """

    block: Array
    thread: Array
    time: Array
    warp: Array
    floor: Array
    scope: Array
    row: Array
    wrote: Array

    def only(self, keep: Array) -> Entries:
        """Those of a mask or of positions."""
        return Entries(*(getattr(self, name)[keep] for name in _ENTRY))


_ENTRY = ("block", "thread", "time", "warp", "floor", "scope", "row", "wrote")
_REFERENCE = ("block", "thread", "log", "version", "scope", "time")


class Releases:
    """The logs of one launch, and who has acquired which."""

    def __init__(self, geometry: Geometry, words: int) -> None:
        self._geometry = geometry
        self._words = words
        self._at: Array | None = None
        self._low, self._high = words, 0
        self._entries = Columns(_ENTRY)
        self._acquired = Columns(_REFERENCE)
        self._versions = np.zeros(1, np.int64)
        self._logs: list[list[Array]] = [[]]
        self._sorted: dict[tuple[int, int], tuple[Array, Array]] = {}
        self._deep: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
        self.rows: list[Array] = []

    @property
    def empty(self) -> bool:
        """Whether nobody has released anything yet."""
        return self._at is None

    def save(self, rows: Array) -> Array:
        """Keep rows of ticks by thread of a block, shape (n, T); where each is kept, shape (n,)."""
        first = len(self.rows)
        self.rows += list(rows)
        return np.arange(first, len(self.rows))

    def forget(self, word: Array) -> None:
        """Something overwrote these words without releasing anything."""
        if (
            self._at is not None
            and word.size
            and self._low <= int(word.max())
            and int(word.min()) <= self._high
        ):
            self._at[word] = 0

    def head(self, word: Array, entries: Entries) -> None:
        """A strong store of each lane begins a new log."""
        table = self._table(word)
        fresh = self._create(len(word))
        table[word] = fresh
        kept = table[word] == fresh
        self._append(fresh[kept], entries.only(kept))

    def change(self, word: Array, wrote: Array, releasing: Array, entries: Entries) -> tuple[Array, Array]:
        """Atomic operations of lanes, in the order in which they take effect.

        Args:
            word: Of each lane, shape (n,).
            wrote: Which of them wrote: a failed compare-and-swap does not.
            releasing: Which of them release; `entries` are theirs.
            entries: Of the lanes of `releasing`.

        Returns:
            The log that each lane observed and how long it was, 0 where there was nothing to observe.
        """
        nothing = np.zeros(len(word), np.int64)
        if not releasing.any() and (self._at is None or not self._at[word].any()):
            return nothing, nothing
        table = self._table(word)
        new = np.unique(word[releasing][table[word[releasing]] == 0])
        if new.size:
            table[new] = self._create(len(new))
        log = table[word].astype(np.int64)
        adds = releasing & wrote
        order = np.argsort(log, kind="stable")
        grouped, adding = log[order], adds[order].astype(np.int64)
        starts = np.flatnonzero(np.concatenate([[True], grouped[1:] != grouped[:-1]]))
        before = np.cumsum(adding) - adding
        before -= np.repeat(before[starts], np.diff(np.append(starts, len(order))))
        version = np.empty(len(order), np.int64)
        version[order] = self._versions[grouped] + before
        self._append(log[adds], entries.only(adds[releasing]))
        return log, np.where(log > 0, version, 0)

    def seen(self, word: Array) -> tuple[Array, Array]:
        """The logs that loads observe, and how long they are."""
        if self._at is None:
            nothing = np.zeros(len(word), np.int64)
            return nothing, nothing
        log = self._at[word].astype(np.int64)
        return log, self._versions[log]

    def acquire(self, block: Array, thread: Array, references: tuple[Array, Array, Array], tick: int) -> None:
        """Threads come to know what logs hold; references are logs, their lengths and the scope of the acquire."""
        log, version, scope = references
        if len(self._acquired) > _MOST:
            self._acquired.drop(_MOST // 2)
        self._acquired.append(block, thread, log, version, scope, np.full(len(log), tick))

    def acquired_by(self, block: int) -> tuple[Array, ...]:
        """References of a block's threads: thread, log, length, scope, tick; of each thread and log the last."""
        thread, log, version, scope, time = self._of_block(block)
        if len(thread) > 1:
            key = thread[::-1] << 40 | log[::-1]
            last = len(thread) - 1 - np.unique(key, return_index=True)[1]
            return thread[last], log[last], version[last], scope[last], time[last]
        return thread, log, version, scope, time

    def covers(self, log: int, version: int, scope: int, before: Before, own: int) -> Array:
        """Which accesses a block knows of that has acquired a log at some length; bool, shape (n,)."""
        found = np.zeros(len(before.block), np.bool_)
        stacked = {(log, scope): version}
        stack = [(log, version, scope)]
        while stack:
            log, version, scope = stack.pop()
            if stacked[log, scope] > version:
                continue
            left = np.flatnonzero(~found)
            found[left] = self._direct(log, version, scope, before.only(left), own)
            if found.all():
                break
            for reference in self._known(log, version) if len(self._acquired) else ():
                other, length, reach = reference
                if stacked.get((other, reach), 0) < length:
                    stacked[other, reach] = length
                    stack.append(reference)
        return found

    def _direct(self, log: int, version: int, scope: int, before: Before, own: int) -> Array:
        ids, blocks = self._by_block(log, version)
        found = np.zeros(len(before.block), np.bool_)
        first = np.searchsorted(blocks, before.block, side="left")
        position = np.searchsorted(blocks, before.block, side="right") - 1
        left = np.flatnonzero(position >= first)
        while left.size:
            entry = ids[position[left]]
            found[left] = self._covered(entry, scope, before.only(left), own)
            position[left] -= 1
            left = left[~found[left] & (position[left] >= first[left])]
        return found

    def _covered(self, entry: Array, scope: int, before: Before, own: int) -> Array:
        get = self._entries.get
        thread = get("thread", entry)
        covered = before.time <= get("floor", entry)
        own_time, wrote = get("time", entry), get("wrote", entry)
        covered |= (before.thread == thread) & ((before.time <= own_time) | (before.time == wrote))
        covered |= (before.thread // WARP == thread // WARP) & (before.time <= get("warp", entry))
        row = get("row", entry)
        for number in np.unique(row[row >= 0]).tolist():
            chosen = row == number
            covered[chosen] |= before.time[chosen] <= self.rows[number][before.thread[chosen]]
        reach = np.minimum(get("scope", entry), scope)
        near = before.block == own
        if (reach <= CLUSTER).any():
            together = self._geometry.cluster_of(before.block) == self._geometry.cluster_of(np.array(own))
            near |= (reach == CLUSTER) & together
        return covered & (near | (reach > CLUSTER)) & (near | (reach > BLOCK))

    def _known(self, log: int, version: int) -> list[tuple[int, int, int]]:
        """The same as `_deeper`, computed once: what somebody acquires later was not known to a release before."""
        key = (log, version)
        if key not in self._deep:
            if len(self._deep) > _KEPT:
                self._deep.clear()
            self._deep[key] = self._deeper(log, version)
        return self._deep[key]

    def _deeper(self, log: int, version: int) -> list[tuple[int, int, int]]:
        """What those who released through a log had acquired before."""
        entry = np.concatenate(self._logs[log])[:version] if self._logs[log] else np.zeros(0, np.int64)
        found: set[tuple[int, int, int]] = set()
        releasers = self._entries.get("block", entry)
        for block in np.unique(releasers).tolist():
            thread, other, length, scope, time = self._of_block(block)
            if not len(thread):
                continue
            for e in entry[releasers == block].tolist():
                who, own, warp, floor, row = (
                    int(self._entries.get(n, e)) for n in ("thread", *_TIMES, "row")
                )
                known = (time <= floor) | ((thread == who) & (time <= own))
                known |= (thread // WARP == who // WARP) & (time <= warp)
                if row >= 0:
                    known |= time <= self.rows[row][thread]
                found.update(
                    zip(other[known].tolist(), length[known].tolist(), scope[known].tolist(), strict=True)
                )
        return sorted(found)

    def _of_block(self, block: int) -> tuple[Array, ...]:
        chosen = self._acquired.with_value("block", block)
        return tuple(self._acquired.get(name, chosen) for name in _REFERENCE[1:])

    def _by_block(self, log: int, version: int) -> tuple[Array, Array]:
        """Entries of a log by block, later ones last, and their blocks."""
        key = (log, version)
        if key not in self._sorted:
            if len(self._sorted) > 512:
                self._sorted.clear()
            ids = np.concatenate(self._logs[log])[:version] if self._logs[log] else np.zeros(0, np.int64)
            blocks = self._entries.get("block", ids)
            order = np.argsort(blocks, kind="stable")
            self._sorted[key] = ids[order], blocks[order]
        return self._sorted[key]

    def _table(self, word: Array) -> Array:
        if self._at is None:
            self._at = np.zeros(self._words, np.int32)
        if word.size:
            self._low, self._high = min(self._low, int(word.min())), max(self._high, int(word.max()))
        return self._at

    def _create(self, count: int) -> Array:
        first = len(self._logs)
        self._logs += [[] for _ in range(count)]
        if len(self._logs) > len(self._versions):
            self._versions = np.concatenate([self._versions, np.zeros(len(self._logs), np.int64)])
        return np.arange(first, first + count)

    def _append(self, log: Array, entries: Entries) -> None:
        """Add entries to logs, in their order."""
        if not len(log):
            return
        ids = self._entries.append(*(getattr(entries, name) for name in _ENTRY))
        order = np.argsort(log, kind="stable")
        log, ids = log[order], ids[order]
        starts = np.flatnonzero(np.concatenate([[True], log[1:] != log[:-1]])).tolist()
        for start, end in zip(starts, [*starts[1:], len(log)], strict=True):
            number = int(log[start])
            self._logs[number].append(ids[start:end])
            self._versions[number] += end - start


_TIMES = ("time", "warp", "floor")
