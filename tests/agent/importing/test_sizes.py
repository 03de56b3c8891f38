"""Test sizes of imported tasks are small, awkward, and within their limits."""

from __future__ import annotations

from collections.abc import Mapping

from agent.importing.sizes import WORK, DimChoice, candidates


def test_sizes_are_multiples_within_limits_and_cheap() -> None:
    dims = (DimChoice("rows", 4096, 1, 1), DimChoice("cols", 8192, 16, 16), DimChoice("inner", 3, 3, 1))

    def work(sizes: Mapping[str, int]) -> int:
        return 2 * sizes["rows"] * sizes["cols"] * sizes["inner"]

    found = candidates(dims, work)
    assert found[0] == {"rows": 1, "cols": 16, "inner": 3}
    assert len(found) > 4
    assert all(work(one) <= WORK and one["cols"] % 16 == 0 and one["inner"] == 3 for one in found)
    assert any(one["rows"] % 2 for one in found[1:])


def test_what_is_expensive_at_its_least_is_still_tried_there() -> None:
    dims = (DimChoice("rows", 4096, 1, 1), DimChoice("cols", 1 << 20, 1 << 19, 1 << 19))
    found = candidates(dims, lambda sizes: sizes["rows"] * sizes["cols"])
    assert found[0] == {"rows": 1, "cols": 1 << 19}
    assert max(one["rows"] * one["cols"] for one in found) <= 4 << 19
