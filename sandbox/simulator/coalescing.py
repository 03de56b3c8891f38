"""How a warp's addresses turn into sectors, and into shared-memory wavefronts.

Source: Nsight Compute documentation 2025.3, "Memory Tables" and "Sectors and wavefronts": a sector is 32 bytes of a
128-byte line; shared memory has 32 banks of 4 bytes; lanes that touch the same word share a wavefront.
"""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.lanes import WARP

SECTOR = 32
_BANKS = 32
_NOBODY = np.int64(1) << 62


def count_distinct(keys: Array, active: Array) -> Array:
    """Distinct keys among the active lanes of each warp.

    Args:
        keys: int64, shape (warps, 32, blocks).
        active: bool, broadcastable to it.

    Returns:
        int64, shape (warps, blocks).
    """
    ordered = np.sort(np.where(active, keys, _NOBODY), axis=1)
    fresh = np.ones(ordered.shape, dtype=np.bool_)
    fresh[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return (fresh & (ordered != _NOBODY)).sum(axis=1)


def global_sectors(offsets: Array, active: Array) -> Array:
    """Sectors of each warp request; an aligned access of at most 16 bytes lies in one sector.

    Args:
        offsets: Byte offsets, int64, shape (warps, 32, blocks).
        active: bool, broadcastable to it.

    Returns:
        int64, shape (warps, blocks); 0 where no lane is active.
    """
    return count_distinct(offsets >> 5, active)


def shared_wavefronts(offsets: Array, active: Array, size: int) -> Array:
    """Wavefronts of each warp request to shared memory.

    Accesses of 8 bytes are served by half warps, of 16 bytes by quarter warps (each quarter moves 128 bytes), so
    the least is 1, 2 or 4. Within a group, a wavefront serves one word of each bank.

    Args:
        offsets: Byte offsets, int64, shape (warps, 32, blocks).
        active: bool, broadcastable to it.
        size: Bytes a lane touches, 1 to 16.

    Returns:
        int64, shape (warps, blocks).
    """
    warps, _, blocks = offsets.shape
    active = np.broadcast_to(active, offsets.shape)
    groups = max(1, size // 4)
    lanes = WARP // groups
    words = (offsets >> 2).reshape(warps * groups, lanes, blocks)
    busy = active.reshape(warps * groups, lanes, blocks)
    total = np.zeros((warps * groups, blocks), dtype=np.int64)
    if groups == 1:
        total = _conflicts(words, busy)
    else:
        # A wide lane touches `groups` consecutive words; together they cover every bank of the group once.
        expanded = np.concatenate([words + k for k in range(groups)], axis=1)
        total = _conflicts(expanded, np.concatenate([busy] * groups, axis=1))
    return total.reshape(warps, groups, blocks).sum(axis=1)


def _conflicts(words: Array, active: Array) -> Array:
    """The largest number of distinct words in one bank, for each (group, block)."""
    keyed = np.where(active, (words % _BANKS << 48) | words, _NOBODY)
    ordered = np.sort(keyed, axis=1)
    fresh = np.ones(ordered.shape, dtype=np.bool_)
    fresh[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    fresh &= ordered != _NOBODY
    groups, _, blocks = ordered.shape
    group, lane, block = np.nonzero(fresh)
    bank = ordered[group, lane, block] >> 48
    cell = (group * blocks + block) * _BANKS + bank
    counts = np.bincount(cell, minlength=groups * blocks * _BANKS)
    return counts.reshape(groups, blocks, _BANKS).max(axis=2)
