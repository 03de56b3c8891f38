"""What the reports say by themselves, for when a critic gives nothing that can be read."""

from __future__ import annotations

from agent.events import RoundFinished
from agent.home import Home
from agent.search.starting import start_search
from tests.agent.search_fakes import BASELINE_US, FakeToolbox, ScriptedProposer, fenced, kernel


async def test_copies_of_the_baseline_are_called_that(home: Home, toolbox: FakeToolbox, request_of, heard):
    proposer = ScriptedProposer(fenced(kernel(f"LATENCY {BASELINE_US}")), fenced(kernel("LATENCY 10")))
    request = request_of(depth=2)
    await start_search(request, home=home, toolbox=toolbox, proposer=proposer, on_event=heard.append)
    said = [event.critique for event in heard if isinstance(event, RoundFinished)]
    assert said[0] == "Nothing but copies of the baseline came so far."
