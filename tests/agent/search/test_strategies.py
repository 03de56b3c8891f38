"""Whole searches of each strategy, with a scripted proposer: the graph does what the strategy says."""

from __future__ import annotations

import pytest

from agent.candidates import CandidatePlan, Line, Slot
from agent.events import RunStarted
from agent.home import Home
from agent.proposer import PlanContext, ProposalError, WriteContext, Written
from agent.results import RunState, Stop
from agent.search.planner import filled
from agent.search.session import SearchLostError
from agent.search.starting import resume_search, start_search
from agent.store import Store
from agent.store.files import kernel_sha
from sandbox.errors import UsageError
from sandbox.verdict import Verdict
from tests.agent.search_fakes import FakeToolbox, ScriptedProposer, fenced, kernel


class Obedient(ScriptedProposer):
    """Leaves every plan to the strategy."""

    async def plan(self, context: PlanContext) -> list[CandidatePlan]:
        self.plans.append(context)
        return []

    async def write(self, context: WriteContext) -> Written:
        written = await super().write(context)
        return Written(written.kernel, context.plan.features)


MARKS = ["LATENCY 40", "WRONG 1", "LATENCY 30", "BROKEN", *(f"LATENCY {us}" for us in range(29, 9, -1))]


def lines(home: Home, run: str) -> list[Line]:
    return Store(home).candidates.lines(run, through=99)


@pytest.mark.parametrize("name", ["fsr", "elites", "tree", "auto"])
async def test_a_search_of_each_strategy_builds_on_what_it_says_and_is_stored_with_it(
    name: str, home: Home, toolbox: FakeToolbox, request_of, heard
):
    proposer = Obedient(*(fenced(kernel(mark)) for mark in MARKS))
    request = request_of(candidates=4, depth=3, strategy=name)
    result = await start_search(request, home=home, toolbox=toolbox, proposer=proposer, on_event=heard.append)
    assert (result.verdict, len(result.candidates)) == (Verdict.PASS, 12)
    stored = Store(home).get_run(result.run)
    assert stored.request.strategy == name
    chosen = "tree" if name == "auto" else name
    assert result.strategy == stored.strategy == chosen
    assert isinstance(heard[0], RunStarted)
    assert heard[0].strategy == chosen
    known = {kernel_sha(kernel(mark)) for mark in ("LATENCY 100.0", *MARKS)}
    for line in lines(home, result.run):
        assert line.parents
        assert set(line.parents) <= known
        assert line.origin
        assert line.features or " without " in line.origin, "every candidate says what it tries"


async def test_fsr_builds_on_the_last_rounds_fastest_and_repairs_what_failed(
    home: Home, toolbox: FakeToolbox, request_of
):
    marks = ["LATENCY 10", "LATENCY 20", "WRONG 1", "WRONG 2", "LATENCY 50", "LATENCY 60"]
    proposer = Obedient(*(fenced(kernel(mark)) for mark in marks))
    result = await start_search(
        request_of(candidates=2, depth=3, strategy="fsr"), home=home, toolbox=toolbox, proposer=proposer
    )
    assert result.best is not None
    assert result.best.latency_us == 10.0, "the best of any round is kept all the same"
    first, second = kernel_sha(kernel("LATENCY 10")), kernel_sha(kernel("WRONG 1"))
    stored = lines(home, result.run)
    assert [line.parents for line in stored[2:4]] == [(first,)] * 2
    assert stored[4].parents == (second,)
    assert "y[3] is 1.5, expected 2.0" in proposer.writes[4].feedback


async def test_a_merge_gives_the_coder_both_kernels(home: Home, toolbox: FakeToolbox, request_of):
    proposer = Obedient(*(fenced(kernel(f"LATENCY {us}")) for us in range(30, 10, -1)))
    await start_search(
        request_of(candidates=4, depth=2, strategy="tree"), home=home, toolbox=toolbox, proposer=proposer
    )
    merges = [write for write in proposer.writes if write.other is not None]
    assert merges
    assert merges[0].parent is not None
    assert merges[0].other is not None
    assert merges[0].other.kernel != merges[0].parent.kernel
    assert merges[0].plan.origin.startswith("merge")


async def test_a_failed_kernel_is_repaired_with_its_own_intent_though_others_are_correct(
    home: Home, toolbox: FakeToolbox, request_of
):
    proposer = Obedient(*(fenced(kernel(mark)) for mark in MARKS))
    await start_search(
        request_of(candidates=4, depth=2, strategy="tree"), home=home, toolbox=toolbox, proposer=proposer
    )
    failed = {
        write.parent.kernel: write for write in proposer.writes[4:] if write.parent and write.parent.trial
    }
    repair = failed[kernel("WRONG 1")]
    assert repair.plan.features == proposer.writes[1].plan.features
    assert "expected 2.0" in repair.feedback


