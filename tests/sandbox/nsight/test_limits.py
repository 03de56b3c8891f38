from __future__ import annotations

import re
from pathlib import Path

import pytest

from sandbox.nsight.limits import SHARES, bottleneck, roofline_fraction

BY_NAME = {short: name for name, short in SHARES.items()}


def shares(**percent: float) -> dict[str, float]:
    return {BY_NAME[short]: value for short, value in percent.items()}


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        ({"dram": 91, "l1": 40, "fma": 12}, "dram"),
        ({"dram": 20, "l1": 95, "shared_memory": 94}, "shared_memory"),
        ({"dram": 20, "l1": 95, "shared_memory": 10}, "l1"),
        ({"dram": 30, "fma": 59, "issue": 41}, "latency"),
        ({"fma": 88, "issue": 80}, "fma"),
        ({}, ""),
    ],
)
def test_the_busiest_unit_bounds_a_launch_and_latency_where_none_is_busy(percent, expected):
    assert bottleneck(shares(**percent)) == expected


def test_names_of_limits_are_those_of_the_simulator():
    assert bottleneck({"something.else": 99.0}) == ""
    table = (Path(__file__).parents[3] / "docs/cost-model.md").read_text().partition("| part |")[2]
    named = {
        name
        for row in table.split("\n\n")[0].splitlines()
        for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    assert set(BY_NAME) <= named


def test_the_roofline_takes_the_longer_of_moving_and_computing():
    # 1 GB at 1000 GB/s is 1 ms; 3 G operations at 1000 GFLOP/s are 3 ms.
    assert roofline_fraction(4e-3, 1e9, 0, 1000, 1000) == pytest.approx(0.25)
    assert roofline_fraction(4e-3, 1e9, 3e9, 1000, 1000) == pytest.approx(0.75)
    assert roofline_fraction(1e-3, 1e9, 3e9, 1000, 1000) == 1.0
    assert roofline_fraction(0.0, 1, 1, 1, 1) == 0.0
