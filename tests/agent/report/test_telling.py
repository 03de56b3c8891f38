"""The account of a run: what the store holds, told without a contradiction."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agent.report.reading import read_account, read_run
from agent.report.telling import run_account
from agent.store import Store
from tests.agent.report.stored_search import search


@pytest.fixture
def run(store: Store, task_folder: Path) -> str:
    return search(store, task_folder, 12)


def test_an_account_is_a_pure_function_of_what_was_read(store: Store, run: str) -> None:
    stored = read_run(store, run)
    assert run_account(stored) == run_account(stored) == read_account(store, run)


def test_an_account_agrees_with_the_result_of_the_run(store: Store, run: str) -> None:
    account, result = read_account(store, run), store.get_result(run)
    assert result.best is not None
    assert account.best is not None
    assert account.best.latency is not None
    assert account.baseline is not None
    assert account.baseline.latency is not None
    assert (account.verdict, account.exploration) == (result.verdict, result.exploration)
    assert account.best.latency.value == result.best.latency_us
    assert account.baseline.latency.value == result.baseline_us
    assert account.best.sha == result.best.sha
    told = [(one.place, one.verdict, one.latency and one.latency.value) for one in account.candidates]
    assert told == [
        (f"{one.round}/{one.candidate}", one.verdict, one.latency_us) for one in result.candidates
    ]


def test_features_earn_in_an_account_what_they_earn_in_stats(store: Store, run: str) -> None:
    here = {one.feature: one for one in read_account(store, run).credit}
    everywhere = {one.feature: one for one in store.credits.earned()}
    assert set(here) == set(everywhere)
    for name, one in here.items():
        earned = everywhere[name]
        assert (one.tries, one.correct, one.improved) == (earned.tries, earned.correct, earned.improved)


def test_the_winning_path_leads_from_the_best_back_by_first_parents(store: Store, run: str) -> None:
    account = read_account(store, run)
    places = {one.place: one for one in account.candidates}
    assert account.best is not None
    place, path = account.best.place, set[str]()
    while place in places:
        path.add(place)
        place = next(iter(places[place].parents), "")
    assert {one.place for one in account.candidates if one.winning} == path


def test_best_so_far_never_rises_and_ends_at_the_best(store: Store, run: str) -> None:
    account = read_account(store, run)
    known = [one.best_so_far.value for one in account.candidates if one.best_so_far is not None]
    assert known == sorted(known, reverse=True)
    assert account.best is not None
    assert account.best.latency is not None
    assert known[-1] == account.best.latency.value


def test_budget_is_told_by_role_and_model(store: Store, run: str) -> None:
    (role,) = read_account(store, run).budget.roles
    assert (role.role, role.calls, role.tokens_in, role.tokens_out, role.usd) == ("coder", 1, 1000, 200, 0.25)


def test_the_roofline_is_of_the_task_as_it_was_and_missing_in_words(
    store: Store, run: str, task_folder: Path
) -> None:
    found = read_account(store, run).roofline
    assert found is not None
    assert found.points[-1].intensity == 4096 / 32768
    table = task_folder / "task.toml"
    table.write_text(table.read_text().replace("Twice", "Two times"))
    assert "was changed after this run" in read_account(store, run).no_roofline
    shutil.rmtree(task_folder)
    assert "is gone" in read_account(store, run).no_roofline
