"""Float64 operations near the ends of the range, against exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from sandbox.simulator.numerics.exact import root_error, settle

EXACT = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "fma": lambda a, b, c: a * b + c,
}
RANGES = [(-1074, -900), (-560, -500), (-540, -533), (-30, 30), (500, 520), (900, 1023), (-1074, 1023)]


def rounded(exact: Fraction, mode: str) -> float:
    """A nonzero fraction as float64, by Python's own correctly rounded conversion."""
    try:
        nearest = float(exact)
    except OverflowError:
        nearest = math.inf if exact > 0 else -math.inf
    low = nearest == -math.inf or (nearest != math.inf and Fraction(nearest) < exact)
    high = nearest == math.inf or (nearest != -math.inf and Fraction(nearest) > exact)
    if low and (mode == "rp" or (mode == "rz" and exact < 0)):
        nearest = math.nextafter(nearest, math.inf)
    if high and (mode == "rm" or (mode == "rz" and exact > 0)):
        nearest = math.nextafter(nearest, -math.inf)
    return math.copysign(nearest, 1 if exact > 0 else -1)


def operands(random: np.random.Generator, count: int, exponents: tuple[int, int]) -> np.ndarray:
    """Random signs and exponents; half of the significands have few bits, for ties."""
    significands = np.where(
        random.integers(0, 2, count), 1 + random.random(count), 1 + random.integers(0, 4, count) / 4
    )
    found = np.ldexp(significands * random.choice([-1, 1], count), random.integers(*exponents, count))
    return np.where(found == 0, 5e-324, found)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("exponents", RANGES)
def test_every_rounding_is_that_of_exact_fractions(name, exponents):
    random, count = np.random.default_rng(7), 60
    for mode in ("rn", "rz", "rm", "rp"):
        values = [operands(random, count, exponents) for _ in range(2)]
        if name == "fma":
            with np.errstate(all="ignore"):
                product = values[0] * values[1]
                near = [operands(random, count, exponents), -product, np.nextafter(-product, 0), 0 * product]
            third = np.choose(random.integers(0, 4, count), near)
            values.append(np.where(np.isfinite(third), third, 1.0))
        found = settle(name, tuple(values), np.zeros(count), np.ones(count, np.bool_), mode)
        for index in range(count):
            exact = EXACT[name](*(Fraction(float(value[index])) for value in values))
            wanted = rounded(exact, mode) if exact else 0.0
            shown = [float(value[index]).hex() for value in values]
            assert (found[index], np.signbit(found[index])) == (wanted, np.signbit(wanted)), (mode, shown)


def test_lanes_that_are_not_hard_keep_what_they_have():
    a, b = np.array([1e-300, 3.0]), np.array([1e-20, 5.0])
    found = settle("mul", (a, b), np.array([7.0, 8.0]), np.array([True, False]), "rn")
    assert found.tolist() == [1e-300 * 1e-20, 8.0]


def test_the_sign_of_a_roots_error_is_exact():
    random = np.random.default_rng(3)
    values = np.abs(operands(random, 500, (-1074, 1023)))
    roots = np.sqrt(values)
    signs = [Fraction(float(v)) - Fraction(float(r)) ** 2 for v, r in zip(values, roots, strict=True)]
    assert root_error(values, roots).tolist() == [(s > 0) - (s < 0) for s in signs]
    assert root_error(np.array([0.0, np.inf, -1.0]), np.array([0.0, np.inf, np.nan])).tolist() == [0, 0, 0]
