"""What the threads of one batch have fenced, and what they have observed but not yet acquired.

`fence.sc`, and so `__threadfence()`, does more than a release pattern needs. Let a write be made after fence A in
causality order, whoever makes it, and be observed by a read before fence B: then A precedes B in the order of all
sc fences, since the other way round the read would precede the write that it reads (PTX ISA 9.0, sections 8.9.3 to
8.10.6), and A synchronises with B. Hence what every thread of a block fenced before a barrier is released by
whichever of them writes after it, and what one thread observed before a barrier the fences of the others acquire.
"""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.hazards.clocks import Ticks
from sandbox.simulator.hazards.releases import NEVER, Entries, Releases
from sandbox.simulator.hazards.strength import CLUSTER, GRID, Fence, Strength
from sandbox.simulator.machine.lanes import Geometry

Lanes = tuple[Array, Array]
Reference = tuple[int, int, bool]
"""Of a log: how long it was, the scope of the read, and whether that was a ticket (`Strength.ticket`)."""
_NOTHING: Reference = (0, 0, False)
_LEVELS = (GRID, CLUSTER)
_FIELDS = 4
_TIME, _FLOOR, _WARP, _ROW = range(_FIELDS)


class Publishing:
    """Of one batch; tables are by position in the batch and thread.

    Args:
        geometry: Of the launch.
        blocks: Linear blocks, shape (B,).
        releases: Of the launch.
    """

    def __init__(self, geometry: Geometry, blocks: Array, releases: Releases) -> None:
        self.blocks = blocks
        self._releases = releases
        self._shape = (len(blocks), geometry.threads)
        self._fenced: dict[int, Array] = {}
        self._total: Array | None = None
        self._published: Array | None = None
        self._published_row: dict[int, int] = {}
        self._fresh = False
        self._log: Array | None = None
        self._version = np.zeros(0, np.int64)
        self._scope = np.zeros(0, np.int64)
        self._ticket = np.zeros(0, np.bool_)
        self._more: dict[tuple[int, int], dict[int, Reference]] = {}
        self._waiting: dict[int, dict[int, Reference]] = {}
        self._added: Array | None = None
        self._acquired: Array | None = None

    def fence(self, lanes: Lanes, fence: Fence, tick: int, floors: Lanes, row: Array | None) -> None:
        """Lanes execute a fence.

        Args:
            lanes: Positions and threads.
            fence: Which.
            tick: Of it.
            floors: Up to which tick each lane knows of its whole block and of its whole warp.
            row: Where it is kept what each knows of the others, if more is known.
        """
        if fence.acquires:
            self._acquire(lanes, fence, tick)
        if not fence.releases or fence.scope < CLUSTER:
            return
        for level in (CLUSTER, GRID)[: fence.scope]:
            table = self._fenced.get(level)
            if table is None:
                table = self._fenced[level] = np.full((_FIELDS, *self._shape), NEVER, np.int64)
            table[_TIME][lanes] = tick
            table[_FLOOR][lanes], table[_WARP][lanes] = floors
            table[_ROW][lanes] = NEVER if row is None else row
        if fence.total and fence.scope == GRID:
            if self._total is None:
                self._total = np.full((2, *self._shape), NEVER, np.int64)
            self._total[0][lanes] = tick
            self._total[1][lanes] = floors[0]
            self._fresh = True

    def barrier(self, positions: Array) -> None:
        """Whole blocks pass a barrier: what one of their threads fenced or observed, all of them did."""
        if self._fresh and self._total is not None:
            if self._published is None:
                self._published = np.full(self._shape, NEVER, np.int64)
            floor = self._total[1][positions].max(axis=1, keepdims=True)
            fenced = np.maximum(self._total[0][positions], floor)
            self._published[positions] = np.maximum(self._published[positions], fenced)
            for position in positions.tolist():
                self._published_row.pop(position, None)
            self._fresh = len(positions) < len(self.blocks)
        if self._log is not None:
            found, thread = np.nonzero(self._log[positions])
            for position, lane in zip(positions[found].tolist(), thread.tolist(), strict=True):
                known = self._waiting.setdefault(position, {})
                for log, reference in self._pending(position, lane).items():
                    if known.get(log, _NOTHING)[0] < reference[0]:
                        known[log] = reference

    def releasing(self, lanes: Lanes, strength: Strength) -> tuple[Array, Entries]:
        """Which lanes release by a write of this strength, thanks to earlier fences, and what."""
        releasing = np.zeros(len(lanes[0]), np.bool_)
        values = np.full((_FIELDS, len(lanes[0])), NEVER, np.int64)
        scope = np.full(len(lanes[0]), GRID, np.int64)
        for level in (level for level in _LEVELS if strength.strong and level <= strength.scope):
            table = self._fenced.get(level)
            if table is not None:
                found = table[(slice(None), *lanes)]
                better = (found[_TIME] > NEVER) & ~releasing
                values[:, better] = found[:, better]
                scope[better] = level
                releasing |= better
        if self._published is not None and strength.strong and strength.scope == GRID:
            releasing |= self._add_published(lanes, values, releasing)
        kept = np.flatnonzero(releasing)
        return releasing, self._entries(lanes, kept, values, scope)

    def release_now(
        self, lanes: Lanes, strength: Strength, tick: int, floors: Lanes, row: Array | None
    ) -> tuple[Array, Entries]:
        """The same for a write that itself is a release operation."""
        count = len(lanes[0])
        if strength.scope < CLUSTER:
            return self.releasing(lanes, strength)
        rows = np.full(count, NEVER) if row is None else row
        values = np.stack([np.full(count, tick), *floors, rows])
        every = np.ones(count, np.bool_)
        return every, self._entries(lanes, np.arange(count), values, np.full(count, strength.scope))

    def again(self, lanes: Lanes, log: Array, releasing: Array, entries: Entries) -> Array:
        """Which releasing lanes put the same entry into the same log once more, as who polls by atomics does."""
        if self._added is None:
            self._added = np.full((3, *self._shape), NEVER, np.int64)
        kept = tuple(values[releasing] for values in lanes)
        now = np.stack([log[releasing], entries.time, entries.row])
        same = (self._added[(slice(None), *kept)] == now).all(axis=0) & (now[0] > 0)
        repeated = np.zeros(len(log), np.bool_)
        repeated[np.flatnonzero(releasing)[same]] = True
        return repeated

    def added(self, lanes: Lanes, log: Array, entries: Entries) -> None:
        """Remember what lanes have put into which logs."""
        assert self._added is not None
        self._added[(slice(None), *lanes)] = np.stack([log, entries.time, entries.row])

    def with_stores(
        self, lanes: Lanes, releasing: Array, entries: Entries, wrote: Array, strength: Strength
    ) -> Entries:
        """Entries of strong stores of all lanes: those that release nothing let their readers know of themselves."""
        position, thread = lanes
        values = {name: np.full(len(thread), NEVER) for name in ("time", "warp", "floor", "row")}
        for name, value in values.items():
            value[releasing] = getattr(entries, name)
        scope = np.full(len(thread), strength.scope)
        scope[releasing] = entries.scope
        return Entries(self.blocks[position], thread, scope=scope, wrote=wrote, **values)

    def _add_published(self, lanes: Lanes, values: Array, releasing: Array) -> Array:
        """Where no row says it yet, one that says what sc fences before barriers published."""
        assert self._published is not None
        position, _ = lanes
        added = np.zeros(len(position), np.bool_)
        for number in np.unique(position).tolist():
            row = self._published[number]
            if (row > NEVER).any():
                if number not in self._published_row:
                    self._published_row[number] = int(self._releases.save(row[None].copy())[0])
                chosen = (position == number) & (values[_ROW] == NEVER)
                values[_ROW][chosen] = self._published_row[number]
                added |= chosen & ~releasing
        return added

    def _entries(self, lanes: Lanes, kept: Array, values: Array, scope: Array) -> Entries:
        position, thread = lanes
        return Entries(
            block=self.blocks[position[kept]],
            thread=thread[kept],
            time=values[_TIME, kept],
            warp=values[_WARP, kept],
            floor=values[_FLOOR, kept],
            scope=scope[kept],
            row=values[_ROW, kept],
            wrote=np.full(len(kept), NEVER),
        )

    def observe(self, lanes: Lanes, seen: tuple[Array, Array], strength: Strength, ticks: Ticks) -> None:
        """Lanes have read what logs hold."""
        log, version = seen
        some = version > 0
        if not some.any() or not strength.observes or strength.scope < CLUSTER:
            return
        position, thread = (values[some] for values in lanes)
        log, version = log[some], version[some]
        scope = np.full(len(log), strength.scope)
        if strength.acquires:
            fresh = self._not_acquired_yet((position, thread), log, version)
            if fresh.any():
                position, thread, log, version, scope = (
                    values[fresh] for values in (position, thread, log, version, scope)
                )
                self._releases.acquire(self.blocks[position], thread, (log, version, scope), ticks.step())
            return
        if self._log is None:
            self._log = np.zeros(self._shape, np.int64)
            self._version, self._scope = np.zeros_like(self._log), np.zeros_like(self._log)
            self._ticket = np.zeros(self._shape, np.bool_)
        held = self._log[position, thread]
        for lane in np.flatnonzero((held > 0) & (held != log)).tolist():
            key = int(position[lane]), int(thread[lane])
            self._more.setdefault(key, {})[int(held[lane])] = self._reference(key)
        self._log[position, thread] = log
        self._version[position, thread], self._scope[position, thread] = version, scope
        self._ticket[position, thread] = strength.ticket

    def _reference(self, key: tuple[int, int]) -> Reference:
        return int(self._version[key]), int(self._scope[key]), bool(self._ticket[key])

    def _not_acquired_yet(self, lanes: Lanes, log: Array, version: Array) -> Array:
        if self._acquired is None:
            self._acquired = np.zeros((2, *self._shape), np.int64)
        held = self._acquired[(slice(None), *lanes)]
        self._acquired[(slice(None), *lanes)] = np.stack([log, version])
        fresh: Array = (held[0] != log) | (held[1] != version)
        return fresh

    def observed_by(self, position: int, barrier: int, *, tickets: bool) -> tuple[Array, ...]:
        """What a block's threads have observed: thread, log, length, scope, and when, as far as all know of it.

        Args:
            position: Of the block in the batch.
            barrier: The tick of its last barrier.
            tickets: Leave out what they did not observe by atomic operations that no loop waits for.
        """
        rows: list[tuple[int, int, int, int, int]] = []
        if self._log is not None:
            for thread in np.flatnonzero(self._log[position]).tolist():
                for log, (version, scope, ticket) in self._pending(position, thread).items():
                    if ticket or not tickets:
                        rows.append((thread, log, version, scope, int(barrier) + 1))
        for log, (version, scope, ticket) in self._waiting.get(position, {}).items():
            if ticket or not tickets:
                rows.append((0, log, version, scope, int(barrier)))
        return tuple(np.array(rows, np.int64).reshape(-1, 5).T)

    def _pending(self, position: int, thread: int) -> dict[int, Reference]:
        assert self._log is not None
        key = position, thread
        latest = {int(self._log[key]): self._reference(key)}
        return self._more.get(key, {}) | latest

    def _acquire(self, lanes: Lanes, fence: Fence, tick: int) -> None:
        """What lanes have observed themselves they acquire, and by an sc fence what their block has."""
        if self._log is None or fence.scope < CLUSTER:
            return
        position, thread = lanes
        some = self._log[lanes] > 0
        rows: list[tuple[int, int, int, int, int]] = []
        mine, which = position[some], thread[some]
        if mine.size:
            key = (mine, which)
            scope = np.minimum(self._scope[key], fence.scope)
            self._releases.acquire(
                self.blocks[mine], which, (self._log[key], self._version[key], scope), tick
            )
            for place in self._more.keys() & set(zip(mine.tolist(), which.tolist(), strict=True)):
                rows += [(*place, log, *found[:2]) for log, found in self._more.pop(place).items()]
            self._log[key] = 0
        if fence.total and self._waiting:
            for one, lane in zip(position.tolist(), thread.tolist(), strict=True):
                rows += [(one, lane, log, *found[:2]) for log, found in self._waiting.get(one, {}).items()]
        if rows:
            one, lane, log, version, scope = np.array(rows, np.int64).T
            scope = np.minimum(scope, fence.scope)
            self._releases.acquire(self.blocks[one], lane, (log, version, scope), tick)
