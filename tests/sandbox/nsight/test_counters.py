"""What Nsight Compute prints becomes metrics under the simulator's names and in its units."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.nsight import counters
from sandbox.simulator.metrics.table import ROWS
from sandbox.verdict import Provenance
from tests.sandbox.nsight.stand_ins import recorded


def test_a_raw_page_is_read_launch_by_launch_in_the_simulators_units():
    first, second = counters.read(recorded("ncu_raw.csv", symbol="_Z7doubledPKfPfi"))
    assert first.kernel == second.kernel == "_Z7doubledPKfPfi"
    found = {metric.name: metric for metric in counters.metrics(first)}
    assert found["gpu__time_duration.sum"].value == pytest.approx(2.368)
    assert found["gpu__time_duration.sum"].unit == "us"
    assert found["dram__bytes_read.sum"].value == 4096
    assert found["smsp__inst_executed.sum"].value == 1024
    assert {metric.provenance for metric in found.values()} == {Provenance.MEASURED}
    units = {row.name: row.unit for row in ROWS}
    assert all(metric.unit == units.get(name, metric.unit) for name, metric in found.items())
    absent = "l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum"
    assert found[absent].value == 0
    assert absent not in {metric.name for metric in counters.metrics(second)}, "n/a is not nought"


def test_the_page_with_a_row_for_each_metric_is_read_too():
    first, second = counters.read(recorded("ncu_details.csv", symbol="k"))
    assert first.values == {"gpu__time_duration.sum": (2.37, "us"), "smsp__inst_executed.sum": (1024, "inst")}
    assert counters.metrics(second)[0].value == pytest.approx(2.4)


def test_a_text_without_a_table_holds_no_launch():
    assert counters.read("") == []
    assert counters.read(recorded("ncu_forbidden.txt")) == []
    assert counters.read('"Kernel Name","a__b.sum"') == []


def test_metrics_that_are_not_there_are_recognised_in_either_wording_and_no_other():
    asked = counters.SMALL
    one = counters.unknown_metrics(recorded("ncu_unknown.txt"), asked)
    assert one == {"lts__d_atomic_input_cycles_active.avg.pct_of_peak_sustained_elapsed"}
    two = counters.unknown_metrics(recorded("ncu_inaccessible.txt"), asked)
    assert two == {
        "sm__inst_executed_pipe_fp16.avg.pct_of_peak_sustained_elapsed",
        "lts__t_sector_hit_rate.pct",
    }
    assert not counters.unknown_metrics(recorded("ncu_raw.csv", symbol="k"), asked)


def test_forbidden_counters_are_recognised_and_the_way_to_allow_them_is_told():
    reason = counters.refusal(recorded("ncu_forbidden.txt"))
    assert reason is not None
    assert "NVreg_RestrictProfilingToAdminUsers=0" in reason
    assert "SYS_ADMIN" in reason
    other = counters.refusal("==ERROR== Failed to initialize the profiler: LibraryNotLoaded.")
    assert other == "Nsight Compute failed: Failed to initialize the profiler: LibraryNotLoaded."
    assert counters.refusal("==PROF== all well") is None


def test_only_the_candidates_kernels_are_profiled_and_clocks_are_left_alone():
    words = counters.command(Path("ncu"), Path("t.csv"), ["_Z1kPf", "_Z1k$", "_Z1kPf"], metrics=["a", "b"])
    assert words[words.index("--clock-control") + 1] == "none"
    assert words[words.index("--kernel-name") + 1] == r"regex:^(_Z1k\$|_Z1kPf)$"
    assert words[words.index("--kernel-name-base") + 1] == "mangled"
    assert words[words.index("--metrics") + 1] == "a,b"
    assert "--set" not in words
    assert "--set" in counters.command(Path("ncu"), Path("t.csv"), ["k"], full=True)


def test_what_the_simulator_counts_is_asked_for_but_what_only_it_knows_is_not():
    asked = set(counters.SMALL)
    assert {"smsp__inst_executed.sum", "launch__registers_per_thread", "lts__t_bytes.sum"} <= asked
    assert not any(name.startswith("warpwright__") for name in asked)
    assert len(asked) == len(counters.SMALL)
