"""A small store that is filled as the benchmark fills a large one: what is asked of it finds its rows by indices."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from agent.home import Home
from agent.store import Store
from agent.store.address import VARIABLE
from agent.store.credits import LATEST
from benchmarks.long_search import StandIn, Writer
from benchmarks.store_load import A_ROUND, keep_kernels, keep_replies, multiply, one_search, questions
from tests.postgres import cluster

RUNS, ROUNDS = 239, 2
"""With the run that was searched, 240: more than a search begins with the credit of."""
LARGE = ("candidates", "events", "replies", "model_calls")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Home]:
    home = Home(tmp_path_factory.mktemp("home"))
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "postgresql":
            patch.setenv(VARIABLE, cluster().database())
        run = asyncio.run(one_search(home, StandIn(), Writer()))
        keep_replies(home, run)
        keep_kernels(home, run, multiply(home, run, RUNS, ROUNDS)[:1])
        yield home


@contextmanager
def plans() -> Generator[list[str], None, None]:
    """Collect how the engine means to carry out what is asked inside, a line a step; it takes an index where it can."""
    found: list[str] = []

    def explain(connection: Connection, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        if not statement.lstrip().startswith(("SELECT", "WITH")):
            return
        beside = connection.connection.cursor()
        if connection.dialect.name == "sqlite":
            beside.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            found.extend(str(row[3]) for row in beside.fetchall())
        else:
            beside.execute("SET LOCAL enable_seqscan = off")
            beside.execute(f"EXPLAIN {statement}", parameters)
            found.extend(str(row[0]) for row in beside.fetchall())
        beside.close()

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", explain)


def reads_all(step: str) -> bool:
    """Whether a step reads all rows of a large table, as either engine says it."""
    words = step.replace("->", " ").split()
    if words[0] == "SCAN":
        return "INDEX" not in words and words[1] in (*LARGE, "its", "best", "runs")
    return "Seq Scan" in step and any(f" on {table} " in step for table in (*LARGE, "runs"))


def test_what_a_person_waits_for_reads_no_large_table_to_its_end(filled: Home) -> None:
    run = next(one.run for one in Store(filled).list_runs(RUNS + 1) if one.run.endswith("-1"))
    asked = questions(filled) | {
        "a kernel by its name": lambda _: Store(filled).runs.kernels("12345"),
        "how models wrote": lambda run: Store(filled).replies(run).writers(2),
    }
    for question, ask in asked.items():
        with plans() as steps:
            ask(run)
        assert steps, question
        assert [step for step in steps if reads_all(step)] == [], question


def test_lists_count_candidates_without_reading_them(filled: Home) -> None:
    with plans() as steps:
        listed = Store(filled).list_runs(20)
    assert {(one.candidates, one.rounds) for one in listed} == {(A_ROUND * ROUNDS, ROUNDS)}
    assert any(
        "candidates_by_verdict" in step and ("COVERING INDEX" in step or "Index Only Scan" in step)
        for step in steps
    ), steps


def test_what_is_shown_of_a_run_is_read_without_the_reports_of_all_its_candidates(filled: Home) -> None:
    run = next(one.run for one in Store(filled).list_runs(RUNS + 1) if one.run.endswith("-1"))
    result = Store(filled).get_result(run)
    assert len(result.candidates) == A_ROUND * ROUNDS
    assert {trial.report for trial in result.candidates} == {None}
    assert result.best is not None


def test_a_search_begins_with_the_credit_of_the_latest_runs_alone(filled: Home) -> None:
    credits_ = Store(filled).credits
    of_all, of_latest = (sum(one.tries for one in found) for found in (credits_.earned(), credits_.latest()))
    assert 0 < of_latest < of_all
    assert of_latest % LATEST == 0, "the latest runs are alike"


def test_how_models_wrote_is_known_from_the_latest_runs_before_a_search_and_from_its_own_rounds(
    filled: Home,
) -> None:
    newest = Store(filled).list_runs(1)[0].run
    replies = Store(filled).replies(newest)
    earlier = LATEST * A_ROUND * ROUNDS
    assert [replies.writers(before)["m"][0] for before in (1, 2, 3)] == [
        *(earlier, earlier + A_ROUND, earlier + 2 * A_ROUND)
    ]
    assert replies.variants(2)["plain"][0] == earlier + A_ROUND
    (oldest,) = (one.run for one in Store(filled).list_runs(RUNS + 1)[-1:])
    assert Store(filled).replies(oldest).writers(1) == {}
