from __future__ import annotations

import pytest

from agent.candidates import CandidatePlan
from agent.home import Home
from agent.library import library
from agent.proposer import PlanContext
from agent.search.adopting import adopt
from agent.search.starting import start_search
from agent.store import Store
from sandbox.errors import UsageError
from tests.agent.search_fakes import FakeToolbox, ScriptedProposer, fenced, kernel


class Inventive(ScriptedProposer):
    """Names a feature that the library does not know."""

    async def plan(self, context: PlanContext) -> list[CandidatePlan]:
        self.plans.append(context)
        return [
            CandidatePlan(slot.parents[0], ("row_packing",), "Pack two rows in a word. It halves the loads.")
            for slot in context.slots
        ]


async def searched(home: Home, toolbox: FakeToolbox, request_of, *marks: str) -> Inventive:
    proposer = Inventive(*(fenced(kernel(mark)) for mark in marks))
    await start_search(
        request_of(candidates=len(marks), depth=1, strategy="elites"),
        home=home,
        toolbox=toolbox,
        proposer=proposer,
    )
    return proposer


async def test_a_feature_of_a_planners_own_becomes_a_page_once_it_has_earned_credit(
    home: Home, toolbox: FakeToolbox, request_of
):
    await searched(home, toolbox, request_of, "LATENCY 50", "LATENCY 25", "WRONG")
    path = adopt(Store(home), home, "row_packing", "memory")
    page = library(home)[-1]
    assert path.parent == home.features
    assert (page.name, page.family, page.applies_to) == ("row_packing", "memory", ("elementwise",))
    assert page.summary == "Pack two rows in a word."
    assert page.gain == pytest.approx(8**0.5, rel=0.01)
    assert "elementwise on any device: 2 of 3 correct, 2.83 times the speed (estimated)" in page.text
    assert kernel("LATENCY 25").rstrip() in page.text
    later = await searched(home, FakeToolbox(), request_of, "LATENCY 10")
    assert page in later.plans[0].library
    assert later.plans[0].beliefs["row_packing"].mean > 0
    assert later.writes[0].pages == (page,)


@pytest.mark.parametrize(
    ("name", "marks", "said"),
    [
        ("row_packing", ["WRONG"], "0 correct kernels; 2 and 1.02 are asked"),
        ("row_packing", ["LATENCY 50"], "1 correct kernels that gain 2.00 times"),
        ("row_packing", ["LATENCY 110", "LATENCY 120"], "that gain 0.87 times"),
        ("loop_unrolling", ["LATENCY 50"], "in the library already"),
        ("never_heard_of", ["LATENCY 50"], "0 correct kernels"),
    ],
)
async def test_what_has_earned_too_little_is_refused(
    home: Home, toolbox: FakeToolbox, request_of, name: str, marks: list[str], said: str
):
    await searched(home, toolbox, request_of, *marks)
    with pytest.raises(UsageError, match=said):
        adopt(Store(home), home, name, "memory")
    assert not home.features.exists()


async def test_a_family_that_does_not_exist_is_refused(home: Home, toolbox: FakeToolbox, request_of):
    await searched(home, toolbox, request_of, "LATENCY 50", "LATENCY 25")
    with pytest.raises(UsageError, match="family"):
        adopt(Store(home), home, "row_packing", "cookery")


async def test_a_page_that_cannot_be_read_is_named(home: Home):
    home.features.mkdir(parents=True)
    (home.features / "bad.md").write_text("no front matter")
    with pytest.raises(UsageError, match=r"bad.md is no page .* mend or delete it"):
        library(home)
