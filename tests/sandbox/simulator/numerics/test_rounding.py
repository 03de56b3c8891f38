"""Directed rounding of many lanes at once, and the lanes that a fused multiply-add does twice."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from sandbox.simulator.numerics.rounding import directed, fma32

EDGES = [
    0.0,
    -0.0,
    math.inf,
    -math.inf,
    math.nan,
    3.4028235e38,
    -3.4028235e38,
    1e-45,
    -1e-45,
    1.0,
    -1.0,
    2.0**-126,
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", ["rm", "rp", "rz"])
@pytest.mark.parametrize("zeros", [False, True])
def test_many_lanes_are_rounded_to_the_bits_that_few_are(
    mode: str, dtype: type[np.floating], zeros: bool
) -> None:
    rng = np.random.default_rng(1)
    edges = np.array([edge for edge in EDGES if edge or zeros] * 50, dtype)
    nearest = np.concatenate([edges, rng.standard_normal(4000).astype(dtype)]).reshape(1, 1, -1)
    exact = nearest.astype(np.float64) * (1 + rng.choice([-1, 0, 1], nearest.shape) * 2.0**-40)
    error = np.where(np.isinf(exact), 0.0, rng.choice([-1e-300, 0.0, 1e-300], nearest.shape))
    with np.errstate(all="ignore"):  # as in every run
        many = directed(nearest, exact, error, mode)
        few = [
            directed(*(lanes[:, :, start : start + 100] for lanes in (nearest, exact, error)), mode)
            for start in range(0, nearest.size, 100)
        ]
    assert many.tobytes() == np.concatenate(few, axis=2).tobytes()


def test_a_fused_multiply_add_is_rounded_once_next_to_ties_and_below_the_normal_range() -> None:
    rng = np.random.default_rng(2)
    small = np.float32(2.0**-75)
    a = np.concatenate(
        [1 + rng.integers(0, 1 << 12, 300) * 2.0**-12, rng.standard_normal(300) * small, [2.0**-75]]
    )
    b = np.concatenate(
        [1 + rng.integers(0, 1 << 12, 300) * 2.0**-12, rng.standard_normal(300) * small, [2.0**-75]]
    )
    c = np.concatenate(
        [rng.choice([2.0**-70, -(2.0**-70), 0], 300), rng.standard_normal(300) * 2.0**-145, [2.0**-149]]
    )
    factors = [values.astype(np.float32).reshape(1, 1, -1) for values in (a, b, c)]
    found = fma32(*factors).reshape(-1)
    for x, y, z, result in zip(*(values.reshape(-1).tolist() for values in factors), found, strict=True):
        exact = Fraction(x) * Fraction(y) + Fraction(z)
        below, above = (np.nextafter(result, np.float32(to)) for to in (-np.inf, np.inf))
        distance = abs(Fraction(float(result)) - exact)
        for other in (below, above):
            away = abs(Fraction(float(other)) - exact)
            even = int(result.view(np.uint32)) % 2 == 0
            assert distance < away or (distance == away and even)
