from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from agent.candidates import CandidatePlan, Submission
from agent.events import RoundPlanned
from agent.home import Home
from agent.home import home as this_home
from agent.results import RunState, SearchRequest, Stop
from agent.store import NewRun, Store
from agent.store.address import database_of
from agent.store.database import Database
from agent.store.files import KernelFiles, kernel_sha
from agent.store.liveness import Owner, process_started, this_process
from agent.store.records import dump_report, load_report
from agent.store.replies import Reply, ReplyKey
from agent.store.tables import runs
from sandbox.device import Bottleneck, Fault
from sandbox.errors import UsageError
from sandbox.verdict import Provenance, Verdict
from tools.reports import CaseReport, CheckReport, Mismatch, ProfileReport, TestReport

NEW = NewRun(
    SearchRequest(task="soft max"), "Soft Max", Path("/tasks/soft"), "ab" * 32, "sim:h200", "process", "m", 7
)


@pytest.fixture
def store(home: Home) -> Store:
    return Store(home)


def judged(store: Store, run: str, candidate: int, latency: float | None, **more: object) -> Submission:
    submission = Submission(1, candidate, CandidatePlan(None, ("x",), "why"), f"{candidate:064x}")
    verdict = Verdict.WRONG_RESULT if latency is None else Verdict.PASS
    store.candidates.add(run, submission)
    trial = submission.judged(verdict, "said")
    store.candidates.judge(run, trial.model_copy(update={"latency_us": latency, **more}))
    return submission


def orphaned(home: Home, run: str) -> None:
    """Make a run look as if the process that owns it were gone, its id given to another one."""
    with Database(database_of(home)).write(run) as connection:
        connection.execute(update(runs).where(runs.c.id == run), {"pid_started": "1"})


def test_runs_have_short_readable_names_of_their_own(store: Store):
    names = {store.create(NEW) for _ in range(20)}
    assert len(names) == 20
    assert all(re.fullmatch(r"soft-max-\d{8}-[0-9a-f]{4}", name) for name in names)


def test_a_stored_run_reads_back_as_it_was(store: Store):
    run = store.get_run(store.create(NEW))
    assert (run.request, run.task_folder, run.seed) == (NEW.request, NEW.task_folder, 7)
    assert (run.state, run.stopped, run.error) == (RunState.RUNNING, None, "")


def test_an_unknown_run_is_a_clear_error(store: Store):
    with pytest.raises(UsageError, match="no run named 'nothing'"):
        store.get_result("nothing")


def test_a_running_run_whose_process_is_gone_reads_as_interrupted(store: Store, home: Home):
    run = store.create(NEW)
    orphaned(home, run)
    assert store.get_run(run).state is RunState.INTERRUPTED
    assert store.list_runs()[0].state is RunState.INTERRUPTED


def test_a_process_that_ended_is_not_alive():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        owner = Owner(process.pid, process_started(process.pid) or "")
        assert owner.alive
        process.kill()
        process.wait()
        assert not owner.alive
    assert this_process().alive
    assert not Owner(os.getpid(), "1").alive, "another process of the same id"


def test_a_run_at_work_cannot_be_taken_over_and_an_interrupted_one_can(store: Store, home: Home):
    run = store.create(NEW)
    with pytest.raises(UsageError, match="still at work"):
        store.runs.take_over(run)
    orphaned(home, run)
    assert store.runs.take_over(run).state is RunState.INTERRUPTED
    assert store.get_run(run).state is RunState.RUNNING


def test_cancelling_asks_a_running_run_and_ends_an_interrupted_one(store: Store, home: Home):
    run = store.create(NEW)
    assert store.mark_cancelled(run) is RunState.RUNNING
    assert store.runs.cancel_asked(run)
    orphaned(home, run)
    assert store.mark_cancelled(run) is RunState.CANCELLED
    assert store.get_result(run).stopped is Stop.CANCELLED
    store.runs.take_over(run)
    assert not store.runs.cancel_asked(run), "a resumed run is not cancelled by what was asked before"


def test_a_result_names_the_best_and_every_candidate(store: Store):
    run = store.create(NEW)
    judged(store, run, 1, None)
    judged(store, run, 2, 8.0, speedup=3.0, tune={"BLOCK": 64})
    best, *_ = store.candidates.ranked(run)
    sha = store.kernels.keep(run, "text")
    store.candidates.set_best(run, best, sha)
    result = store.get_result(run)
    assert result.verdict is Verdict.PASS
    assert result.best is not None
    assert (result.best.candidate, result.best.sha, result.best.tune) == (2, sha, {"BLOCK": 64})
    assert [record.candidate for record in result.candidates] == [1, 2]
    summary = store.list_runs()[0]
    assert (summary.candidates, summary.rounds, summary.best_latency_us, summary.speedup) == (2, 1, 8.0, 3.0)


def test_duplicates_failures_and_the_baseline_are_not_ranked(store: Store):
    run = store.create(NEW)
    judged(store, run, 1, None)
    judged(store, run, 2, 8.0)
    judged(store, run, 3, 8.0, duplicate_of="1/2")
    judged(store, run, 4, 5.0)
    baseline = Submission(0, 0, CandidatePlan(None, ()), "00")
    store.candidates.add(run, baseline)
    store.candidates.judge(run, baseline.judged(Verdict.PASS, "").model_copy(update={"latency_us": 1.0}))
    assert [trial.candidate for trial in store.candidates.ranked(run)] == [4, 2]


