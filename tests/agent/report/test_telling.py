"""The account of a run: what the store holds, told without a contradiction."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agent.candidates import CandidatePlan, Submission
from agent.home import Home
from agent.report.html import html
from agent.report.markdown import markdown
from agent.report.reading import read_account, read_run
from agent.report.telling import run_account
from agent.store import Store
from tests.agent.report.stored_search import search
from tests.agent.store.kept_home import FIXTURES, unpack


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


@pytest.mark.parametrize(
    "kept", sorted(FIXTURES.glob("*.tar.xz")), ids=lambda kept: kept.name.partition(".")[0]
)
def test_runs_of_earlier_versions_have_reports(home: Home, kept: Path) -> None:
    unpack(kept, home)
    store = Store(home)
    for summary in store.list_runs():
        account = read_account(store, summary.run)
        assert account.run in html(account)
        assert account.task in markdown(account)
        assert {one.role for one in account.budget.roles} <= {"planner", "coder", "critic"}
        assert bool(account.budget.roles) == (account.model != "composer")


def test_a_candidate_that_copies_what_it_was_given_is_no_parent_of_itself(
    store: Store, run: str, task_folder: Path
) -> None:
    copied = store.kernels.keep(run, "a copy")
    store.candidates.add(run, Submission(9, 1, CandidatePlan(copied, ("x",), "why"), copied))
    account = read_account(store, run)
    assert (account.candidates[-1].place, account.candidates[-1].parents) == ("9/1", ())
    assert "9/1" in html(account)


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


def test_a_candidate_that_takes_something_away_says_so_where_others_name_features(
    store: Store, run: str
) -> None:
    account = read_account(store, run)
    first, *others = account.candidates
    taking = first.model_copy(update={"features": (), "origin": "1/4 without warp_shuffle_reduction"})
    assert (first.tried, taking.tried) == (first.features, (taking.origin,))
    told = account.model_copy(update={"candidates": (taking, *others)})
    assert html(told).count("1/4 without") == 4, "tree, its list, candidates, where they come from"
    assert "| 1/4 without warp_shuffle_reduction |" in markdown(told)
