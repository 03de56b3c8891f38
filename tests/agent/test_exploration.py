from __future__ import annotations

import pytest

from agent.exploration import exploration, exploration_text
from sandbox.verdict import Verdict
from tests.agent.strategies.histories import BASE, right, wrong


def test_the_figures_of_a_search_count_what_was_judged_on_its_own_account():
    lines = [
        right(1, 1, 50.0, "loop_unrolling"),
        right(1, 2, 50.0, "loop_unrolling", sha="1.1", duplicate=True),
        wrong(1, 3, Verdict.COMPILE_ERROR, "vectorized_loads"),
        wrong(1, 4, Verdict.RACE, "vectorized_loads"),
        wrong(1, 5, Verdict.UNDECIDED, "online_softmax"),
        wrong(1, 6, Verdict.REJECTED, "online_softmax", sha=None, lost=True),
    ]
    found = exploration(lines, BASE)
    assert (found.judged, found.distinct) == (4, 3)
    assert (found.compiling, found.correct, found.improving) == (0.75, 0.5, 0.25)
    assert found.entropy == pytest.approx(1.0)
    assert "3 different kernels of 4: 75% compiled" in exploration_text(found)


def test_a_candidate_improves_on_what_it_built_on_not_on_the_best():
    lines = [right(1, 1, 10.0, "a"), right(1, 2, 60.0, "b"), right(2, 1, 40.0, "c", on="1.2")]
    assert exploration(lines, BASE).improving == 1.0
    merged = right(2, 1, 40.0, "c", on="1.1+1.2")
    assert exploration([*lines[:2], merged], BASE).improving == pytest.approx(2 / 3)


def test_a_search_that_judged_nothing_has_looked_at_nothing():
    found = exploration([], None)
    assert (found.judged, found.correct, found.entropy) == (0, 0.0, 0.0)
