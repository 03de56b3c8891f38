"""What a block's share of L1 holds."""

from __future__ import annotations

import numpy as np

from sandbox.simulator.cost.caches import BlockCaches, Footprint

SECTORS, BLOCKS = np.array([3, 4, 1 << 20]), np.array([0, 0, 1])
OTHERS = np.array([9, 4, 8])


def test_the_same_load_again_brings_in_nothing_and_changes_nothing_of_what_comes_later() -> None:
    once, often = BlockCaches(2, 4), BlockCaches(2, 4)
    counted = [once.load(SECTORS, BLOCKS)[0], once.load(OTHERS, BLOCKS)[0], once.load(SECTORS, BLOCKS)[0]]
    repeated = [often.load(SECTORS.copy(), BLOCKS)[0] for _ in range(4)]
    assert repeated == [3, 0, 0, 0]
    assert counted == [3, often.load(OTHERS, BLOCKS)[0], often.load(SECTORS, BLOCKS)[0]]


def test_the_same_sectors_loaded_by_another_block_are_brought_in_again() -> None:
    caches = BlockCaches(2, 4)
    assert [caches.load(SECTORS, BLOCKS)[0], caches.load(SECTORS, 1 - BLOCKS)[0]] == [3, 3]


def test_sectors_that_evict_each_other_are_missed_every_time() -> None:
    caches = BlockCaches(1, 1)
    sectors = np.arange(64)
    assert all(caches.load(sectors, np.zeros(64, np.int64))[0] > 0 for _ in range(4))


def test_a_footprint_holds_what_every_touch_touched() -> None:
    footprint = Footprint(2)
    for sectors, blocks in ((SECTORS, BLOCKS), (OTHERS, BLOCKS), (SECTORS, BLOCKS), (SECTORS, 1 - BLOCKS)):
        footprint.touch(sectors, blocks)
    sectors, touched = footprint.rows()
    assert sectors.tolist() == [3, 4, 8, 9, 1 << 20]
    assert touched.tolist() == [[True, True], [True, True], [False, True], [True, False], [True, True]]


SOME, BY = np.array([0, 5, 0, 7]), np.array([0, 0, 1, 1])


def test_a_block_finds_what_it_has_brought_in() -> None:
    caches = BlockCaches(2, 64)
    assert caches.load(SOME, BY)[0] == 4
    assert caches.load(SOME, BY)[0] == 0
    assert caches.load(np.array([5]), np.array([1]))[0] == 1


def test_other_blocks_find_emptied_caches() -> None:
    caches = BlockCaches(2, 64)
    caches.load(SOME, BY)
    caches.empty()
    assert caches.load(SOME, BY)[0] == 4
    assert caches.load(SOME, BY)[0] == 0
