"""What each thread of a block knows of the others: vector clocks.

An access is ordered before another where the second one's thread knows of it (Lamport's happens-before, kept as
Mattern and Fidge do). Each thread is an agent, and so are, apart from it, its asynchronous copies: nobody knows
of them, the thread itself included, before it has waited for them.
"""

from __future__ import annotations

import numpy as np

from sandbox.device import Array

_OWN = np.int32(2**31 - 1)
_LIMIT = 1 << 26
"""Entries of a matrix for every block by itself; beyond it, blocks share one, and some races can be missed."""


class Clocks:
    """Vector clocks of one batch: one matrix for all blocks until they synchronise differently.

    Agents 0 to T-1 are threads, T to 2T-1 their copies.

    Attributes:
        now: Each agent's time, int32, shape (blocks or 1, 2T); accesses happen at it.
        known: Up to which time a thread knows of each agent, int32, shape (blocks or 1, T, 2T).
    """

    def __init__(self, threads: int, blocks: int) -> None:
        self.threads = threads
        self._blocks = blocks
        self.now = np.ones((1, 2 * threads), dtype=np.int32)
        self.known = np.zeros((1, threads, 2 * threads), dtype=np.int32)
        diagonal = np.arange(threads)
        self.known[:, diagonal, diagonal] = _OWN

    def publish(self, lanes: Array) -> Array:
        """What threads know together, themselves included; what they do next is later.

        Args:
            lanes: bool, shape (blocks or 1, T).

        Returns:
            int32, shape (blocks or 1, 2T); zeros where no thread takes part.
        """
        lanes = self._fit(lanes)
        if len(lanes) == 1:
            chosen = np.flatnonzero(lanes[0])
            together = self.known[:, chosen].max(axis=1, initial=0)
        else:
            together = np.where(lanes[:, :, None], self.known, 0).max(axis=1)
        threads = together[:, : self.threads]
        threads[:] = np.where(lanes, self.now[:, : self.threads], threads)
        self.now[:, : self.threads] += lanes
        return together

    def learn(self, lanes: Array, together: Array) -> None:
        """Threads come to know what others published, shape (blocks or 1, 2T)."""
        lanes, together = self._fit_both(lanes, together)
        block, thread = np.nonzero(lanes)
        self.known[block, thread] = np.maximum(self.known[block, thread], together[block])

    def join(self, lanes: Array) -> None:
        """Threads wait for each other: each of them knows what any of them did."""
        self.learn(lanes, self.publish(lanes))

    def learn_copies(self, lanes: Array, clock: Array) -> None:
        """Threads know of their own copies up to a time, shape (blocks or 1, T)."""
        lanes, clock = self._fit_both(lanes, clock)
        thread = np.arange(self.threads)
        own = self.known[:, thread, thread + self.threads]
        self.known[:, thread, thread + self.threads] = np.maximum(own, np.where(lanes, clock, 0))

    def forget_exited(self, lanes: Array) -> None:
        """What threads that have ended did counts as known to all: they cannot meet anyone any more."""
        lanes = self._fit(lanes)
        time = np.where(lanes, self.now[:, : self.threads], 0)
        self.known[:, :, : self.threads] = np.maximum(self.known[:, :, : self.threads], time[:, None, :])

    def floor(self, live: Array) -> Array:
        """Up to which time every live thread knows of each agent, shape (blocks or 1, 2T)."""
        live = self._fit(live)
        return np.where(live[:, :, None], self.known, _OWN).min(axis=1)

    def row(self, block: Array) -> Array:
        """Where in `now` and `known` blocks stand."""
        return block if len(self.now) > 1 else np.zeros_like(block)

    def _fit_both(self, first: Array, second: Array) -> tuple[Array, Array]:
        first, second = self._fit(first), self._fit(second)
        return self._fit(first), second

    def _fit(self, values: Array) -> Array:
        """Give every block a matrix of its own when something differs between blocks."""
        if len(values) == 1 or len(self.now) > 1:
            return np.broadcast_to(values, (len(self.now), values.shape[1]))
        if (values == values[:1]).all():
            return values[:1]
        if self._blocks * self.known.size > _LIMIT:
            return values.max(axis=0, keepdims=True)
        self.now = np.repeat(self.now, self._blocks, axis=0)
        self.known = np.repeat(self.known, self._blocks, axis=0)
        return values
