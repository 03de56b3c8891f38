"""How often atomics meet at one address: within a warp, and over the whole launch."""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.machine.lanes import WARP

_COMPRESS_AT = 1 << 18


def longest_runs(fresh: Array, active: Array | None) -> Array:
    """The most lanes of each warp that share one key.

    Args:
        fresh: From `coalescing.distinct`: where each run of equal keys starts, shape (warps, 32, blocks).
        active: Active lanes, broadcastable to it; None for all.

    Returns:
        int64, shape (warps, blocks); 0 where no lane is active.
    """
    lanes: Array = np.arange(fresh.shape[1], dtype=np.int64).reshape(1, WARP, 1)
    runs: Array = lanes - np.maximum.accumulate(np.where(fresh, lanes, 0), axis=1) + 1
    if active is None:
        return runs.max(axis=1)
    # Inactive lanes were sorted to the end, so the active ones come first.
    number = np.broadcast_to(active, fresh.shape).sum(axis=1, keepdims=True)
    return np.where(lanes < number, runs, 0).max(axis=1)


class Contention:
    """Operations on each address, over the sampled blocks."""

    def __init__(self) -> None:
        self._parts: list[tuple[Array, Array, Array, Array]] = []
        self._size = 0

    def add(self, addresses: Array, blocks: Array) -> None:
        """Note one operation on each of `addresses` by the sampled block of the same position."""
        self._append((addresses, np.ones(len(addresses), np.int64), blocks, blocks))
        if self._size > _COMPRESS_AT:
            self._compress()

    def busiest(self, scale: float) -> float:
        """Operations of the whole grid on its busiest address.

        An address that several sampled blocks touched is taken to be touched by all, at the same rate; one
        that a single block touched is taken to be that block's own.

        Args:
            scale: Blocks of the grid for each sampled one.
        """
        self._compress()
        if not self._parts:
            return 0.0
        _, counts, low, high = self._parts[0]
        return float(np.where(low != high, counts * scale, counts).max(initial=0.0))

    def _append(self, part: tuple[Array, Array, Array, Array]) -> None:
        if len(part[0]):
            self._parts.append(_merged(part))
            self._size += len(self._parts[-1][0])

    def _compress(self) -> None:
        parts, self._parts, self._size = self._parts, [], 0
        if parts:
            addresses, counts, low, high = (np.concatenate(columns) for columns in zip(*parts, strict=True))
            self._append((addresses, counts, low, high))


def _merged(part: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
    addresses, counts, low, high = part
    order = np.argsort(addresses, kind="stable")
    ordered = addresses[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return (
        ordered[starts],
        np.add.reduceat(counts[order], starts),
        np.minimum.reduceat(low[order], starts),
        np.maximum.reduceat(high[order], starts),
    )
