"""What is worked out of capacity: the page shows what the command prints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.capacity import JUDGE_S, PLACES, SEARCH_S, Assumed, carried, lines

PAGE = Path(__file__).parents[2] / "docs" / "capacity.md"


def test_the_page_shows_the_table_that_the_command_prints() -> None:
    text = PAGE.read_text()
    for row in lines(Assumed()):
        assert f"| {' | '.join(row)} |" in text
    for measured in (f"{JUDGE_S:.2f} s", f"{1e3 * SEARCH_S:.0f} ms"):
        assert measured in text


def test_twice_the_gpus_carry_twice_as_much_at_the_same_price() -> None:
    one = PLACES[2]
    few, many = carried(one, Assumed()), carried(replace(one, gpus=2 * one.gpus), Assumed())
    assert many.an_hour == pytest.approx(2 * few.an_hour)
    assert many.usd == few.usd


def test_a_candidate_that_holds_a_gpu_longer_costs_more_and_there_are_fewer() -> None:
    short, long = (carried(PLACES[-1], Assumed(gpu_s=seconds)) for seconds in (6, 60))
    assert long.an_hour == pytest.approx(short.an_hour / 10)
    assert long.usd > 9 * short.usd
    assert long.searchers < short.searchers
