"""What a block's share of L1 holds."""

from __future__ import annotations

import numpy as np

from sandbox.simulator.cost.caches import BlockCaches

SECTORS, BLOCKS = np.array([0, 5, 0, 7]), np.array([0, 0, 1, 1])


def test_a_block_finds_what_it_has_brought_in() -> None:
    caches = BlockCaches(2, 64)
    assert caches.load(SECTORS, BLOCKS)[0] == 4
    assert caches.load(SECTORS, BLOCKS)[0] == 0
    assert caches.load(np.array([5]), np.array([1]))[0] == 1


def test_other_blocks_find_emptied_caches() -> None:
    caches = BlockCaches(2, 64)
    caches.load(SECTORS, BLOCKS)
    caches.empty()
    assert caches.load(SECTORS, BLOCKS)[0] == 4
    assert caches.load(SECTORS, BLOCKS)[0] == 0
