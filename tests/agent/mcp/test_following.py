"""A search's status, told from its events."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from agent.candidates import Candidate, Trial
from agent.events import BaselineJudged, CandidateJudged, Event, RoundPlanned, RunStarted
from agent.home import Home
from agent.mcp.following import Followed, Progress, next_step
from agent.results import RunState, SearchRequest
from agent.store import NewRun, Store, StoredEvent
from sandbox.errors import UsageError
from sandbox.verdict import Provenance, Verdict

RUN = "softmax-1"


def judged(candidate: int, latency_us: float | None, *, best: bool) -> CandidateJudged:
    return CandidateJudged(
        run=RUN,
        round=1,
        candidate=candidate,
        features=["warp_shuffle"],
        verdict=Verdict.TIMEOUT if latency_us is None else Verdict.PASS,
        message="did not end",
        latency_us=latency_us,
        provenance=Provenance.ESTIMATED,
        speedup=None if latency_us is None else 2.0,
        is_best=best,
    )


def begun(*, resumed: bool = False) -> RunStarted:
    return RunStarted(
        run=RUN,
        task="softmax",
        device="sim:h200",
        isolation="bubblewrap",
        model="composer",
        candidates=2,
        depth=3,
        resumed=resumed,
    )


BEGINNING: list[Event] = [
    begun(),
    BaselineJudged(run=RUN, latency_us=25, provenance=Provenance.ESTIMATED),
    RoundPlanned(run=RUN, round=1, features=[["warp_shuffle"], ["vector_loads"]]),
]


def test_a_status_counts_candidates_and_names_the_stores_best() -> None:
    best = judged(0, 12.5, best=True)
    followed = Followed.of([*BEGINNING, best, judged(1, None, best=False)])
    known = {name: getattr(best, name) for name in Candidate.model_fields}
    status = followed.status(RUN, RunState.RUNNING, best=Trial.model_validate(known))
    assert followed.status(RUN, RunState.RUNNING).best is None, "after a demotion there may be none"
    assert (status.round, status.rounds, status.candidates_judged, status.candidates_total) == (1, 3, 2, 6)
    assert status.best is not None
    assert (status.best.latency_us, status.best.provenance, status.best.candidate) == (12.5, "estimated", 0)
    assert status.message == "round 1 candidate 1 (warp_shuffle): timeout, did not end"


def test_a_candidate_judged_again_after_a_resume_counts_once() -> None:
    again = [begun(resumed=True), judged(0, 12.5, best=True)]
    followed = Followed.of([*BEGINNING, judged(0, 12.5, best=True), *again])
    assert followed.status(RUN, RunState.RUNNING).candidates_judged == 1


def test_every_latency_in_a_message_says_where_it_comes_from() -> None:
    assert Followed.of(BEGINNING[:2]).message == "baseline: 25.00 us (estimated)"
    assert (
        "12.50 us (estimated), best so far" in Followed.of([*BEGINNING, judged(0, 12.5, best=True)]).message
    )


def test_the_error_of_a_failed_run_is_its_message() -> None:
    assert Followed.of(BEGINNING).status(RUN, RunState.FAILED, "no key").message == "no key"
    lost = f"the endpoint is down; once that is mended, go on with: warpwright resume {RUN}"
    said = Followed.of(BEGINNING).status(RUN, RunState.FAILED, lost).message
    assert said == f"the endpoint is down; once that is mended, go on with: start_search(resume='{RUN}')"


@pytest.mark.parametrize("state", RunState)
def test_every_state_names_the_next_call_for_this_run(state: RunState) -> None:
    assert f"='{RUN}')" in next_step(RUN, state)


def test_an_interrupted_run_says_how_to_go_on() -> None:
    step = next_step(RUN, RunState.INTERRUPTED)
    assert f"start_search(resume='{RUN}')" in step
    assert "warpwright resume" not in step


def test_progress_reads_each_event_once_and_shows_no_run_that_the_store_does_not(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(home)
    request = SearchRequest(task="softmax", candidates=2, depth=3, tenant="ada")
    run = store.create(NewRun(request, "softmax", home.root, "0" * 64, "sim:h200", "process", "composer", 1))
    asked: list[int] = []
    since = store.event_log.since
    monkeypatch.setattr(
        store.event_log, "since", lambda run, number: (asked.append(number), since(run, number))[1]
    )
    progress = Progress()
    for event in [*BEGINNING, judged(0, 12.5, best=True)]:
        store.event_log.append(event.model_copy(update={"run": run}))
        seen = progress.of(store, run).status(run, RunState.RUNNING)
    assert asked == [0, 1, 2, 3]
    assert (seen.round, seen.candidates_judged, seen.task) == (1, 1, "softmax")
    with pytest.raises(UsageError, match="no run named"):
        progress.of(store.seen_by("bob"), run)
    assert progress.of(store, run).status(run, RunState.RUNNING) == seen


def test_who_asks_for_a_run_does_not_wait_for_who_reads_another(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, progress = Store(home), Progress()
    request = SearchRequest(task="softmax", candidates=2, depth=3)
    new = NewRun(request, "softmax", home.root, "0" * 64, "sim:h200", "process", "composer", 1)
    slow, quick = store.create(new), store.create(new)
    since, reading, goes_on = store.event_log.since, threading.Event(), threading.Event()

    def waiting(run: str, number: int) -> list[StoredEvent]:
        if run == slow:
            reading.set()
            assert goes_on.wait(30)
        return since(run, number)

    monkeypatch.setattr(store.event_log, "since", waiting)
    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(progress.of, store, slow)
        assert reading.wait(30)
        try:
            assert threads.submit(progress.of, store, quick).result(timeout=10) == Followed()
        finally:
            goes_on.set()
        assert one.result(timeout=10) == Followed()