def test_the_first_to_say_what_it_compiles_to_is_the_original(store: Store):
    run = store.create(NEW)
    first, second = judged(store, run, 1, 8.0), judged(store, run, 2, 8.0)
    assert store.candidates.claim(run, second, "key") is None
    assert store.candidates.claim(run, second, "key") is None, "a resumed run asks again"
    original = store.candidates.claim(run, first, "key")
    assert original is not None
    assert original.candidate == 2


def test_a_reply_is_found_only_under_its_very_question(store: Store):
    run, other = store.create(NEW), store.create(NEW)
    key = ReplyKey(1, 2, "coder", "ff")
    assert store.replies(run).find(key) is None
    store.replies(run).keep(key, Reply("text \u2713", 10, 5))
    assert store.replies(run).find(key) == Reply("text \u2713", 10, 5)
    assert store.replies(other).find(key) is None
    assert store.replies(run).find(ReplyKey(1, 2, "coder", "fe")) is None


def test_a_report_with_nan_and_faults_reads_back_as_it_was():
    fault = Fault(Verdict.MEMORY_FAULT, "out of bounds", "k", 3, block=(1, 0, 0), thread=(2, 0, 0))
    wrong = Mismatch("y", (1, 2), math.inf, "never written", 1e-6)
    cases = (CaseReport({"n": 3}, 5, Verdict.WRONG_RESULT, "", 1, 1, 3, math.inf, (wrong,), fault),)
    test = TestReport(Verdict.WRONG_RESULT, "", cases, 4)
    report = CheckReport(Verdict.WRONG_RESULT, "t", "d", Provenance.COUNTED, "m", test=test, tune={"B": 1})
    assert load_report(dump_report(report)) == report
    nan = CheckReport(
        Verdict.PASS, "t", "d", Provenance.COUNTED, "m",
        test=TestReport(Verdict.PASS, "", (CaseReport({}, 1, Verdict.PASS, "", worst_ratio=math.nan),)),
    )  # fmt: skip
    read = load_report(dump_report(nan)).test
    assert read is not None
    assert read.cases[0].worst_ratio is not None
    assert math.isnan(read.cases[0].worst_ratio)


def test_a_stored_report_reads_back_whatever_bounds_its_kernel():
    profile = ProfileReport(Verdict.PASS, "", 1.0, bottleneck=Bottleneck.SHARED_MEMORY)
    report = CheckReport(Verdict.PASS, "t", "d", Provenance.COUNTED, "m", profile=profile)
    text = dump_report(report)
    assert '"bottleneck": "shared_memory"' in text
    assert load_report(text) == report
    other = load_report(text.replace("shared_memory", "a name of another version"))
    assert other.profile == replace(profile, bottleneck=Bottleneck.UNKNOWN)


def test_events_are_numbered_for_each_run(store: Store):
    runs = [store.create(NEW), store.create(NEW)]
    numbers = [
        store.event_log.append(RoundPlanned(run=run, round=number, features=[["x"]]))
        for number in (1, 2)
        for run in runs
    ]
    assert numbers == [1, 1, 2, 2]
    (entry,) = store.events_since(runs[1], 1)
    assert (entry.number, entry.event.run, entry.event.kind) == (2, runs[1], "round_planned")


def test_a_failed_transaction_leaves_nothing_behind(store: Store):
    run = store.create(NEW)

    def fail() -> None:
        with store._database.write(run) as connection:
            connection.exec_driver_sql("UPDATE runs SET error = 'half'")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert store.get_run(run).error == ""


def test_kernels_are_kept_by_content_and_no_half_written_file_stays(tmp_path: Path):
    files = KernelFiles(tmp_path)
    text = "// \u2713 kernel\r\n"
    sha = files.keep("run", text)
    assert sha == files.keep("run", text) == kernel_sha(text)
    assert files.read("run", sha) == text
    assert files.write_best("run", text).read_bytes() == text.encode()
    files.drop_best("run")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [f"{sha}.cu"]


def test_two_processes_write_to_one_store_at_a_time(store: Store, home: Home):
    run = store.create(NEW)
    code = (
        "import sys; from pathlib import Path; from agent.home import Home; from agent.store import Store\n"
        "from agent.events import RoundPlanned\n"
        "store = Store(Home(Path(sys.argv[1])))\n"
        "for n in range(50): store.event_log.append(RoundPlanned(run=sys.argv[2], round=n, features=[]))\n"
    )
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", code, str(home.root), run]
    processes = [subprocess.Popen(command, cwd=root) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert [entry.number for entry in store.events_since(run)] == list(range(1, 101))


def test_the_home_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WARPWRIGHT_HOME", str(tmp_path))
    assert this_home() == Home(tmp_path)
    monkeypatch.delenv("WARPWRIGHT_HOME")
    assert this_home().root.name in ("warpwright", ".warpwright")


def test_a_tenant_sees_and_touches_no_run_but_its_own(home: Home) -> None:
    store = Store(home)
    request = SearchRequest(task="soft max", candidates=2, depth=3, tenant="ada")
    run = store.create(replace(NEW, request=request))
    ada, bob = store.seen_by("ada"), store.seen_by("bob")
    assert [line.run for line in ada.list_runs()] == [run] == [line.run for line in store.list_runs()]
    assert bob.list_runs() == []
    for look in (bob.get_run, bob.get_result, bob.events_since, bob.mark_cancelled, bob.runs.take_over):
        with pytest.raises(UsageError, match="no run named"):
            look(run)
    assert store.get_run(run).state is RunState.RUNNING
    assert (ada.runs.spent(0).running, ada.runs.spent(0).candidates) == (1, 6)
    assert bob.runs.spent(0).candidates == 0
