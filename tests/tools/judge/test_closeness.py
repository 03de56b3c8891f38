"""How near results are by the rules of public benchmarks, which let pass what the error bound does not."""

from __future__ import annotations

import numpy as np

from tools.judge.closeness import closeness, worst_of
from tools.judge.comparison import Expectation, compare

EXPECTED = np.linspace(-4.0, 4.0, 1000)


def test_one_element_in_a_hundred_may_be_anything_by_their_rule() -> None:
    got = EXPECTED.astype(np.float32)
    got[:10] = 0
    near = closeness(got, EXPECTED)
    assert near.lax_pass()
    assert not near.lax_pass(ratio=1.0)
    assert near.absolute == 4.0
    got[10] = 0
    assert not closeness(got, EXPECTED).lax_pass()
    assert compare(got, Expectation("y", "float32", EXPECTED), constant=4.0).wrong == 11


def test_errors_of_a_hundredth_pass_by_their_rule_and_not_by_ours() -> None:
    got = (EXPECTED + 0.01).astype(np.float32)
    compared = compare(got, Expectation("y", "float32", EXPECTED), constant=4.0)
    assert compared.wrong == 1000
    assert compared.closeness is not None
    assert compared.closeness.lax_pass(ratio=1.0)
    assert not compared.closeness.lax_pass(tolerance=1e-3)


def test_what_is_not_finite_is_beyond_every_tolerance() -> None:
    got = EXPECTED.astype(np.float32)
    got[3] = np.nan
    near = closeness(got, EXPECTED)
    assert (near.absolute, near.all_within, near.lax_pass()) == (None, None, True)
    assert worst_of([near, closeness(EXPECTED, EXPECTED)]) == near
    assert worst_of([None]) is None


def test_whole_numbers_are_near_too_by_their_rule() -> None:
    got, expected = np.array([1000, 5], np.int32), np.array([1005, 5], np.int32)
    assert closeness(got, expected).lax_pass(ratio=1.0)
    assert compare(got, Expectation("y", "int32", expected), constant=0).wrong == 1
