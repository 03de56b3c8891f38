"""How a warp's addresses turn into sectors, and into shared-memory wavefronts.

Source: Nsight Compute documentation 2025.3, "Memory Tables" and "Sectors and wavefronts": a sector is 32
bytes of a 128-byte line; shared memory has 32 banks of 4 bytes; lanes that touch the same word share a
wavefront.
"""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.machine.lanes import WARP

SECTOR = 32
SECTOR_BITS = 5
SECTORS_A_LINE = 4
_BANKS = 32
_NOBODY = np.int64(1) << 62


def distinct(keys: Array, active: Array | None) -> tuple[Array, Array]:
    """The distinct keys among the active lanes of each warp.

    Args:
        keys: int64, shape (warps, lanes, blocks).
        active: bool, broadcastable to it; None for all.

    Returns:
        The keys, ordered within each warp, and a mask of that shape: one true element for each distinct key.
    """
    ordered = keys if active is None else np.where(active, keys, _NOBODY)
    fresh = np.empty(ordered.shape, dtype=np.bool_)
    fresh[:, :1] = True
    if not (ordered[:, 1:] >= ordered[:, :-1]).all():
        ordered = np.sort(ordered, axis=1)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=fresh[:, 1:])
    if active is not None:
        fresh &= ordered != _NOBODY
    return ordered, fresh


def global_sectors(offsets: Array, active: Array | None) -> tuple[Array, Array]:
    """The sectors of each warp request; an aligned access of at most 16 bytes lies in one sector.

    Args:
        offsets: Byte offsets, int64, shape (warps, 32, blocks).
        active: bool, broadcastable to it; None for all.

    Returns:
        Sector numbers, and a mask of that shape with one true element for each sector of a request.
    """
    return distinct(offsets >> SECTOR_BITS, active)


def global_lines(ordered: Array, fresh: Array) -> int:
    """How many 128-byte lines all requests touch together; the arguments are what `global_sectors` returns."""
    other = (ordered[:, 1:] ^ ordered[:, :-1]) >= SECTORS_A_LINE
    return int(np.count_nonzero(fresh[:, :1])) + int(np.count_nonzero(fresh[:, 1:] & other))


def shared_wavefronts(offsets: Array, active: Array | None, size: int, *, atomic: bool = False) -> Array:
    """Wavefronts of each warp request to shared memory.

    Accesses of 8 bytes are served by half warps, of 16 bytes by quarter warps (each part moves 128 bytes), so
    the least is 1, 2 or 4; two parts go together where each lane shares its address with its neighbour, or with the
    one after that. Within a part, a wavefront serves one word of each bank; of an atomic, one lane.

    Args:
        offsets: Byte offsets, int64, shape (warps, 32, blocks).
        active: bool, broadcastable to it; None for all.
        size: Bytes a lane touches, 1 to 16.
        atomic: Whether lanes that touch the same word take turns.

    Returns:
        int64, shape (warps, parts, blocks), by the parts that are served one after another; 0 where no lane of
        the part is active.
    """
    warps, _, blocks = offsets.shape
    parts = max(1, size // 4)
    if parts > 1 and not atomic and _paired(offsets):
        parts //= 2
    lanes = WARP // parts
    words = (offsets >> 2).reshape(warps * parts, lanes, blocks)
    busy = None if active is None else np.broadcast_to(active, offsets.shape).reshape(words.shape)
    if size > 4:
        # A wide lane touches consecutive words; together they cover every bank of the part once.
        words = np.concatenate([words + k for k in range(size // 4)], axis=1)
        busy = None if busy is None else np.concatenate([busy] * (size // 4), axis=1)
    return _fullest_bank(words, busy, atomic).reshape(warps, parts, blocks)


def _paired(offsets: Array) -> bool:
    """Whether every lane has the address of its neighbour, or every lane that of the one after it."""
    by_two = offsets.reshape(offsets.shape[0], -1, 2, offsets.shape[2])
    if bool((by_two[:, :, 0] == by_two[:, :, 1]).all()):
        return True
    by_four = offsets.reshape(offsets.shape[0], -1, 2, 2, offsets.shape[2])
    return bool((by_four[:, :, 0] == by_four[:, :, 1]).all())


def _fullest_bank(words: Array, active: Array | None, atomic: bool) -> Array:
    """The largest number of distinct words in one bank, of lanes if atomic, for each (part, block)."""
    ordered, fresh = (words, _everyone(words, active)) if atomic else distinct(words, active)
    parts, _, blocks = ordered.shape
    part, lane, block = np.nonzero(fresh)
    bank = ordered[part, lane, block] & (_BANKS - 1)
    cell = (part * blocks + block) * _BANKS + bank
    counts = np.bincount(cell, minlength=parts * blocks * _BANKS)
    return counts.reshape(parts, blocks, _BANKS).max(axis=2)


def _everyone(words: Array, active: Array | None) -> Array:
    return np.ones(words.shape, dtype=np.bool_) if active is None else np.broadcast_to(active, words.shape)