@pytest.mark.parametrize("name", ["fsr", "elites", "tree"])
async def test_a_resumed_search_goes_on_with_its_strategy_as_if_it_had_never_stopped(
    name: str, home: Home, tmp_path, request_of
):
    replies = [fenced(kernel(mark)) for mark in MARKS[:12]]
    request = request_of(candidates=4, depth=3, strategy=name)
    whole = await start_search(request, home=home, toolbox=FakeToolbox(), proposer=Obedient(*replies))
    other = Home(tmp_path / "other")
    down = [ProposalError("down")] * 8
    with pytest.raises(SearchLostError):
        await start_search(request, home=other, toolbox=FakeToolbox(), proposer=Obedient(*replies[:4], *down))
    (run,) = Store(other).list_runs()
    resumed = await resume_search(run.run, home=other, toolbox=FakeToolbox(), proposer=Obedient(*replies[4:]))
    assert Store(other).get_run(run.run).state is RunState.COMPLETED
    assert [(line.parents, line.features, line.origin) for line in lines(other, resumed.run)] == [
        (line.parents, line.features, line.origin) for line in lines(home, whole.run)
    ]


async def test_what_other_runs_earn_meanwhile_does_not_change_a_run_that_is_resumed(
    home: Home, toolbox: FakeToolbox, request_of
):
    request = request_of(candidates=2, depth=1)
    one = await start_search(
        request,
        home=home,
        toolbox=toolbox,
        proposer=Obedient(*(fenced(kernel(f"LATENCY {us}")) for us in (5, 6))),
    )
    store = Store(home)
    before = store.credits.of_run(one.run, "")
    assert before == ()
    two = await start_search(
        request, home=home, toolbox=FakeToolbox(), proposer=Obedient(fenced(kernel("LATENCY 4")))
    )
    assert store.credits.of_run(one.run, "") == before
    learnt = store.credits.of_run(two.run, "")
    assert {credit.feature for credit in learnt} == {
        name for line in lines(home, one.run) for name in line.features
    }
    assert all(credit.kind == "elementwise" and credit.correct == credit.tries >= 1 for credit in learnt)


async def test_a_search_begins_with_the_kernels_it_was_given(home: Home, toolbox: FakeToolbox, request_of):
    mine = (kernel("LATENCY 15"), kernel("WRONG mine"))
    proposer = Obedient(*(fenced(kernel(mark)) for mark in MARKS))
    result = await start_search(
        request_of(candidates=3, depth=2, start=mine), home=home, toolbox=toolbox, proposer=proposer
    )
    stored = lines(home, result.run)
    assert [line.origin == "start" for line in stored] == [True, True, False, False, False, False]
    assert [line.verdict for line in stored[:2]] == [Verdict.PASS, Verdict.WRONG_RESULT]
    assert len(proposer.writes) == 4, "nobody is asked to write what is there"
    assert {kernel_sha(text) for text in mine} <= {sha for line in stored[3:] for sha in line.parents}


async def test_more_kernels_to_begin_with_than_candidates_are_refused(
    home: Home, toolbox: FakeToolbox, request_of
):
    request = request_of(candidates=1, start=(kernel("LATENCY 15"), kernel("LATENCY 16")))
    with pytest.raises(UsageError, match="--candidates 2"):
        await start_search(request, home=home, toolbox=toolbox, proposer=Obedient())


async def test_a_search_stops_at_the_target_it_was_given(home: Home, toolbox: FakeToolbox, request_of):
    proposer = Obedient(*(fenced(kernel(f"LATENCY {us}")) for us in (50, 20, 10)))
    request = request_of(depth=9, target_speedup=4)
    result = await start_search(request, home=home, toolbox=toolbox, proposer=proposer)
    assert (result.stopped, result.rounds) == (Stop.TARGET_MET, 2)


SLOTS = (Slot(("a",), ("x",), "why", "node"), Slot(("b",), ("y",), "again", "repair 1/1", keep=True))
DEFAULTS = ["d", "d"]


def test_a_plan_may_refine_its_slot_but_not_the_intent_that_is_tried_again():
    plans = [CandidatePlan("a", ("z",), "mine"), CandidatePlan("a", ("z",), "mine")]
    first, second = filled(SLOTS, plans, DEFAULTS, {"a", "b"})
    assert first == CandidatePlan("a", ("z",), "mine", None, "node")
    assert second == CandidatePlan("b", ("y",), "again", None, "repair 1/1")


def test_a_plan_may_take_another_of_the_kernels_offered_or_begin_afresh_but_no_other_kernel():
    known = {"a", "b"}
    (first, _) = filled(SLOTS, [CandidatePlan("b", ("z",))], DEFAULTS, known)
    assert (first.parent, first.origin) == ("b", "")
    (first, _) = filled(SLOTS, [CandidatePlan(None, ("z",))], DEFAULTS, known)
    assert (first.parent, first.origin) == (None, "")
    (first, _) = filled(SLOTS, [CandidatePlan("c", ("z",))], DEFAULTS, known)
    assert (first.parent, first.origin) == ("a", "node")


def test_where_no_plan_comes_the_slots_stand_and_only_their_gaps_are_filled():
    slots = (Slot(("a", "b"), (), "merge", "merge"), SLOTS[0])
    first, second = filled(slots, [], DEFAULTS, {"a", "b"})
    assert (first.parents, first.features) == (("a", "b"), ("d",))
    assert second.features == ("x",)
