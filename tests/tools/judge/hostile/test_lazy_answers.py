"""Answers that cost nothing and that loose tolerances accept: the scaled error bound refuses them."""

from __future__ import annotations

import numpy as np
import pytest

from tools.judge.comparison import Comparison, Expectation, compare
from tools.judge.freezing import CAPS

COLUMNS = 393_216
CAP = CAPS["float32"]
"""The most lenient constant that any task can have."""


def compared(got: np.ndarray, values: np.ndarray, magnitude: np.ndarray) -> Comparison:
    expectation = Expectation("y", "float32", values, magnitude)
    return compare(np.asarray(got, np.float32).reshape(values.shape), expectation, constant=CAP)


def softmax(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The answer, and S as `value * (1 + |x - max|)`, with room for the length of the sum."""
    shifted = x - x.max()
    e = np.exp(shifted)
    return e / e.sum(), e / e.sum() * (1 + np.abs(shifted) + np.sqrt(x.size))


@pytest.mark.parametrize("lazy", [0.0, 1 / COLUMNS], ids=["zeros", "the mean"])
def test_neither_zeros_nor_the_mean_pass_for_a_softmax_over_many_columns(lazy: float) -> None:
    values, magnitude = softmax(np.random.default_rng(5).random(COLUMNS))
    assert np.abs(values - lazy).max() < 1e-5, "an absolute tolerance would not see it"
    result = compared(np.full(COLUMNS, lazy), values, magnitude)
    assert result.wrong > COLUMNS // 2
    assert compared(values, values, magnitude).wrong == 0


def test_an_honest_float32_softmax_over_many_columns_passes() -> None:
    x = np.random.default_rng(6).random(COLUMNS).astype(np.float32)
    values, magnitude = softmax(x.astype(np.float64))
    e = np.exp(x - x.max())
    assert compared(e / e.sum(), values, magnitude).wrong == 0


def test_a_cross_entropy_that_never_reads_its_logits_is_refused() -> None:
    """Of uniform(0, 1) logits, log(classes * (e - 1)) is the logarithm of the sum to within 5e-5 or so."""
    random = np.random.default_rng(7)
    rows, classes = 512, 4096
    x = random.random((rows, classes))
    target = x[:, 0]
    logarithm = np.log(np.exp(x).sum(axis=-1))
    loss = np.mean(logarithm - target).reshape(1)
    magnitude = np.mean(logarithm + np.abs(target) + 1).reshape(1)
    guess = np.log(classes * (np.e - 1)) - target.mean()
    assert abs(guess - loss[0]) < 9.4e-4, "within the tolerance that a public benchmark uses"
    assert compared(np.array([guess]), loss, magnitude).wrong == 1
    honest = np.float32(
        np.mean(np.log(np.exp(x.astype(np.float32)).sum(axis=-1)) - x.astype(np.float32)[:, 0])
    )
    assert compared(np.array([honest]), loss, magnitude).wrong == 0


def test_the_mean_of_many_numbers_is_not_their_expectation() -> None:
    x = np.random.default_rng(8).random((64, 65536))
    values, magnitude = x.mean(axis=-1), np.abs(x).mean(axis=-1)
    assert compared(np.full(64, 0.5), values, magnitude).wrong > 60
    assert compared(x.astype(np.float32).mean(axis=-1), values, magnitude).wrong == 0
