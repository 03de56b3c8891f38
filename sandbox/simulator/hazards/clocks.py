"""What each thread of a block knows of the others: vector clocks.

An access is ordered before another where the second one's thread knows of it (Lamport's happens-before, kept as
Mattern and Fidge do). Each thread is an agent, and so are, apart from it, its asynchronous copies: nobody knows
of them, the thread itself included, before it has waited for them.
"""

from __future__ import annotations

import numpy as np

from sandbox.device import Array

_OWN = np.int32(2**31 - 1)
_LIMIT = 1 << 24
"""Entries of a matrix for every group by itself; beyond it, groups share one, and some races can be missed."""


class Ticks:
    """The time of one launch: how many synchronisation events it has seen."""

    def __init__(self) -> None:
        self.now = 1

    def step(self) -> int:
        """An event happens: its tick. What comes later is later."""
        self.now += 1
        return self.now - 1


class Clocks:
    """Vector clocks of one batch, by group: the agents that share memory, such as the threads of a block.

    Groups share one row until they synchronise differently. Right after a barrier of everyone all agents know
    the same, `_base`, and of their own copies `_own`; only barriers of some agents need the whole matrix.

    Attributes:
        threads: Agents in a group; 0 to T-1 are threads, T to 2T-1 their copies.
        now: Each agent's time, int32, shape (groups or 1, 2T); accesses happen at it. Threads count in ticks.
    """

    def __init__(self, threads: int, groups: int, ticks: Ticks) -> None:
        self.threads = threads
        self._groups = groups
        self._ticks = ticks
        self.now = np.ones((1, 2 * threads), dtype=np.int32)
        self._base = np.zeros((1, 2 * threads), dtype=np.int32)
        self._own = np.zeros((1, threads), dtype=np.int32)
        self._known: Array | None = None

    def knows(self, row: Array, thread: Array, agent: Array) -> Array:
        """Up to which time threads know of agents; arrays that broadcast, `row` from `row`."""
        if self._known is not None:
            return self._known[row, thread, agent]
        own = np.where(agent == thread + self.threads, self._own[row, thread], 0)
        return np.where(agent == thread, _OWN, np.maximum(self._base[row, agent], own))

    def publish(self, lanes: Array) -> Array:
        """What threads know together, themselves included; what they do next is later.

        Args:
            lanes: bool, shape (groups or 1, T).

        Returns:
            int32, shape (groups or 1, 2T); what all know at least where no thread takes part.
        """
        lanes = self._fit(lanes)
        if self._known is None:
            together = self._base.copy()
            own = together[:, self.threads :]
            own[:] = np.maximum(own, np.where(lanes, self._own, 0))
        elif len(lanes) == 1:
            together = self._known[:, np.flatnonzero(lanes[0])].max(axis=1, initial=0)
        else:
            together = np.where(lanes[:, :, None], self._known, 0).max(axis=1)
        threads, tick = together[:, : self.threads], self._ticks.step()
        threads[:] = np.where(lanes, tick, threads)
        now = self.now[:, : self.threads]
        now[:] = np.where(lanes, tick + 1, now)
        return together

    def view(self, group: Array, thread: Array) -> Array:
        """Up to which tick threads know of each thread of their group, themselves included; int64, shape (n, T)."""
        row, n = self.row(group), np.arange(len(thread))
        known = self._base[row] if self._known is None else self._known[row, thread]
        known = known[:, : self.threads].astype(np.int64)
        known[n, thread] = self._ticks.now - 1
        return known

    def publish_each(self, group: Array, thread: Array) -> Array:
        """What each of these threads knows, itself included; int32, shape (n, 2T). What they do next is later."""
        row, n = self.row(group), np.arange(len(thread))
        if self._known is None:
            known = self._base[row].copy()
            copies = self.threads + thread
            known[n, copies] = np.maximum(known[n, copies], self._own[row, thread])
        else:
            known = self._known[row, thread]
        tick = self._ticks.step()
        known[n, thread] = tick
        lanes = np.zeros((self._groups, self.threads), np.bool_)
        lanes[group, thread] = True
        lanes = self._fit(lanes)
        now = self.now[:, : self.threads]
        now[:] = np.where(lanes, tick + 1, now)
        return known

    def learn_one(self, group: int, thread: int, known: Array) -> None:
        """One thread comes to know what another released, shape (2T,)."""
        lanes = np.zeros((self._groups, self.threads), np.bool_)
        lanes[group, thread] = True
        self._fit(lanes)
        row = group if len(self.now) > 1 else 0
        matrix = self._matrix()
        matrix[row, thread] = np.maximum(matrix[row, thread], known)

    def learn(self, lanes: Array, together: Array) -> None:
        """Threads come to know what others published, shape (groups or 1, 2T)."""
        lanes, together = self._fit_both(lanes, together)
        known = self._matrix()
        group, thread = np.nonzero(lanes)
        known[group, thread] = np.maximum(known[group, thread], together[group])

    def join(self, lanes: Array) -> None:
        """Threads wait for each other: each of them knows what any of them did."""
        self.learn(lanes, self.publish(lanes))

    def join_all(self, lanes: Array, live: Array) -> None:
        """In every group where a thread takes part, all that are alive do; those that have ended are known too."""
        lanes, live = self._fit_both(lanes, live)
        taking_part = np.logical_or.reduce(lanes, axis=1)
        if not (taking_part.all() or self._known is None):
            ended = np.where(~live & taking_part[:, None], self._ticks.now, 0)
            known = self._known[:, :, : self.threads]
            known[:] = np.maximum(known, ended[:, None, :])
            self.join(lanes)
            return
        together = self.publish(lanes & live)
        together[:, : self.threads] = np.where(live, together[:, : self.threads], self._ticks.now)
        if self._known is not None:
            thread = np.arange(self.threads)
            self._own = self._known[:, thread, thread + self.threads]
            self._known = None
        self._base = np.where(taking_part[:, None], together, self._base)

    def learn_copies(self, lanes: Array, clock: Array) -> None:
        """Threads know of their own copies up to a time, shape (groups or 1, T)."""
        lanes, clock = self._fit_both(lanes, clock)
        done = np.where(lanes, clock, 0).astype(np.int32)
        if self._known is None:
            self._own = np.maximum(self._own, done)
            return
        thread = np.arange(self.threads)
        own = self._known[:, thread, thread + self.threads]
        self._known[:, thread, thread + self.threads] = np.maximum(own, done)

    def floor(self, live: Array) -> Array:
        """Up to which time every live thread knows of each agent, shape (groups or 1, 2T)."""
        if self._known is None:
            return self._base
        live = self._fit(live)
        return np.where(live[:, :, None], self._known, _OWN).min(axis=1)

    def row(self, group: Array) -> Array:
        """Where in the clocks groups stand."""
        return group if len(self.now) > 1 else np.zeros_like(group)

    def _matrix(self) -> Array:
        """What every thread knows of every agent, shape (groups or 1, T, 2T)."""
        if self._known is None:
            self._share()
            count, thread = len(self.now), np.arange(self.threads)
            self._known = np.repeat(self._base[:, None, :], self.threads, axis=1)
            assert self._known.shape == (count, self.threads, 2 * self.threads)
            own = self._known[:, thread, thread + self.threads]
            self._known[:, thread, thread + self.threads] = np.maximum(own, self._own)
            self._known[:, thread, thread] = _OWN
        return self._known

    def _share(self) -> None:
        """Where a matrix for every group would be too large, all groups get one, of what any of them knows."""
        if len(self.now) == 1 or len(self.now) * 2 * self.threads**2 <= _LIMIT:
            return
        for name in ("now", "_base", "_own"):
            setattr(self, name, getattr(self, name).max(axis=0, keepdims=True))

    def _fit_both(self, first: Array, second: Array) -> tuple[Array, Array]:
        first, second = self._fit(first), self._fit(second)
        return self._fit(first), second

    def _fit(self, values: Array) -> Array:
        """Give every group a row of its own when something differs between groups."""
        if len(values) == 1 or len(self.now) > 1:
            return np.broadcast_to(values, (len(self.now), values.shape[1]))
        if (values == values[:1]).all():
            return values[:1]
        if self._known is not None and self._groups * 2 * self.threads**2 > _LIMIT:
            return values.max(axis=0, keepdims=True)
        for name in ("now", "_base", "_own", "_known"):
            if getattr(self, name) is not None:
                setattr(self, name, np.repeat(getattr(self, name), self._groups, axis=0))
        return values
