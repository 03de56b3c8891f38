from __future__ import annotations

import pytest

from sandbox.nsight import counters
from sandbox.nsight.ceilings import MeasuredRates
from sandbox.nsight.launch_profiles import launch_profiles
from sandbox.verdict import Provenance
from tests.sandbox.nsight.stand_ins import doubled, recorded


def test_counters_times_and_ceilings_make_the_simulators_kind_of_profile():
    program, plan = doubled()
    counted = counters.read(recorded("ncu_raw.csv", symbol=program.symbols["doubled"]))
    first, second = launch_profiles(program, plan, [2.0, 4.0], counted, MeasuredRates(8.0, 1000.0))
    assert (first.kernel, first.line, first.latency_us) == ("doubled", 3, 2.0)
    assert first.provenance is Provenance.MEASURED
    assert (first.bottleneck, second.bottleneck) == ("dram", "latency")
    assert (first.sampled_blocks, first.total_blocks) == (4, 4)
    # 8000 bytes of buffers (less than the 8192 that went through L2) at 8 GB/s take 1 us.
    assert first.roofline_fraction == pytest.approx(0.5)
    assert second.roofline_fraction == pytest.approx(0.25)
    assert {metric.provenance for metric in first.metrics} == {Provenance.MEASURED}


def test_without_counters_the_compilers_report_is_there_and_nothing_is_guessed():
    program, plan = doubled()
    first, _ = launch_profiles(program, plan, [2.0, 4.0], (), None, "forbidden")
    assert first.note == "forbidden"
    found = {metric.name: metric for metric in first.metrics}
    assert first.bottleneck == ""
    assert first.roofline_fraction == 0.0
    assert first.provenance is Provenance.MEASURED
    assert {metric.provenance for metric in found.values()} == {Provenance.COUNTED}
    assert found["launch__registers_per_thread"].value == program.resources[0].registers
    assert found["sm__maximum_warps_per_active_cycle_pct"].value == 100
    assert found["launch__occupancy_limit_warps"].value == 8
    assert "dram__bytes_read.sum" not in found
