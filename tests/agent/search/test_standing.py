"""What a run says of itself never contradicts itself: best kernel, its file, duplicates, status, list and result."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from agent.cli.searching.progress import LiveProgress
from agent.events import CandidateJudged, Event, RunStarted
from agent.home import Home
from agent.mcp.following import Followed
from agent.models.shared import task_text
from agent.results import RunState, SearchResult, Stop
from agent.search.starting import resume_search, start_search
from agent.store import Store
from sandbox.verdict import Verdict
from tests.agent.search_fakes import FakeToolbox, ScriptedProposer, fenced, kernel, write_task
from tools.toolbox import CheckOrder

FAST, FASTER, SLOW = kernel("LATENCY 20"), kernel("LATENCY 10"), kernel("LATENCY 50")


class Witness:
    """Looks at a run through every window, at each event and whenever tools are at work."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.events: list[Event] = []
        self.looks = 0
        self.bests: list[float | None] = []

    def hear(self, event: Event) -> None:
        self.events.append(event)
        self.look()

    def look(self) -> SearchResult:
        store, run = Store(self.home), self.events[0].run
        result = store.get_result(run)
        best = store.candidates.best(run)
        (listed,) = store.list_runs()
        status = Followed.of(self.events).status(run, listed.state, "", None if best is None else best[0])
        file = store.kernels.best_path(run)
        assert (result.best is None) == (status.best is None) == (listed.best_latency_us is None)
        assert file.exists() == (result.best is not None)
        if result.best is not None:
            assert result.verdict is Verdict.PASS
            assert status.best is not None
            assert result.best.latency_us == status.best.latency_us == listed.best_latency_us
            assert hashlib.sha256(file.read_bytes()).hexdigest() == result.best.sha
            named = next(
                one for one in result.candidates if one.place == (result.best.round, result.best.candidate)
            )
            assert named.verdict is Verdict.PASS
            assert named.latency_us == min(one.latency_us for one in result.candidates if one.latency_us)
        originals = {f"{one.round}/{one.candidate}": one for one in store.candidates.trials(run)}
        for one in originals.values():
            if one.duplicate_of in originals:
                assert one.verdict is originals[one.duplicate_of].verdict
                assert one.latency_us == originals[one.duplicate_of].latency_us
        self.looks += 1
        self.bests.append(None if result.best is None else result.best.latency_us)
        return result


def watched(toolbox: FakeToolbox, witness: Witness) -> FakeToolbox:
    toolbox.on_check = lambda _: witness.look() if witness.events else None
    return toolbox


async def test_a_best_kernel_that_fails_at_last_takes_its_duplicates_along_and_the_next_moves_up_at_once(
    home: Home, toolbox: FakeToolbox, request_of
):
    toolbox.late_failures = {10.0}
    witness = Witness(home)
    spaced = FASTER.replace("    if", "        if")
    proposer = ScriptedProposer(fenced(FASTER), fenced(spaced), fenced(FAST))
    result = await start_search(
        request_of(candidates=3, depth=1),
        home=home,
        toolbox=watched(toolbox, witness),
        proposer=proposer,
        on_event=witness.hear,
    )
    assert witness.looks > 10
    assert [one.verdict for one in result.candidates] == [
        Verdict.WRONG_RESULT,
        Verdict.WRONG_RESULT,
        Verdict.PASS,
    ]
    assert "the same kernel as round 1 candidate 1" in result.candidates[1].message
    assert witness.bests[-1] == 20.0
    last = [event for event in witness.events if isinstance(event, CandidateJudged)][-3:]
    assert [(event.candidate, event.is_best) for event in last] == [(1, False), (2, False), (3, True)]


async def test_where_every_kernel_fails_at_last_none_is_the_best_at_any_moment_after(
    home: Home, toolbox: FakeToolbox, request_of
):
    toolbox.late_failures = {10.0, 20.0}
    witness = Witness(home)
    proposer = ScriptedProposer(fenced(FASTER), fenced(FAST), fenced(FASTER))
    result = await start_search(
        request_of(candidates=3, depth=1),
        home=home,
        toolbox=watched(toolbox, witness),
        proposer=proposer,
        on_event=witness.hear,
    )
    assert (result.best, result.verdict) == (None, Verdict.WRONG_RESULT)
    changes = [us for us, before in zip(witness.bests, [None, *witness.bests], strict=False) if us != before]
    assert changes == [10.0, 20.0, None]


@pytest.mark.parametrize("by_task", [True, False])
async def test_a_search_cancelled_between_a_demotion_and_the_next_check_can_be_shown_and_resumed(
    by_task: bool, home: Home, toolbox: FakeToolbox, request_of
):
    toolbox.late_failures = {10.0}
    witness, stuck = Witness(home), asyncio.Event()
    do = toolbox.do

    async def hang(order):
        if isinstance(order, CheckOrder) and order.benches and order.kernel == FAST and not stuck.is_set():
            stuck.set()
            await asyncio.Event().wait()
        return await do(order)

    toolbox.do = hang
    proposer = ScriptedProposer(fenced(FASTER), fenced(FAST), fenced(FASTER))
    search = asyncio.create_task(
        start_search(
            request_of(candidates=3, depth=1),
            home=home,
            toolbox=toolbox,
            proposer=proposer,
            on_event=witness.hear,
        )
    )
    await asyncio.wait_for(stuck.wait(), 20)
    run = witness.events[0].run
    assert witness.look().best is not None
    if by_task:
        search.cancel()
        with pytest.raises(asyncio.CancelledError):
            await search
    else:
        Store(home).mark_cancelled(run)
        assert (await search).stopped is Stop.CANCELLED
    shown = witness.look()
    assert Store(home).get_run(run).state is RunState.CANCELLED
    assert shown.best is not None
    assert shown.best.latency_us == 20.0
    result = await resume_search(run, home=home, toolbox=toolbox, proposer=proposer, on_event=witness.hear)
    assert (result.stopped, result.best and result.best.latency_us) == (Stop.DEPTH, 20.0)
    assert toolbox.confirmed.count(FASTER) == 1, "what failed is not judged again"
    witness.look()


