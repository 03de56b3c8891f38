from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.timing.plausibility import Ceilings, faster_than_the_wall, implausible, least_us, remembers
from sandbox.timing.schedule import BASELINE, CANDIDATE, LOOKS, TimingRules, block_order, enough
from sandbox.timing.stability import stable
from sandbox.timing.statistics import Ratio, noise_floor, paired_ratio, paired_verdict, summary, told_apart
from sandbox.verdict import PairedVerdict

times = st.floats(0.5, 1e6)
H200 = Ceilings(4.8e12, 6.7e13, "vendor's figures")


@given(st.lists(st.tuples(times, times), min_size=1, max_size=40), st.floats(0.1, 10))
def test_a_ratio_lies_in_its_interval_and_scales_with_the_baseline(
    pairs: list[tuple[float, float]], factor: float
) -> None:
    baseline, candidate = [a for a, _ in pairs], [b for _, b in pairs]
    ratio = paired_ratio(baseline, candidate, draws=50)
    assert 0 < ratio.low <= ratio.value * (1 + 1e-12)
    assert ratio.value <= ratio.high * (1 + 1e-12)
    scaled = paired_ratio([factor * a for a in baseline], candidate, draws=50)
    for one, other in ((scaled.value, ratio.value), (scaled.low, ratio.low), (scaled.high, ratio.high)):
        assert one == pytest.approx(factor * other, rel=1e-9)
    back = paired_ratio(candidate, baseline, draws=50)
    assert back.value == pytest.approx(1 / ratio.value, rel=1e-9)


@given(st.lists(times, min_size=1, max_size=50))
def test_a_kernel_beside_itself_is_exactly_as_fast(samples: list[float]) -> None:
    ratio = paired_ratio(samples, samples, draws=20)
    assert (ratio.value, ratio.low, ratio.high) == (1, 1, 1)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    held = 0
    for trial in range(150):
        baseline = 20 * np.exp(random.normal(0, 0.03, 60))
        candidate = 10 * np.exp(random.normal(0, 0.03, 60))
        ratio = paired_ratio(list(baseline), list(candidate), seed=trial, draws=400)
        held += ratio.low <= 2 <= ratio.high
    assert 0.88 <= held / 150 <= 1


def test_two_like_kernels_are_told_apart_by_no_more_than_one_timing_in_twenty() -> None:
    random = np.random.default_rng(5)

    def timing() -> Ratio:
        order = 1 + 0.004 * random.standard_normal()  # what one timing does to whoever runs second
        first = 10 * np.exp(0.01 * random.standard_normal(30))
        second = first * order * np.exp(0.01 * random.standard_normal(30))
        return paired_ratio(first.tolist(), second.tolist(), draws=400)

    floors = [noise_floor(timing()) for _ in range(200)]
    wrongly = sum(told_apart(timing(), floor) for floor in floors)
    assert wrongly <= 10
    assert sum(told_apart(timing(), 0.0) for _ in range(200)) > 10


def test_a_gain_counts_beyond_the_noise_on_either_side_of_one() -> None:
    assert paired_verdict(Ratio(1.1, 1.05, 1.2, 30), 0.04) is PairedVerdict.FASTER
    assert paired_verdict(Ratio(1.1, 1.05, 1.2, 30), 0.06) is PairedVerdict.INCONCLUSIVE
    assert paired_verdict(Ratio(0.8, 0.7, 0.9, 30), 0.1) is PairedVerdict.SLOWER
    assert paired_verdict(Ratio(0.95, 0.9, 1.0, 30), 0.0) is PairedVerdict.INCONCLUSIVE
    assert noise_floor(Ratio(1.0, 0.98, 1.01, 30)) == pytest.approx(1 / 0.98 - 1)


