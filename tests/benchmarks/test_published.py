"""`python -m benchmarks.published`: its data, how it compares, and what it says of cheap families."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from benchmarks.gpu.fit import BEFORE
from benchmarks.gpu.fitting import each_held_out
from benchmarks.published.changes import effects
from benchmarks.published.dataset import Timing, changes, families, gpus, pairs
from benchmarks.published.observing import Published, observe
from benchmarks.published.pairs import orders
from benchmarks.published.quality import Compared, quality
from benchmarks.published.report import Report, as_table, text
from sandbox.device import Cause
from sandbox.simulator.cost.constants import USED
from sandbox.simulator.gpus.architectures import ARCHITECTURES
from tests.compiling import InProcess

CHEAP = ("half_atomics_a100", "reduce_a100")
"""Families whose kernels take tenths of a second to count."""


@pytest.fixture(scope="module")
def observed() -> list[Published]:
    found, left = asyncio.run(observe(families(CHEAP), InProcess()))
    assert left == []
    return found


def test_there_are_enough_families_points_and_gpus_and_all_name_their_source():
    found = families()
    assert len(found) >= 12
    assert sum(len(one.points) for one in found) >= 120
    assert len({one.gpu.name for one in found}) >= 8
    assert {one.gpu.name for one in found} <= set(gpus())
    for one in found:
        assert one.source
        assert all(point.what and point.measured_us > 0 for point in one.points)
        assert len({(point.shape, point.variant) for point in one.points}) == len(one.points)


def test_a_family_may_have_run_at_another_clock_than_the_boost():
    [atomics] = families(["half_atomics_a100"])
    assert atomics.gpu.clock_mhz < gpus()["a100pcie40"].clock_mhz


def test_a_call_takes_its_least_time_and_what_stands_beside_the_kernel():
    assert Timing(call_us=4.0, beside_us=7.0).of(2.0) == 11.0
    assert Timing(call_us=4.0).of(9.0) == 9.0


def test_published_sums_are_estimated_within_a_fifth_and_in_order(observed):
    compared = [
        Compared(one.group, one.variant, one.measured_us, one.estimated_us(USED, BEFORE.launch_us))
        for one in observed
    ]
    found = quality(compared)
    assert found.median_error < 0.2
    assert found.ordered == found.pairs > 30
    assert found.worst is None


def test_a_family_is_estimated_by_constants_that_know_nothing_of_it(observed):
    free = [replace(BEFORE, constants=replace(USED, half_atomic_clocks=clocks)) for clocks in (5.0, 20.0)]
    low, high = (
        dict(zip([one.variant for one in observed], each_held_out(observed, one), strict=True))
        for one in free
    )
    assert high["half"] / low["half"] == pytest.approx(4, rel=0.01)


def test_the_report_has_a_row_for_each_point_and_says_what_was_left_out(observed):
    times = tuple(one.measured_us * 1.1 for one in observed)
    report = Report(tuple(observed), times, ("some family v1: refused",))
    table = as_table(report)
    json.dumps(table)
    assert len(table["points"]) == len(observed)
    assert table["all"]["median_error"] == pytest.approx(0.0953, abs=1e-4)
    said = text(report)
    assert "All, by the constants in use: 12 points, median error 0.095" in said
    assert "a100pcie40 at 765 MHz" in said
    assert sum(points for points, _ in table["kinds"].values()) == len(observed)
    assert "bound by atomics: " in said
    assert "Left out: some family v1: refused" in said


def test_what_a_fit_says_that_does_not_know_a_family_stands_beside_the_constants_in_use(observed):
    in_use, held_out = (tuple(one.measured_us * ratio for one in observed) for ratio in (1.1, 1.2))
    report = Report(tuple(observed), in_use, (), held_out)
    said = text(report)
    assert "All, by the constants in use: 12 points, median error 0.095" in said
    assert "All, each family by a fit without it: 12 points, median error 0.182" in said
    assert "12 points, two of three within 0.182" in said
    assert as_table(report)["typical"] == pytest.approx(0.182, abs=1e-3)


def test_only_kernels_of_one_group_are_paired_and_the_furthest_inversion_is_named():
    kernels = [
        Compared("one", "a", 1.0, 1.0),
        Compared("one", "b", 1.04, 0.5),
        Compared("one", "c", 2.0, 0.9),
        Compared("other", "d", 3.0, 0.1),
    ]
    found = quality(kernels)
    assert (found.pairs, found.ordered) == (2, 1)
    assert found.worst is not None
    assert (found.worst.faster, found.worst.slower, found.worst.measured) == ("a", "c", 2.0)


def test_what_ifs_foretell_what_was_measured_once_their_cause_was_gone():
    mine = [one for one in changes() if one.family == "transpose_ga102"]
    named = {name for one in mine for name in (one.before, one.after)}
    [whole] = families(["transpose_ga102"])
    some = replace(whole, points=tuple(one for one in whole.points if one.variant in named))
    observed, _ = asyncio.run(observe([some], InProcess()))
    found = effects(changes(), observed)
    assert [one.change for one in found] == mine
    assert {one.change.cause for one in found} > {Cause.SCATTERED_LOADS, Cause.SCATTERED_STORES}
    assert max(one.measured for one in found) > 3
    for one in found:
        assert one.foretold == pytest.approx(one.measured, rel=0.15), one
    assert "6 changes, median error 0.0" in text(Report(tuple(observed), (1.0,) * len(named), ()))


def test_changes_are_of_kernels_that_were_measured():
    known = {(one.name, point.variant) for one in families() for point in one.points}
    found = changes()
    assert len(found) > 10
    assert {(one.family, name) for one in found for name in (one.before, one.after)} <= known


def test_there_are_pairs_that_were_measured_in_the_order_that_they_name():
    found = pairs()
    assert len(found) >= 25
    times = {
        (one.name, point.shape, point.variant): point.measured_us
        for one in families()
        for point in one.points
    }
    for one in found:
        faster, slower = (times[one.family, one.shape, name] for name in (one.faster, one.slower))
        assert slower > 1.05 * faster, one


@pytest.mark.parametrize("device", ["h200", "gtx1660s", "b200"])
def test_known_pairs_keep_their_order_on_gpus_where_nobody_measured_them(device):
    some = [one for one in pairs() if one.family in CHEAP]
    found = asyncio.run(orders(some, ARCHITECTURES[device], InProcess()))
    assert len(found) == len(some) > 1
    assert all(one.kept for one in found)
