"""Suites of small tasks: searched by the composer, judged by a stand-in."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from agent.budget import SearchBudget
from agent.events import Event
from agent.home import Home
from agent.report.account import Figure
from agent.report.html import html
from agent.report.markdown import markdown
from agent.results import RunState, SearchRequest
from agent.store import Store
from agent.suites import record, running
from agent.suites.reading import read_suite
from agent.suites.record import KeptSuite, SuiteSearch
from sandbox.errors import MissingDependencyError, UsageError
from sandbox.verdict import Provenance
from tests.agent.search_fakes import FakeToolbox, write_task
from tools.tasks.suites import Suite, SuiteTask

UNIQUE = "import numpy as np\n\n\ndef reference(x, n):\n    return {'y': np.unique(x)}\n"


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """Two tasks that the composer can write, and one that it cannot."""
    folders = [write_task(tmp_path / "set" / name) for name in ("first", "second", "third")]
    for folder in folders:
        toml = folder / "task.toml"
        toml.write_text(toml.read_text().replace('"twice"', f'"{folder.name}"'))
    (folders[2] / "reference.py").write_text(UNIQUE)
    tasks = tuple(
        SuiteTask(str(folder), (speed, 2 * speed))
        for folder, speed in zip(folders, (2.0, 0.5, 8.0), strict=True)
    )
    return Suite("small", "Three small tasks.", tasks, ("a card", "another"))


def begun(suite: Suite, home: Home, seeds: int = 1, **more: object) -> KeptSuite:
    request = SearchRequest.model_validate({"task": "", "candidates": 2, "depth": 1, **more})
    return record.begin(suite, request, seeds, home)


def nobody(search: SuiteSearch, said: Event | str) -> None: ...


async def test_every_task_is_searched_and_what_the_composer_cannot_express_is_a_row_that_says_so(
    suite: Suite, home: Home, toolbox: FakeToolbox
):
    kept, said = begun(suite, home), list[str]()

    def listen(search: SuiteSearch, told: Event | str) -> None:
        if isinstance(told, str):
            said.append(told)

    await running.work(kept, home=home, at_once=2, listen=listen, toolbox=toolbox)
    account = read_suite(kept.record, home)
    first, second, third = account.rows
    assert [row.task for row in account.rows] == ["first", "second", "third"]
    assert (account.solved, first.verdict, first.state) == (2, "pass", "completed")
    assert first.speedup is not None
    assert first.speedup.value == pytest.approx(10.0)
    assert second.candidates == 2
    assert third.latency is None
    assert "the composer" in third.message
    assert said == [third.message]
    assert account.ours.geometric_mean == pytest.approx(100 ** (1 / 3))
    assert (account.ours.below_one, account.published[0].below_one) == (0, 1)
    assert account.published[1].geometric_mean == pytest.approx(4.0)
    assert [one.share for one in account.fast] == [pytest.approx(2 / 3)] * 6


async def test_several_seeds_are_several_searches_and_the_best_of_them_is_the_rows(
    suite: Suite, home: Home, toolbox: FakeToolbox
):
    kept = begun(suite, home, seeds=2)
    await running.work(kept, home=home, at_once=3, listen=nobody, toolbox=toolbox)
    account = read_suite(kept.record, home)
    first = account.rows[0]
    assert (account.seeds, len(first.runs), len(first.speedups)) == (2, 2, 2)
    assert first.candidates == first.first_round[0] == 4
    seeds = {Store(home).get_run(run).seed for run in first.runs}
    assert seeds == {1, 2}


@pytest.mark.parametrize("after", [1, 6, 14])
async def test_a_suite_that_was_cancelled_goes_on_where_it_stopped(
    suite: Suite, home: Home, toolbox: FakeToolbox, after: int
):
    kept, heard = begun(suite, home), list[Event | str]()

    def listen(search: SuiteSearch, said: Event | str) -> None:
        heard.append(said)
        if len(heard) == after:
            work.cancel()

    work = asyncio.create_task(running.work(kept, home=home, at_once=2, listen=listen, toolbox=toolbox))
    with pytest.raises(asyncio.CancelledError):
        await work
    again = record.find(kept.record.id, home)
    assert again is not None
    before = {one.task: one.run for one in again.record.searches if one.run is not None}
    await running.work(again, home=home, at_once=2, listen=nobody, toolbox=toolbox)
    account = read_suite(again.record, home)
    assert (account.solved, account.rows[0].candidates, account.rows[1].candidates) == (2, 2, 2)
    assert all(before[one.task] == one.run for one in again.record.searches if one.task in before)


async def test_a_finished_suite_searches_nothing_again(suite: Suite, home: Home, toolbox: FakeToolbox):
    kept = begun(suite, home)
    await running.work(kept, home=home, at_once=2, listen=nobody, toolbox=toolbox)
    heard: list[str] = []

    def listen(search: SuiteSearch, said: Event | str) -> None:
        heard.append(Path(search.task).name)

    checked = len(toolbox.checked)
    await running.work(kept, home=home, at_once=2, listen=listen, toolbox=toolbox)
    assert set(heard) == {"third"}, "only what could not be searched is tried again"
    assert len(toolbox.checked) == checked


async def test_what_every_search_lacks_ends_the_suite(
    suite: Suite, home: Home, toolbox: FakeToolbox, monkeypatch: pytest.MonkeyPatch
):
    for name in ("OPENAI_API_KEY", "WARPWRIGHT_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    kept = begun(suite, home, model="some-model")
    with pytest.raises(MissingDependencyError):
        await running.work(kept, home=home, at_once=1, listen=nobody, toolbox=toolbox)


async def test_money_is_divided_among_the_searches_and_never_promised_twice(
    suite: Suite, home: Home, toolbox: FakeToolbox
):
    kept = begun(suite, home, budget=SearchBudget(max_usd=3.0))
    await running.work(kept, home=home, at_once=2, listen=nobody, toolbox=toolbox)
    store = Store(home)
    runs = [store.get_run(one.run) for one in kept.record.searches if one.run is not None]
    promised = [run.request.budget.max_usd or 0 for run in runs]
    assert promised[:2] == [1.0, 1.0]
    assert all(share > 0 for share in promised)
    unfinished = [run.request.budget.max_usd or 0 for run in runs if run.state is not RunState.COMPLETED]
    assert sum(unfinished) <= 3.0


async def test_pages_say_what_the_account_says(suite: Suite, home: Home, toolbox: FakeToolbox):
    kept = begun(suite, home)
    await running.work(kept, home=home, at_once=2, listen=nobody, toolbox=toolbox)
    account = read_suite(kept.record, home)
    hostile = "<script>alert(1)</script> | `x`"
    row = account.rows[2].model_copy(update={"message": hostile})
    account = account.model_copy(update={"rows": (*account.rows[:2], row)})
    page, text = html(account), markdown(account)
    assert "<script" not in page
    for shown in (page, text):
        assert "10.00" in shown
        assert "estimated" in shown
        assert "another" in shown
        assert "other hardware" in shown
    assert "2 of 3 tasks have a correct kernel" in text
    table = [line for line in text.splitlines() if line.startswith("| first")]
    head = next(line for line in text.splitlines() if line.startswith("| task"))
    assert table[0].count("|") == head.count("|")
    assert json.loads(account.model_dump_json())["kind"] == "task_suite"


async def test_kernels_that_leave_a_library_room_are_named_with_what_bounds_them(
    suite: Suite, home: Home, toolbox: FakeToolbox
):
    account = read_suite(begun(suite, home).record, home)
    slow, fast = (
        Figure(value=value, unit="of roofline", provenance=Provenance.ESTIMATED) for value in (0.42, 0.61)
    )
    rows = tuple(
        row.model_copy(update={"roofline": roofline, "bottleneck": "l1"})
        for row, roofline in zip(account.rows, (slow, fast, None), strict=True)
    )
    account = account.model_copy(update={"rows": rows})
    for shown in (html(account), markdown(account)):
        assert "first 42% (bound by l1)" in shown
        assert "second 61% (bound" not in shown


def test_a_suite_before_its_first_search_has_an_account(suite: Suite, home: Home):
    account = read_suite(begun(suite, home).record, home)
    assert [row.state for row in account.rows] == ["waiting"] * 3
    assert (account.solved, account.passed) == (0, ())
    assert "waiting" in markdown(account)


async def test_a_task_that_was_changed_since_has_no_sizes_and_no_score(
    suite: Suite, home: Home, toolbox: FakeToolbox
):
    kept = begun(suite, home)
    await running.work(kept, home=home, at_once=2, listen=nobody, toolbox=toolbox)
    toml = Path(suite.tasks[0].task) / "task.toml"
    toml.write_text(toml.read_text().replace("4096", "8192"))
    first, second, _ = read_suite(kept.record, home).rows
    assert (first.shapes, second.shapes) == ((), ({"n": 4096},))
    assert first.latency is not None


def test_a_file_that_cannot_be_read_is_one_message(suite: Suite, home: Home):
    kept = begun(suite, home)
    (kept.folder / "suite.json").write_text("{}")
    with pytest.raises(UsageError, match=r"suite\.json cannot be read"):
        record.find(kept.record.id, home)


@pytest.mark.parametrize("name", ["", "fsr20", "../runs", "nothing-20260101-abc123"])
def test_what_is_no_suite_of_this_home_is_not_found(home: Home, name: str):
    assert record.find(name, home) is None
