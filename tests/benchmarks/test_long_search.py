"""The benchmark of long searches: it runs the real graph and store, to the end of the search that was asked for."""

from __future__ import annotations

from benchmarks.long_search import ROUND, measure


async def test_a_search_of_several_rounds_runs_to_its_end_and_is_measured_by_quarters() -> None:
    growth = await measure(4 * ROUND)
    assert growth.candidates == 4 * ROUND
    assert len(growth.quarters_ms) == 4
    assert min(growth.quarters_ms) > 0
    assert growth.stored_mb > 0.1
