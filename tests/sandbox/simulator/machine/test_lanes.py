import numpy as np

from sandbox.simulator.machine.lanes import compress


def test_zeros_of_both_signs_are_two_values() -> None:
    value = np.array([0.0, -0.0, 0.0], dtype=np.float32).reshape(1, 3, 1)
    assert compress(value).shape == (1, 3, 1)


def test_what_is_alike_along_an_axis_is_kept_once_a_nan_too() -> None:
    value = np.full((2, 3, 4), np.nan, dtype=np.float32)
    assert compress(value).shape == (1, 1, 1)
    value[:, 1] = 2
    assert compress(value).shape == (1, 3, 1)
    assert compress(np.arange(6).reshape(1, 6, 1)).shape == (1, 6, 1)