async def test_a_best_kernel_whose_last_check_finds_more_work_is_ranked_by_that(
    home: Home, toolbox: FakeToolbox, request_of
):
    toolbox.late_latencies = {10.0: 30.0}
    witness = Witness(home)
    proposer = ScriptedProposer(fenced(FASTER), fenced(FAST))
    result = await start_search(
        request_of(candidates=2, depth=1),
        home=home,
        toolbox=toolbox,
        proposer=proposer,
        on_event=witness.hear,
    )
    assert result.best is not None
    assert (result.best.latency_us, result.best.path.read_text()) == (20.0, FAST)
    found = {one.latency_us for one in Store(home).candidates.trials(result.run) if one.round}
    assert found == {30.0, 20.0}
    witness.look()


async def test_a_best_kernel_that_stays_the_fastest_is_announced_with_what_its_last_check_found(
    home: Home, toolbox: FakeToolbox, request_of
):
    toolbox.late_latencies = {10.0: 15.0}
    proposer = ScriptedProposer(fenced(FASTER), fenced(FAST))
    result = await start_search(
        request_of(candidates=2, depth=1), home=home, toolbox=toolbox, proposer=proposer
    )
    assert result.best is not None
    assert (result.best.latency_us, result.best.speedup) == (15.0, pytest.approx(100 / 15))


def with_finals(tmp_path) -> str:
    return str(write_task(tmp_path / "held", "\n[[final]]\ndims = { n = 100003 }\n"))


async def test_the_winner_is_judged_once_at_sizes_that_no_proposer_sees(
    home: Home, toolbox: FakeToolbox, request_of, tmp_path
):
    proposer = ScriptedProposer(fenced(FASTER), fenced(FAST))
    request = request_of(candidates=2, depth=2, task=with_finals(tmp_path))
    result = await start_search(request, home=home, toolbox=toolbox, proposer=proposer)
    assert result.best is not None
    assert result.best.held_out is not None
    assert result.best.held_out.speedup == 10.0
    assert toolbox.timed_at == [({"n": 4096},), ({"n": 100003},)], (
        "the last check, then once at the final sizes"
    )
    for context in (*proposer.plans, *proposer.writes, *proposer.critiques):
        assert "100003" not in task_text(context.task)


async def test_a_winner_that_fails_at_the_final_sizes_is_none(
    home: Home, toolbox: FakeToolbox, request_of, tmp_path
):
    toolbox.fails_at[100003] = 10.0
    witness = Witness(home)
    proposer = ScriptedProposer(fenced(FASTER), fenced(FAST))
    request = request_of(candidates=2, depth=1, task=with_finals(tmp_path))
    result = await start_search(request, home=home, toolbox=toolbox, proposer=proposer, on_event=witness.hear)
    assert result.best is not None
    assert result.best.latency_us == 20.0
    assert "at the task's final sizes" in result.candidates[0].message
    assert result.candidates[0].verdict is Verdict.WRONG_RESULT


async def test_final_sizes_that_another_machines_tools_cannot_take_are_named(
    home: Home, toolbox: FakeToolbox, request_of, tmp_path
):
    request = request_of(depth=1, task=with_finals(tmp_path), tools="http://there/mcp")
    result = await start_search(request, home=home, toolbox=toolbox, proposer=ScriptedProposer(fenced(FAST)))
    assert result.best is not None
    assert (result.best.held_out, result.best.not_judged) == (None, [{"n": 100003}])


async def test_of_ties_the_leanest_is_the_best_whichever_was_judged_last(
    home: Home, toolbox: FakeToolbox, request_of
):
    witness = Witness(home)
    marks = ["LATENCY 10.0", "LATENCY 9.8", "LATENCY 9.6"]
    proposer = ScriptedProposer(*(fenced(kernel(mark)) for mark in marks))
    result = await start_search(
        request_of(candidates=3, depth=1),
        home=home,
        toolbox=toolbox,
        proposer=proposer,
        on_event=witness.hear,
    )
    assert result.best is not None
    ranked = Store(home).candidates.ranked(result.run)
    assert (result.best.round, result.best.candidate) == ranked[0].place


def test_a_live_table_forgets_a_best_that_failed() -> None:
    from rich.console import Console

    live = LiveProgress(Console())
    best = CandidateJudged(
        run="r", round=1, candidate=1, features=[], verdict=Verdict.PASS, message="", latency_us=5.0,
        provenance="estimated", is_best=True,
    )  # fmt: skip
    live(RunStarted(run="r", task="t", device="d", isolation="n", model="m", candidates=1, depth=1))
    live(best)
    live(best.model_copy(update={"verdict": Verdict.WRONG_RESULT, "latency_us": None, "is_best": False}))
    console = Console(record=True, width=120)
    console.print(live.render())
    assert "best so far" not in console.export_text()