def test_drift_between_blocks_widens_the_interval_of_single_pairs() -> None:
    drift = np.repeat(np.exp(np.random.default_rng(1).normal(0, 0.1, 30)), 2)
    together = paired_ratio(list(10 * drift), [10.0] * 60, block=2)
    apart = paired_ratio(list(10 * drift), [10.0] * 60, block=1)
    assert together.half_width > 1.1 * apart.half_width


@pytest.mark.parametrize(("a", "b"), [([], []), ([1.0], []), ([1.0], [0.0]), ([1.0, 2.0], [1.0])])
def test_what_is_no_pair_is_refused(a: list[float], b: list[float]) -> None:
    with pytest.raises(ValueError, match=r"pairs were expected|not positive"):
        paired_ratio(a, b)


def test_slow_drift_cancels_in_a_block() -> None:
    for flipped in (False, True):
        order = block_order(paired=True, flipped=flipped)
        assert sorted(order) == [CANDIDATE] * 2 + [BASELINE] * 2
        places = [position for position, who in enumerate(order) if who == CANDIDATE]
        assert sum(places) == 3  # the mean position of both is the same
    assert block_order(paired=False, flipped=True) == (CANDIDATE, CANDIDATE)


def test_sampling_stops_at_a_look_once_the_ratio_is_known_well_and_at_the_last_in_any_case() -> None:
    random = np.random.default_rng(2)
    exact, rules = [10.0] * 300, TimingRules(relative_error=0.01)
    noisy = list(10 * np.exp(random.normal(0, 0.5, 300)))
    assert [n for n in range(1, 260) if enough(exact[:n], exact[:n], rules)] == [*LOOKS, *range(241, 260)]
    assert [n for n in LOOKS if enough(noisy[:n], exact[:n], rules)] == [LOOKS[-1]]
    assert enough(exact[:30], [], rules)
    assert not enough(noisy[:30], [], rules)


def test_a_warm_up_ends_when_two_windows_agree() -> None:
    assert not stable([1.0] * 9)
    assert stable([1.0] * 10)
    assert not stable([2.0] * 5 + [1.0] * 5)
    assert stable([9.0, 5.0] + [1.0] * 9 + [1.01])
    assert not stable([1.0 + 0.02 * step for step in range(40)])


@given(times, st.floats(0, 1e12), st.floats(0, 1e15))
def test_a_time_is_plausible_exactly_when_it_is_not_below_the_roofline(
    time_us: float, moved: float, flops: float
) -> None:
    said = implausible(time_us, moved, flops, H200)
    assert (said is None) == (time_us >= 0.95 * least_us(moved, flops, H200))


def test_what_cannot_be_is_said_with_its_arithmetic() -> None:
    said = implausible(10, 4.8e9, 1, H200)
    assert said is not None
    assert "10 us cannot be" in said
    assert "4.8e+09 bytes" in said
    assert "takes 1000 us" in said
    busy = implausible(10, 1, 6.7e9, H200)
    assert busy is not None
    assert "6.7e+09 operations" in busy
    assert "100 us" in busy
    cached = Ceilings(4.8e12, 6.7e13, "x", cache_bytes=5_000_000_000)
    assert implausible(10, 4.8e9, 1, cached) is None


def test_samples_cannot_take_longer_than_the_clock_on_the_wall_says() -> None:
    assert faster_than_the_wall([4e5, 5e5], 1.0) is None
    assert "1.1 s" in (faster_than_the_wall([6e5, 5e5], 1.0) or "")


def test_runs_that_grow_far_faster_are_pointed_out() -> None:
    assert remembers([10.0] * 20) is None
    assert remembers([10.0, 9.0]) is None
    assert "results kept" in (remembers([10.0] * 10 + [1.0] * 20) or "")


@given(st.lists(times, min_size=1, max_size=30))
def test_quantiles_are_in_order_and_of_the_samples(samples: list[float]) -> None:
    found = summary(samples)
    ordered = (min(samples), found.p10, found.p25, found.median, found.p75, found.p90, max(samples))
    assert all(a <= b or math.isclose(a, b) for a, b in itertools.pairwise(ordered))
