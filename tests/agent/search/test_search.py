"""Whole searches, with a scripted proposer and tools that judge kernels by their marks."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from pathlib import Path

import pytest

from agent.events import CandidateJudged, Event, RunStarted
from agent.home import Home
from agent.proposer import ProposalError
from agent.results import RunState, Stop
from agent.search import checkpoints
from agent.search.session import SearchLostError
from agent.search.starting import resume_search, start_search
from agent.store import Store
from sandbox.errors import MissingDependencyError, UsageError
from sandbox.verdict import Verdict
from tests.agent.search_fakes import BASELINE_US, FakeToolbox, ScriptedProposer, fenced, kernel, write_task
from tools.toolbox import CheckOrder

FAST, FASTER, SLOW = kernel("LATENCY 20"), kernel("LATENCY 10"), kernel("LATENCY 50")


async def test_the_best_kernel_of_any_round_is_kept(home: Home, toolbox: FakeToolbox, request_of):
    proposer = ScriptedProposer(fenced(FASTER), fenced(SLOW), fenced(FAST))
    result = await start_search(request_of(depth=3), home=home, toolbox=toolbox, proposer=proposer)
    assert result.verdict is Verdict.PASS
    assert result.best is not None
    assert (result.best.round, result.best.latency_us) == (1, 10.0)
    assert result.best.speedup == pytest.approx(BASELINE_US / 10)
    assert result.best.path.read_text() == FASTER
    assert hashlib.sha256(result.best.path.read_bytes()).hexdigest() == result.best.sha
    assert result.baseline_us == BASELINE_US
    assert Store(home).get_run(result.run).state is RunState.COMPLETED


async def test_every_candidate_of_a_round_is_judged_before_the_critic_speaks(
    home: Home, toolbox: FakeToolbox, request_of
):
    marks = [f"LATENCY {us}" for us in (40, 30, 20, 10)]
    proposer = ScriptedProposer(*(fenced(kernel(mark)) for mark in marks))
    await start_search(request_of(candidates=4, depth=2), home=home, toolbox=toolbox, proposer=proposer)
    (critique,) = proposer.critiques
    assert [trial.latency_us for trial in critique.trials] == [40, 30, 20, 10]
    assert critique.best is not None
    assert critique.best.kernel == kernel("LATENCY 10")


async def test_the_next_round_builds_on_the_best_kernels(home: Home, toolbox: FakeToolbox, request_of):
    proposer = ScriptedProposer(fenced(SLOW), fenced(FAST))
    await start_search(request_of(candidates=2, depth=2), home=home, toolbox=toolbox, proposer=proposer)
    first, second = proposer.plans
    assert [parent.trial for parent in first.parents] == [None]
    assert second.parents[0].kernel == FAST
    assert "Bottleneck: dram" in proposer.writes[2].feedback


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (kernel("WRONG"), "y[3] is 1.5, expected 2.0"),
        (kernel("BROKEN"), 'line 5: error: identifier "BROKEN"'),
    ],
)
async def test_a_failed_kernel_is_repaired_with_the_tools_words(
    home: Home, toolbox: FakeToolbox, request_of, bad: str, said: str
):
    proposer = ScriptedProposer(fenced(bad), fenced(FAST))
    result = await start_search(request_of(), home=home, toolbox=toolbox, proposer=proposer)
    repair = proposer.writes[1]
    assert repair.parent is not None
    assert repair.parent.kernel == bad
    assert said in repair.feedback
    assert result.verdict is Verdict.PASS


async def test_a_reply_without_a_kernel_is_a_failed_candidate(home: Home, toolbox: FakeToolbox, request_of):
    proposer = ScriptedProposer("I would use shared memory.", fenced(FAST))
    result = await start_search(request_of(), home=home, toolbox=toolbox, proposer=proposer)
    assert [record.verdict for record in result.candidates] == [Verdict.REJECTED, Verdict.PASS]
    assert "no kernel file" in result.candidates[0].message


async def test_the_same_source_is_judged_once(home: Home, toolbox: FakeToolbox, request_of):
    proposer = ScriptedProposer(fenced(FAST), fenced(FAST), fenced(FAST), fenced(FASTER))
    result = await start_search(request_of(candidates=2), home=home, toolbox=toolbox, proposer=proposer)
    assert toolbox.checked.count(FAST) == 1
    assert [record.verdict for record in result.candidates] == [Verdict.PASS] * 4
    assert [record.message for record in result.candidates[1:3]] == [
        "the same kernel as round 1 candidate 1, not judged again"
    ] * 2


async def test_kernels_that_compile_to_the_same_code_are_judged_once(
    home: Home, toolbox: FakeToolbox, request_of
):
    spaced = FAST.replace("    if", "        if")
    proposer = ScriptedProposer(fenced(FAST), fenced(spaced))
    await start_search(request_of(candidates=2, depth=1), home=home, toolbox=toolbox, proposer=proposer)
    assert len(toolbox.checked) == 2, "the baseline, and one of the two"


async def test_the_same_code_launched_otherwise_is_another_kernel(
    home: Home, toolbox: FakeToolbox, request_of, monkeypatch: pytest.MonkeyPatch
):
    compiled = toolbox.compiled
    monkeypatch.setattr(toolbox, "compiled", lambda kernel: compiled(FAST))
    wider = FAST.replace("128 in 64, 128, 256", "128 in 64, 128, 256, 512")
    proposer = ScriptedProposer(fenced(FAST), fenced(wider))
    await start_search(request_of(candidates=2, depth=1), home=home, toolbox=toolbox, proposer=proposer)
    assert {FAST, wider} <= set(toolbox.checked)


async def test_a_copy_of_the_baseline_is_never_the_best(home: Home, toolbox: FakeToolbox, request_of):
    proposer = ScriptedProposer(fenced(kernel(f"LATENCY {BASELINE_US}")))
    result = await start_search(request_of(depth=1), home=home, toolbox=toolbox, proposer=proposer)
    assert result.best is None
    assert "the baseline" in result.candidates[0].message


async def test_a_search_stops_when_two_rounds_bring_no_gain(home: Home, toolbox: FakeToolbox, request_of):
    proposer = ScriptedProposer(fenced(FASTER), fenced(FAST), fenced(SLOW), fenced(kernel("LATENCY 1")))
    result = await start_search(
        request_of(depth=9, patience=2), home=home, toolbox=toolbox, proposer=proposer
    )
    assert (result.stopped, result.rounds) == (Stop.NO_GAIN, 3)


async def test_a_search_that_found_nothing_goes_on_to_its_depth(home: Home, toolbox: FakeToolbox, request_of):
    proposer = ScriptedProposer(*(fenced(kernel(f"WRONG {number}")) for number in range(5)))
    result = await start_search(request_of(depth=5), home=home, toolbox=toolbox, proposer=proposer)
    assert (result.stopped, result.rounds, result.verdict) == (Stop.DEPTH, 5, Verdict.WRONG_RESULT)
    assert result.best is None


async def test_a_search_stops_when_the_target_is_met(
    home: Home, toolbox: FakeToolbox, tmp_path: Path, request_of
):
    folder = write_task(tmp_path / "aim", "\n[target]\nspeedup = 5\n")
    proposer = ScriptedProposer(fenced(SLOW), fenced(FASTER), fenced(FAST))
    request = request_of(depth=9, task=str(folder))
    result = await start_search(request, home=home, toolbox=toolbox, proposer=proposer)
    assert (result.stopped, result.rounds) == (Stop.TARGET_MET, 2)


async def test_a_best_kernel_that_fails_on_fresh_inputs_gives_way_to_the_next(
    home: Home, toolbox: FakeToolbox, request_of, heard: list[Event]
):
    toolbox.late_failures = {10.0}
    proposer = ScriptedProposer(fenced(FASTER), fenced(FAST))
    result = await start_search(
        request_of(candidates=2, depth=1),
        home=home,
        toolbox=toolbox,
        proposer=proposer,
        on_event=heard.append,
    )
    assert result.best is not None
    assert (result.best.latency_us, result.best.path.read_text()) == (20.0, FAST)
    assert result.candidates[0].verdict is Verdict.WRONG_RESULT
    last = [event for event in heard if isinstance(event, CandidateJudged)][-2:]
    assert [(event.candidate, event.verdict, event.is_best) for event in last] == [
        (1, Verdict.WRONG_RESULT, False),
        (2, Verdict.PASS, True),
    ]


async def test_no_kernel_is_announced_where_all_fail_on_fresh_inputs(
    home: Home, toolbox: FakeToolbox, request_of
):
    toolbox.late_failures = {10.0}
    proposer = ScriptedProposer(fenced(FASTER))
    result = await start_search(request_of(depth=1), home=home, toolbox=toolbox, proposer=proposer)
    assert (result.best, result.verdict) == (None, Verdict.WRONG_RESULT)
    assert not (home.runs / result.run / "best.cu").exists()


async def test_the_best_file_stands_for_itself_with_the_chosen_tunables(
    home: Home, toolbox: FakeToolbox, request_of
):
    toolbox.chosen = {"BLOCK": 256}
    proposer = ScriptedProposer(fenced(FAST))
    result = await start_search(request_of(depth=1), home=home, toolbox=toolbox, proposer=proposer)
    assert result.best is not None
    assert "tune BLOCK = 256 in 64, 128, 256" in result.best.path.read_text()
    assert toolbox.confirmed == [result.best.path.read_text()]
    assert toolbox.inspected == toolbox.confirmed
    assert toolbox.checked


async def test_the_result_names_the_benchmark_shapes_at_which_the_best_was_not_judged(
    home: Home, toolbox: FakeToolbox, request_of
):
    toolbox.only_counted = ({"n": 1 << 30},)
    proposer = ScriptedProposer(fenced(FAST))
    result = await start_search(request_of(depth=1), home=home, toolbox=toolbox, proposer=proposer)
    assert result.best is not None
    assert result.best.not_judged == [{"n": 1 << 30}]


async def test_a_wrong_baseline_is_a_clear_error(
    home: Home, toolbox: FakeToolbox, task_folder: Path, request_of
):
    (task_folder / "baseline.cu").write_text(kernel("WRONG"))
    with pytest.raises(UsageError, match="baseline of twice fails: wrong_result"):
        await start_search(request_of(), home=home, toolbox=toolbox, proposer=ScriptedProposer())
    (run,) = Store(home).list_runs()
    assert run.state is RunState.FAILED
    assert "baseline" in run.error


async def test_candidates_that_the_tools_lose_do_not_end_the_search(
    home: Home, toolbox: FakeToolbox, request_of
):
    proposer = ScriptedProposer(fenced(kernel("CRASHES")), fenced(FAST))
    result = await start_search(request_of(), home=home, toolbox=toolbox, proposer=proposer)
    assert [record.verdict for record in result.candidates] == [Verdict.UNDECIDED, Verdict.PASS]


async def test_two_lost_rounds_stop_the_search_and_a_resume_tries_them_again(
    home: Home, toolbox: FakeToolbox, request_of
):
    down = ProposalError("the endpoint is down")
    proposer = ScriptedProposer(fenced(FAST), down, down, fenced(FASTER), fenced(SLOW))
    with pytest.raises(SearchLostError, match=r"the endpoint is down; .* warpwright resume twice-"):
        await start_search(request_of(depth=3), home=home, toolbox=toolbox, proposer=proposer)
    (run,) = Store(home).list_runs()
    assert (run.state, run.best_latency_us) == (RunState.FAILED, 20.0)
    result = await resume_search(run.run, home=home, toolbox=toolbox, proposer=proposer)
    assert [record.latency_us for record in result.candidates] == [20.0, 10.0, 50.0]
    assert (result.stopped, result.rounds) == (Stop.DEPTH, 3)
    assert Store(home).get_run(run.run).error == ""


async def test_a_cancelled_search_keeps_its_best_and_can_be_resumed(
    home: Home, toolbox: FakeToolbox, request_of, heard: list[Event]
):
    proposer = ScriptedProposer(fenced(FAST), fenced(FASTER), fenced(SLOW))
    stuck = asyncio.Event()
    search = asyncio.create_task(
        start_search(
            request_of(depth=3), home=home, toolbox=toolbox, proposer=proposer, on_event=heard.append
        )
    )
    do = toolbox.do

    async def hang(order):
        if isinstance(order, CheckOrder) and order.kernel == FASTER and not stuck.is_set():
            stuck.set()
            await asyncio.Event().wait()
        return await do(order)

    toolbox.do = hang
    await asyncio.wait_for(stuck.wait(), 20)
    search.cancel()
    with pytest.raises(asyncio.CancelledError):
        await search
    run = heard[0].run
    assert Store(home).get_run(run).state is RunState.CANCELLED
    assert (home.runs / run / "best.cu").read_text() == FAST
    result = await resume_search(run, home=home, toolbox=toolbox, proposer=proposer)
    assert [record.latency_us for record in result.candidates] == [20.0, 10.0, 50.0]
    assert len(proposer.writes) == 3, "no finished kernel is asked for again"
    assert toolbox.checked.count(FAST) == 1, "no finished kernel is judged again"


def threads(home: Home) -> set[str]:
    with sqlite3.connect(home.checkpoints) as connection:
        return {thread for (thread,) in connection.execute("SELECT thread_id FROM checkpoints")}


async def test_checkpoints_go_with_a_search_that_ended_and_with_one_that_nobody_resumed(
    home: Home, toolbox: FakeToolbox, request_of, monkeypatch: pytest.MonkeyPatch
):
    async def lost(*written: str) -> str:
        down = ProposalError("the endpoint is down")
        proposer = ScriptedProposer(*map(fenced, written), down, down)
        with pytest.raises(SearchLostError):
            await start_search(request_of(depth=4), home=home, toolbox=toolbox, proposer=proposer)
        return Store(home).list_runs()[0].run

    async def ended() -> str:
        proposer = ScriptedProposer(fenced(SLOW))
        return (await start_search(request_of(depth=1), home=home, toolbox=toolbox, proposer=proposer)).run

    abandoned, _ = await lost(FAST, SLOW), await ended()
    later = await ended()
    assert threads(home) == {abandoned, later}, "what ended is freed by the next search"
    monkeypatch.setattr(checkpoints, "KEPT_S", 0.0)
    last = await ended()
    assert threads(home) == {last}

    proposer = ScriptedProposer(fenced(FASTER), fenced(kernel("LATENCY 30.0")))
    checked = len(toolbox.checked)
    result = await resume_search(abandoned, home=home, toolbox=toolbox, proposer=proposer)
    assert [record.latency_us for record in result.candidates] == [20.0, 50.0, 10.0, 30.0]
    assert len(proposer.writes) == 2, "no finished kernel is asked for again"
    assert len(toolbox.checked) == checked + 2, "nor judged"


async def test_a_run_marked_as_cancelled_stops_by_itself(home: Home, toolbox: FakeToolbox, request_of):
    proposer = ScriptedProposer(fenced(FAST))
    store = Store(home)

    def mark(event: Event) -> None:
        if isinstance(event, CandidateJudged):
            store.mark_cancelled(event.run)

    do = toolbox.do

    async def hang(order):
        text = order.kernel if isinstance(order, CheckOrder) else FAST
        if "nothing more" not in text and text != FAST and "LATENCY 100" not in text:
            await asyncio.Event().wait()
        return await do(order)

    toolbox.do = hang
    proposer = ScriptedProposer(fenced(FAST), fenced(FASTER))
    result = await start_search(
        request_of(depth=3), home=home, toolbox=toolbox, proposer=proposer, on_event=mark
    )
    assert result.stopped is Stop.CANCELLED
    assert result.best is not None
    assert store.get_run(result.run).state is RunState.CANCELLED


async def test_events_reach_the_listener_and_the_store_alike(
    home: Home, toolbox: FakeToolbox, request_of, heard: list[Event]
):
    proposer = ScriptedProposer(fenced(FAST))
    result = await start_search(
        request_of(depth=1), home=home, toolbox=toolbox, proposer=proposer, on_event=heard.append
    )
    kinds = [event.kind for event in heard]
    assert kinds[:3] == ["run_started", "baseline_judged", "round_planned"]
    assert kinds[-3:] == ["candidate_judged", "round_finished", "run_finished"]
    stored = Store(home).events_since(result.run)
    assert [entry.event for entry in stored] == heard
    assert [entry.number for entry in Store(home).events_since(result.run, 2)] == list(
        range(3, len(heard) + 1)
    )


async def test_a_completed_run_is_returned_as_it_is(home: Home, toolbox: FakeToolbox, request_of):
    proposer = ScriptedProposer(fenced(FAST))
    result = await start_search(request_of(depth=1), home=home, toolbox=toolbox, proposer=proposer)
    assert await resume_search(result.run, home=home, toolbox=FakeToolbox()) == result


async def test_a_run_is_not_resumed_on_a_changed_task(
    home: Home, toolbox: FakeToolbox, task_folder: Path, request_of
):
    down = ProposalError("down")
    proposer = ScriptedProposer(down, down)
    with pytest.raises(SearchLostError):
        await start_search(request_of(), home=home, toolbox=toolbox, proposer=proposer)
    (run,) = Store(home).list_runs()
    (task_folder / "reference.py").write_text("def reference(x, n):\n    return {'y': 3 * x}\n")
    with pytest.raises(UsageError, match="has changed since"):
        await resume_search(run.run, home=home, toolbox=toolbox, proposer=proposer)


async def test_a_run_at_work_is_not_resumed_by_another(home: Home, toolbox: FakeToolbox, request_of):
    refusals: list[str] = []

    async def listen() -> None:
        started = asyncio.get_running_loop().create_future()
        search = asyncio.create_task(
            start_search(
                request_of(depth=1),
                home=home,
                toolbox=toolbox,
                proposer=ScriptedProposer(fenced(FAST)),
                on_event=lambda event: None if started.done() else started.set_result(event.run),
            )
        )
        with pytest.raises(UsageError, match="still at work") as refusal:
            await resume_search(await started, home=home, toolbox=toolbox, proposer=ScriptedProposer())
        refusals.append(str(refusal.value))
        await search

    await listen()
    assert refusals


async def test_a_missing_key_is_found_before_a_run_exists(
    home: Home, toolbox: FakeToolbox, request_of, monkeypatch: pytest.MonkeyPatch
):
    for name in ("OPENAI_API_KEY", "WARPWRIGHT_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(MissingDependencyError, match="OPENAI_API_KEY"):
        await start_search(request_of(model="gpt-x"), home=home, toolbox=toolbox)
    assert Store(home).list_runs() == []


async def test_a_run_says_its_name_first(home: Home, toolbox: FakeToolbox, request_of, heard: list[Event]):
    await start_search(
        request_of(depth=1), home=home, toolbox=toolbox, proposer=ScriptedProposer(), on_event=heard.append
    )
    assert isinstance(heard[0], RunStarted)
    assert heard[0].run.startswith("twice-")
