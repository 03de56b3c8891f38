"""What inputs hold in a profile: a sample, and more of its kind."""

from __future__ import annotations

import numpy as np

from sandbox.simulator.machine.filling import InputData

PAGE = 4096
DRAWN = np.random.default_rng(7).standard_normal(8192).astype(np.float32)


def filled(sample: np.ndarray, dtype: str, pages: int = 64, seed: int = 3) -> np.ndarray:
    bytes_ = InputData(sample, dtype, seed).pages(np.arange(pages), PAGE)
    return bytes_.reshape(-1).view(sample.dtype)


def test_a_buffer_begins_with_its_sample():
    assert (filled(DRAWN, "float32")[: len(DRAWN)] == DRAWN).all()


def test_floats_that_differ_never_come_again():
    values = filled(DRAWN, "float32")
    assert len(np.unique(values)) > 0.99 * len(values)


def test_what_follows_the_sample_is_of_its_kind():
    rest = filled(DRAWN, "float32")[len(DRAWN) :]
    assert abs(rest.mean()) < 0.05
    assert abs(rest.std() - 1) < 0.05
    assert np.abs(rest).max() < 2 * np.abs(DRAWN).max()


def test_integers_stay_in_their_range_and_no_sequence_comes_twice():
    sample = np.random.default_rng(1).integers(0, 100, 8192).astype(np.int32)
    values = filled(sample, "int32")
    assert set(np.unique(values)) <= set(range(100))
    assert not (values[8192:16384] == values[:8192]).reshape(-1, 8).all(axis=1).any()


def test_whole_numbers_stay_whole():
    sample = np.random.default_rng(1).permutation(8192).astype(np.float32)
    assert (np.rint(filled(sample, "float32")) == filled(sample, "float32")).all()


def test_what_has_an_order_and_rows_with_a_single_one_are_repeated():
    ordered = np.arange(8192, dtype=np.int32)
    assert (filled(ordered, "int32") == np.resize(ordered, 64 * 1024)).all()
    rows = np.zeros((64, 128), np.float32)
    rows[:, 5] = 1
    assert (filled(rows.reshape(-1), "float32").reshape(-1, 128).sum(axis=1) == 1).all()


def test_a_page_holds_the_same_whenever_it_is_touched():
    filling = InputData(DRAWN, "float32", 3)
    together = filling.pages(np.arange(64), PAGE)
    assert (filling.pages(np.array([40]), PAGE) == together[40]).all()
    assert (InputData(DRAWN, "float32", 4).pages(np.array([40]), PAGE) != together[40]).any()


def test_pages_are_the_same_together_and_one_by_one():
    data = InputData(DRAWN, "float32", 3)
    numbers = np.arange(100)[::-1]
    apart = [data.pages(numbers[at : at + 1], PAGE)[0] for at in range(len(numbers))]
    assert (data.pages(numbers, PAGE) == np.stack(apart)).all()
