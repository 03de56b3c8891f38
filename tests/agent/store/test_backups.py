from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.budget import SearchBudget
from agent.candidates import CandidatePlan, Submission
from agent.events import RoundPlanned
from agent.home import Home
from agent.results import RunState, SearchRequest
from agent.search.starting import resume_search, start_search
from agent.store import NewRun, Store, backups
from agent.store.address import VARIABLE
from agent.store.ledger import CallCost
from agent.store.migrations import MIGRATIONS, statements
from agent.store.questions import Asked
from agent.store.replies import Reply, ReplyKey
from sandbox.errors import UsageError
from sandbox.verdict import Provenance, Verdict
from tests.agent.search_fakes import FakeToolbox
from tests.postgres import cluster
from tools.reports import CheckReport

KEY = ReplyKey(1, 1, "coder", "ff")
ASKED = Asked(({"role": "user", "content": "écris ✓"},), ({"name": "tool"},))


async def filled(home: Home) -> str:
    """Make a run with something in every table, and return it."""
    store = Store(home)
    task = home.tasks / "mine"
    task.mkdir(parents=True)
    (task / "task.toml").write_text("x")
    new = NewRun(SearchRequest(task="mine"), "mine", task, "ab" * 32, "sim:h200", "process", "m", 7)
    run = store.create(new)
    submission = Submission(1, 1, CandidatePlan(None, ("x",), "why"), store.kernels.keep(run, "text"))
    store.candidates.add(run, submission)
    report = CheckReport(Verdict.PASS, "mine", "sim:h200", Provenance.ESTIMATED, "said")
    store.runs.keep_baseline(run, report)
    found = {"latency_us": 8.0, "report": report}
    trial = submission.judged(Verdict.PASS, "said").model_copy(update=found)
    store.candidates.judge(run, trial)
    store.candidates.set_best(run, trial, store.kernels.keep(run, "text"))
    store.kernels.write_best(run, "text")
    store.replies(run).keep(KEY, Reply("text", 10, 5, model="m"), ASKED)
    store.event_log.append(RoundPlanned(run=run, round=1, features=[["x"]]))
    store.dialects.keep("there", "m", {"system": False})
    await store.ledger(run, SearchBudget()).reserve("m", CallCost(15, 0.5))
    return run


def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str) -> Home:
    monkeypatch.delenv(VARIABLE, raising=False)
    if engine == "postgresql":
        monkeypatch.setenv(VARIABLE, cluster().database())
    return Home(tmp_path / "elsewhere")


