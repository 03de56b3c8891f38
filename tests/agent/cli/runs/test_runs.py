"""`runs` and `show`: the list as it changes, and who was built on whom."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import Result

from agent.cli import output
from agent.cli.runs.runs import watched
from agent.cli.searching.run_view import candidate_tree
from agent.home import Home
from agent.report.reading import read_account
from agent.store import RunSummary, Store
from tests.agent.report.stored_search import grow, search
from tests.agent.search_fakes import write_task

Warpwright = Callable[..., Result]


@pytest.fixture
def store(home: Path) -> Store:
    return Store(Home(home))


def test_a_shown_search_has_its_tree_with_the_winning_path(
    warpwright: Warpwright, store: Store, tmp_path: Path
) -> None:
    run = search(store, write_task(tmp_path / "twice"), 8)
    shown = warpwright("show", run).stdout
    account = read_account(store, run)
    assert "baseline 100.0 us (estimated)" in shown
    branches = [line for line in shown.splitlines() if "── " in line]
    assert len(branches) == len(account.candidates) == 8
    assert sum("wrong_result" in line for line in branches) == 1
    for one in account.candidates:
        (line,) = (line for line in branches if f"── {one.place} " in line)
        assert ", ".join(one.features) in line


def test_the_tree_of_a_large_search_is_its_winning_path_and_what_is_near(
    store: Store, home: Path, tmp_path: Path
) -> None:
    run = search(store, write_task(tmp_path / "twice"), 40)
    grow(Home(home).database, run, 50)
    out = io.StringIO()
    Console(file=out, width=160).print(candidate_tree(read_account(store, run)))
    assert out.getvalue().count("── ") <= 120
    assert "more candidates are in the table" in out.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
async def test_a_watched_list_is_shown_again_when_it_changed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    task, out = write_task(tmp_path / "twice"), io.StringIO()
    made = Console(file=out, force_terminal=terminal, width=160, height=30)
    monkeypatch.setattr(output, "console", lambda: made)
    looks: list[int] = []

    def read() -> list[RunSummary]:
        looks.append(len(looks))
        if len(looks) == 3:
            search(store, task, 2)
        return store.list_runs(20)

    first = search(store, task, 3)
    watching = asyncio.create_task(watched(read, look_s=0.01))
    while len(looks) < 6:
        await asyncio.sleep(0.01)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
    assert out.getvalue().count(first) == (3 if terminal else 2)  # a terminal keeps the last state


def test_a_list_is_watched_by_a_person_alone(warpwright: Warpwright) -> None:
    refused = warpwright("runs", "--watch", "--json")
    assert refused.exit_code == 2
    assert "--watch is for a person" in refused.stderr
