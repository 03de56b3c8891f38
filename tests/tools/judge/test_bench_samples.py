"""What benchmark shapes are filled with."""

from __future__ import annotations

import numpy as np

from tools.judge.oracle import SAMPLE_ELEMENTS, bench_samples
from tools.tasks.task import Case, Task

LARGE = Case({"n": 1 << 20})


def test_the_samples_are_the_same_for_every_candidate_of_one_toolbox(doubling: Task) -> None:
    first, again = (bench_samples(doubling, LARGE, secret=77).buffers["x"] for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_no_kernel_can_tell_a_benchmark_by_values_or_period_that_it_knows(doubling: Task) -> None:
    samples = [bench_samples(doubling, LARGE, secret=secret).buffers["x"] for secret in range(100, 108)]
    assert len({float(sample[0]) for sample in samples}) == len(samples)
    assert len({sample.size for sample in samples}) == len(samples)
    assert all(SAMPLE_ELEMENTS - 4096 <= sample.size <= SAMPLE_ELEMENTS for sample in samples)
