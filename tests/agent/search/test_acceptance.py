"""The winner of a search on a GPU is announced with what paired runs of its own say of it."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from agent.cli.searching.run_view import show_result
from agent.home import Home
from agent.search.starting import start_search
from sandbox.verdict import PairedVerdict, Provenance, Verdict
from tests.agent.search_fakes import FakeToolbox, ScriptedProposer, fenced, kernel
from tools.reports import AnyReport, CheckReport, ProfileReport, ShapeTiming, Timing
from tools.tasks.task import Task
from tools.toolbox import CheckOrder, Order


class MeasuringToolbox(FakeToolbox):
    """A GPU's tools: what a search sees is faster, what the last check of its own says is given."""

    def __init__(self, last: PairedVerdict) -> None:
        super().__init__()
        self._last = last

    def report(self, order: Order[Task, Any]) -> AnyReport:
        found = super().report(order)
        if not isinstance(order, CheckOrder) or not isinstance(found, CheckReport) or found.profile is None:
            return found
        said = self._last if order.thorough else PairedVerdict.FASTER
        shapes = tuple(_shape(n, said) for n in (1, 2))
        profile = replace(found.profile, provenance=Provenance.MEASURED, shapes=shapes)
        return replace(found, provenance=Provenance.MEASURED, profile=profile)


def _shape(n: int, said: PairedVerdict) -> ShapeTiming:
    timing = Timing(30, 1.0, 0.9, 1.1, 9.8, 10.4, 8.25, 1.5, 2.125, 1755.0, 0, 3, 0, against_baseline=said)
    return ShapeTiming({"n": n}, 10.0, Provenance.MEASURED, 100.0, (), timing)


@pytest.mark.parametrize("said", list(PairedVerdict))
async def test_a_winner_says_what_runs_that_nothing_was_chosen_by_say_of_it(
    home: Home, request_of, said: PairedVerdict
):
    proposer, toolbox = ScriptedProposer(fenced(kernel("LATENCY 10"))), MeasuringToolbox(said)
    result = await start_search(request_of(depth=1), home=home, toolbox=toolbox, proposer=proposer)
    assert result.best is not None
    assert result.best.against_baseline is said
    console = Console(file=io.StringIO(), width=200)
    show_result(console, result)
    assert f"(measured); paired runs at the end: {said}" in console.file.getvalue()  # type: ignore[attr-defined]


async def test_of_an_estimate_paired_runs_say_nothing(home: Home, toolbox: FakeToolbox, request_of):
    proposer = ScriptedProposer(fenced(kernel("LATENCY 10")))
    result = await start_search(request_of(depth=1), home=home, toolbox=toolbox, proposer=proposer)
    assert result.best is not None
    assert result.best.against_baseline is None


def test_shapes_that_say_different_things_say_nothing_together():
    shapes = (_shape(1, PairedVerdict.FASTER), _shape(2, PairedVerdict.SLOWER))
    report = ProfileReport(Verdict.PASS, "", shapes=shapes)
    assert report.against_baseline is PairedVerdict.INCONCLUSIVE
    assert ProfileReport(Verdict.PASS, "", shapes=shapes[:1]).against_baseline is PairedVerdict.FASTER
    assert ProfileReport(Verdict.PASS, "").against_baseline is None
