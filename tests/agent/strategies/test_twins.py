"""Features that make no difference are found, and twins of what was tried are not proposed."""

from __future__ import annotations

from agent.strategies.twins import Known, idle_features
from sandbox.verdict import Verdict
from tests.agent.strategies.histories import right, view, wrong

TILED = right(1, 1, 10.0, "shared_memory_tiling")


def test_a_feature_that_makes_no_difference_to_a_fast_kernel_is_idle():
    same = right(1, 2, 10.01, "shared_memory_tiling", "loop_unrolling")
    better = right(1, 3, 8.0, "shared_memory_tiling", "register_blocking")
    assert idle_features(view(TILED, same, better)) == {"loop_unrolling"}


def test_a_feature_that_helped_a_kernel_once_is_not_idle():
    lines = [
        TILED,
        right(1, 2, 10.0, "shared_memory_tiling", "loop_unrolling"),
        right(2, 1, 9.0, "shared_memory_tiling", "register_blocking"),
        right(2, 2, 8.0, "shared_memory_tiling", "register_blocking", "loop_unrolling"),
    ]
    assert idle_features(view(*lines)) == set()


def test_what_a_feature_does_to_kernels_far_from_the_best_says_nothing_of_it():
    slow = right(1, 2, 100.0, "block_size_tuning")
    assert idle_features(view(slow)) == {"block_size_tuning"}, (
        "as fast as the baseline, and nothing is faster"
    )
    assert idle_features(view(TILED, slow)) == set()


def test_a_kernel_that_failed_says_nothing_of_what_a_feature_does():
    assert idle_features(view(wrong(1, 1, Verdict.RACE, "loop_unrolling"))) == set()


def test_twins_of_what_was_tried_come_only_where_nothing_else_is_left():
    same = right(1, 2, 10.0, "shared_memory_tiling", "loop_unrolling")
    blocked = right(2, 1, 9.0, "shared_memory_tiling", "register_blocking")
    known = Known(view(TILED, same, blocked))
    twin = frozenset({"shared_memory_tiling", "register_blocking", "loop_unrolling"})
    other = frozenset({"vectorized_loads"})
    assert known.new([twin, other, frozenset(blocked.used)]) == [other]
    assert known.new([twin, frozenset(blocked.used)]) == [twin]
    known.add(twin)
    assert known.new([twin]) == []