def lines(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


def rows_of(file: Path, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table as a backup has them."""
    with tarfile.open(file) as archive:
        found = archive.extractfile(f"tables/{table}.jsonl")
        assert found is not None
        return lines(found.read())


def changed(file: Path, change: Callable[[str, bytes], bytes]) -> None:
    """Write a backup anew, with the content of each member changed."""
    with tarfile.open(file) as archive:
        members = [(one, archive.extractfile(one)) for one in archive]
        contents = [(one, b"" if found is None else found.read()) for one, found in members]
    with tarfile.open(file, "w:gz") as archive:
        for info, content in contents:
            new = change(info.name, content)
            info.size = len(new)
            archive.addfile(info, io.BytesIO(new))


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_a_backup_is_restored_on_either_engine_as_it_was(
    engine: str, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run = await filled(home)
    file = tmp_path / "kept.tar.gz"
    before = Store(home)
    result, told = before.get_result(run), before.events_since(run)
    kept = before.back_up(file)
    assert (kept.runs, kept.files) == (1, 3)
    there = elsewhere(tmp_path, monkeypatch, engine)
    after = Store(there)
    assert after.restore(file) == kept
    assert after.get_result(run).candidates == result.candidates
    assert after.get_result(run).model_usd == result.model_usd == 0.5
    assert after.events_since(run) == told
    (exchange,) = after.replies(run).exchanges(("coder",))
    assert (exchange.key, exchange.asked, exchange.reply.text) == (KEY, ASKED, "text")
    assert after.dialects.find("there", "m") == {"system": False}
    assert after.kernels.best_path(run).read_text() == "text"
    stored = after.get_run(run)
    assert stored.task_folder == there.tasks / "mine", "a task of the home comes along"
    assert stored.state is RunState.INTERRUPTED, "whoever worked on it works on the run that was kept"
    assert await after.ledger(run, SearchBudget()).reserve("m", CallCost(1, None)) == 2, (
        "calls are numbered on"
    )
    with pytest.raises(UsageError, match="has runs already"):
        after.restore(file)


async def test_a_restored_search_goes_on_without_its_checkpoints(
    home: Home, tmp_path: Path, task_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    request = SearchRequest(task=str(task_folder), candidates=2, depth=2, seed=7)
    with pytest.raises(RuntimeError, match="stop"):
        await start_search(request, home=home, toolbox=FakeToolbox(), on_event=stopping_in_round_2)
    (line,) = Store(home).list_runs()
    Store(home).back_up(tmp_path / "kept")
    there = elsewhere(tmp_path, monkeypatch, "sqlite")
    Store(there).restore(tmp_path / "kept")
    before = Store(there).candidates.trials(line.run)
    result = await resume_search(line.run, home=there, toolbox=FakeToolbox())
    assert (result.verdict, result.rounds) == (Verdict.PASS, 2)
    assert result.candidates[: len(before)] == [one.model_copy(update={"report": None}) for one in before]


def stopping_in_round_2(event: object) -> None:
    if isinstance(event, RoundPlanned) and event.round == 2:
        raise RuntimeError("stop")


async def test_a_backup_of_an_earlier_version_is_restored(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run, file = await filled(home), tmp_path / "kept"
    Store(home).back_up(file)

    kept = Store(home).candidates.trials(run)
    reports = {
        (row["run"], row["round"], row["candidate"]): row["report"] for row in rows_of(file, "reports")
    }

    def was(table: str, row: dict[str, Any]) -> dict[str, Any]:
        if table == "candidates":
            return {**row, "report": reports.get((row["run"], row["round"], row["candidate"]))}
        if table == "runs":
            row = {**row, "baseline": row["baseline_report"]}
            return {key: row[key] for key in row if key not in ("place", "beat", "baseline_report")}
        return row

    def earlier(name: str, content: bytes) -> bytes:
        if name == "backup.json":
            told = json.loads(content)
            del told["rows"]["reports"]
            return json.dumps({**told, "version": 5}).encode()
        if name in ("tables/runs.jsonl", "tables/candidates.jsonl"):
            table = Path(name).stem
            return b"".join(json.dumps(was(table, row)).encode() + b"\n" for row in lines(content))
        return content

    changed(file, earlier)
    there = elsewhere(tmp_path, monkeypatch, "sqlite")
    Store(there).restore(file)
    assert Store(there).get_result(run).best is not None
    assert Store(there).candidates.trials(run) == kept
    (exchange,) = Store(there).replies(run).exchanges(("coder",))
    assert exchange.asked == ASKED


async def test_reports_of_a_backup_of_the_version_before_are_packed_as_those_of_this_one(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run = await filled(home)
    kept = Store(home).candidates.trials(run)
    Store(home).back_up(tmp_path / "kept")
    monkeypatch.setattr(backups, "MIGRATIONS", (*MIGRATIONS, statements("SELECT 1")))
    there = elsewhere(tmp_path, monkeypatch, "sqlite")
    Store(there).restore(tmp_path / "kept")
    assert Store(there).candidates.trials(run) == kept
    assert any(one.report is not None for one in kept)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.unlink(), "is not there"),
        (lambda file: file.write_bytes(b"no archive"), "is no whole backup"),
        (lambda file: file.write_bytes(file.read_bytes()[:-40]), "is no whole backup"),
        (lambda file: changed(file, lambda name, content: b"{}"), "is no backup of warpwright"),
        (
            lambda file: changed(
                file, lambda name, content: re.sub(rb'"version":\d+', b'"version":99', content)
            ),
            "newer warpwright",
        ),
    ],
)
async def test_what_is_no_whole_backup_is_refused_in_one_line_and_nothing_is_restored(
    spoil: Callable[[Path], None], said: str, tmp_path: Path
):
    home, file = Home(tmp_path / "home"), tmp_path / "kept"
    await filled(home)
    Store(home).back_up(file)
    spoil(file)
    there = Home(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=said):
        Store(there).restore(file)
    assert Store(there).list_runs() == []


def test_a_member_that_leads_elsewhere_is_refused(tmp_path: Path):
    home, file = Home(tmp_path / "home"), tmp_path / "kept"
    Store(home).back_up(file)
    with tarfile.open(file) as archive:
        members = [(one, archive.extractfile(one)) for one in archive]
        contents = [(one, b"" if found is None else found.read()) for one, found in members]
    with tarfile.open(file, "w:gz") as archive:
        for info, content in [*contents, (tarfile.TarInfo("runs/../../escaped"), b"x")]:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    with pytest.raises(UsageError, match="is no whole backup"):
        Store(Home(tmp_path / "elsewhere")).restore(file)
    assert not (tmp_path / "escaped").exists()
