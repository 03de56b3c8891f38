"""Tensors that code holds are written in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from agent.importing.constants import constant_text

HELD = [
    np.array(2.5),
    np.zeros((3, 4)),
    np.full((2, 5), -np.inf),
    np.ones((1, 4), dtype=bool),
    np.tril(np.ones((5, 5))),
    np.triu(np.ones((5, 5), dtype=bool), 1),
    np.where(np.tril(np.ones((4, 4), dtype=bool)), 0, -np.inf).reshape(1, 1, 4, 4),
    np.eye(4),
    np.arange(10),
    np.arange(10).reshape(1, 10) * 2.5,
    np.arange(3, 9),
    np.array([3.0, -1.5, 7.25]),
]


@pytest.mark.parametrize("values", HELD, ids=lambda one: f"{one.dtype}{list(one.shape)}")
def test_what_is_written_has_the_same_values(values: np.ndarray) -> None:
    text = constant_text(values)
    assert text is not None
    found = eval(text, {"np": np})
    assert found.shape == values.shape
    assert (found == values).all()


def test_many_values_of_no_form_are_not_written_out() -> None:
    assert constant_text(np.random.default_rng(0).normal(size=1000)) is None
