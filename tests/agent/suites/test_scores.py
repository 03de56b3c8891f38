"""Scores against numbers that were worked out by hand."""

from __future__ import annotations

import pytest

from agent.suites.scores import (
    fast_p,
    geometric_mean,
    median,
    pass_at_k,
    sol_score,
    with_baselines,
)


@pytest.mark.parametrize(
    ("latency", "baseline", "least", "score"),
    [
        (100, 100, 10, 0.5),
        (10, 100, 10, 1.0),
        (55, 100, 10, 2 / 3),
        (190, 100, 10, 1 / 3),
        (5, 100, 10, 1.0),
        (10, 10, 10, 1.0),
        (11, 10, 10, 0.0),
    ],
)
def test_the_score_is_a_half_at_the_baseline_and_one_at_the_speed_of_light(latency, baseline, least, score):
    assert sol_score(latency, baseline, least) == pytest.approx(score)


def test_a_task_without_a_kernel_counts_as_its_baseline_in_means():
    known = with_baselines([4.0, None, 16.0])
    assert known == [4.0, 1.0, 16.0]
    assert geometric_mean(known) == pytest.approx(4.0)
    assert median(known) == 4.0


def test_there_is_no_mean_of_nothing():
    assert (geometric_mean([]), median([])) == (None, None)


def test_fast_p_counts_correct_kernels_that_are_more_than_p_times_as_fast():
    speedups = [None, 0.5, 1.0, 3.0]
    assert [fast_p(speedups, p) for p in (0, 0.5, 1, 2, 3)] == [0.75, 0.5, 0.25, 0.25, 0]


def test_pass_at_k_is_the_chance_that_one_of_k_drawn_samples_is_correct():
    assert pass_at_k([(4, 1)], 1) == pytest.approx(1 / 4)
    assert pass_at_k([(4, 1)], 2) == pytest.approx(1 / 2)
    assert pass_at_k([(4, 4), (4, 0)], 4) == pytest.approx(1 / 2)
    assert pass_at_k([(4, 4), (0, 0)], 2) == pytest.approx(1 / 2), "a task without samples has no chance"
