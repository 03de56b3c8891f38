"""Natural loops of small graphs."""

from __future__ import annotations

from sandbox.simulator.decode.loops import back_edges, natural_loops


def test_straight_code_and_branches_have_no_loop():
    assert natural_loops([]) == ()
    assert natural_loops([(1, 2), (3,), (3,), ()]) == ()


def test_a_block_that_branches_to_itself_is_a_loop():
    assert natural_loops([(1,), (1, 2), ()]) == ({1},)


def test_a_loop_inside_another_one_is_told_apart_from_it():
    loops = natural_loops([(1,), (2, 4), (2, 3), (1,), ()])
    assert set(loops) == {frozenset({2}), frozenset({1, 2, 3})}


def test_two_ways_back_to_one_block_make_one_loop():
    assert natural_loops([(1,), (2, 3), (1,), (1, 4), ()]) == ({1, 2, 3},)


def test_what_nothing_reaches_belongs_to_no_loop():
    assert natural_loops([(1,), (1, 2), (), (1, 3)]) == ({1},)


def test_a_cycle_that_is_entered_at_two_blocks_is_no_natural_loop():
    assert natural_loops([(1, 2), (2, 3), (1,), ()]) == ()


def test_each_way_back_to_one_block_has_a_loop_of_its_own():
    assert set(back_edges([(1,), (1, 2), (1, 3), ()])) == {(1, frozenset({1})), (1, frozenset({1, 2}))}
