"""The search that is done on the local pool and on Ray; what it comes to is tested beside the cluster's toolbox."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.ray import JudgedSearch, scripted_kernels
from tools.kernel import file as kernel_file


def test_the_script_has_64_different_kernel_files():
    kernels = scripted_kernels()
    assert len(kernels) == len(set(kernels)) == 64
    for kernel in kernels:
        kernel_file.parse(kernel, "kernel.cu")


def test_two_searches_are_the_same_only_where_every_verdict_and_the_best_are():
    one = JudgedSearch("local pool", {"1.1": "pass"}, {"1.1": 2.0}, "1.1", 3.0)
    assert one.same(replace(one, workers="local-ray", seconds=9.0, kills=4))
    assert not one.same(replace(one, verdicts={"1.1": "undecided"}))
    assert one.apart(replace(one, latencies_us={"1.1": 1.6})) == pytest.approx(0.25)
    assert not one.same(replace(one, best=""))
