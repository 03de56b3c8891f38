"""Runs of earlier versions are listed, shown and gone on with; those of later ones are refused in one message."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.candidates import Trial
from agent.cli.app import app
from agent.home import Home
from agent.results import RunState, SearchResult, Stop
from agent.search.starting import resume_search
from agent.store import Store
from agent.store.database import Database
from agent.store.failures import StoreError
from agent.store.migrations import MIGRATIONS, statements
from sandbox.errors import UsageError
from sandbox.verdict import Verdict
from tests.agent.model_server import serving
from tests.agent.store.kept_home import FIXTURES, reply, unpack
from tests.exhaustive import EXHAUSTIVE

KEPT = sorted(FIXTURES.glob("before_version_*.tar.xz"))
RESUMED = KEPT if EXHAUSTIVE else [KEPT[0], KEPT[-1]]
"""Homes whose searches go on; all of them get the same schema, and are listed and shown."""
ROOT = Path(__file__).parents[3]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Files have grown by migrations; what PostgreSQL is made of is held beside them below."""
    return Home(tmp_path / "home")


def name_of(kept: Path) -> str:
    return kept.name.partition(".")[0]


@pytest.fixture(params=KEPT, ids=name_of)
def kept(request: pytest.FixtureRequest, home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("WARPWRIGHT_HOME", str(home.root))
    unpack(request.param, home)
    return home


def warpwright(*words: str) -> Result:
    return CliRunner().invoke(app, words, prog_name="warpwright")


def version(home: Home) -> int:
    with closing(sqlite3.connect(home.database)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def columns(path: Path) -> dict[str, list[tuple[str, str, int, str | None, int]]]:
    """Return the columns of each table: name, type, whether never NULL, default, place in the key."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        return {
            table: sorted(row[1:] for row in connection.execute(f"PRAGMA table_info({table})"))
            for table in tables
        }


def interrupted(home: Home, model: str) -> str:
    (found,) = (
        one for one in Store(home).list_runs() if (one.state, one.model) == (RunState.INTERRUPTED, model)
    )
    return found.run


def lines(trials: list[Trial]) -> set[tuple[tuple[int, int], Verdict, str | None, float | None]]:
    return {(trial.place, trial.verdict, trial.sha, trial.latency_us) for trial in trials}


def test_there_is_a_home_of_the_version_before_each_migration() -> None:
    assert [kept.name for kept in KEPT] == [
        f"before_version_{number}.tar.xz" for number in range(1, len(MIGRATIONS) + 1)
    ]


def test_an_earlier_home_gets_the_schema_of_a_new_one(kept: Home, tmp_path: Path) -> None:
    Store(kept)
    new = Home(tmp_path / "new")
    Store(new)
    assert version(kept) == version(new) == len(MIGRATIONS)
    assert columns(kept.database) == columns(new.database)


def test_the_runs_of_an_earlier_home_are_listed_and_shown(kept: Home) -> None:
    listed = json.loads(warpwright("runs", "--json").stdout)
    assert sorted(line["state"] for line in listed) == ["completed", "interrupted", "interrupted"]
    (ended,) = (line for line in listed if line["state"] == "completed")
    assert (ended["candidates"], ended["rounds"], ended["provenance"]) == (2, 1, "estimated")
    for line in listed:
        shown = warpwright("show", line["run"])
        assert shown.exit_code == 0, shown.output
        assert line["state"] in shown.stdout
    result = SearchResult.model_validate_json(warpwright("show", ended["run"], "--json").stdout)
    assert [trial.verdict for trial in result.candidates] == [Verdict.PASS, Verdict.PASS]
    assert result.best is not None
    assert result.best.latency_us == ended["best_latency_us"] == pytest.approx(result.baseline_us, rel=0.01)
    assert Path(result.best.path).is_file()
    again = json.loads(warpwright("resume", ended["run"], "--json").stdout)
    assert again["best"]["sha"] == result.best.sha


@pytest.mark.parametrize("kept", RESUMED, ids=name_of, indirect=True)
async def test_an_earlier_search_of_the_composer_goes_on_where_it_was_killed(
    kept: Home, caplog: pytest.LogCaptureFixture
) -> None:
    run, store = interrupted(kept, "composer"), Store(kept)
    before = store.candidates.trials(run)
    result = await resume_search(run, home=kept)
    assert (result.verdict, result.stopped, store.get_run(run).state) == (
        Verdict.PASS,
        Stop.DEPTH,
        RunState.COMPLETED,
    )
    assert len(before) == 1
    assert len(result.candidates) == 2
    assert lines(before) < lines(result.candidates), "what was judged stays as it was"
    assert caplog.records == []


@pytest.mark.parametrize("kept", RESUMED, ids=name_of, indirect=True)
async def test_an_earlier_search_of_a_model_goes_on_and_asks_for_nothing_that_was_written(
    kept: Home, caplog: pytest.LogCaptureFixture
) -> None:
    run, store = interrupted(kept, "some-model"), Store(kept)
    before = store.candidates.trials(run)
    written = store.candidates.unjudged(run, 2)
    with serving(lambda question: reply("  if (i < n) out[i] = y[i] + x[i];\n")) as server:
        with closing(sqlite3.connect(kept.database)) as connection, connection:
            connection.execute("UPDATE runs SET request = json_set(request, '$.base_url', ?)", (server.url,))
        result = await resume_search(run, home=kept)
    assert [question.role for question in server.asked] == ["coder"]
    assert lines(before) < lines(result.candidates)
    (waiting,) = written
    assert (waiting.round, waiting.sha) in [(one.round, one.sha) for one in result.candidates]
    assert [record for record in caplog.records if record.name.startswith("langgraph")] == []
    assert (result.verdict, len(result.candidates), store.get_run(run).state) == (
        Verdict.PASS,
        4,
        RunState.COMPLETED,
    )


def test_a_column_more_is_one_migration_more(kept: Home) -> None:
    Store(kept)
    later = (
        *MIGRATIONS,
        statements("ALTER TABLE runs ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue'"),
        statements(
            "ALTER TABLE candidates ADD COLUMN colours TEXT NOT NULL DEFAULT '[]'",
            "ALTER TABLE replies ADD COLUMN seconds REAL",
            "ALTER TABLE events ADD COLUMN colour TEXT",
            "CREATE TABLE rounds (run TEXT NOT NULL, round INTEGER NOT NULL, PRIMARY KEY (run, round))",
        ),
    )
    store = Store(kept, database=Database(kept.database, later))
    assert version(kept) == len(later)
    with closing(sqlite3.connect(kept.database)) as connection:
        assert connection.execute("SELECT DISTINCT colour FROM runs").fetchall() == [("blue",)]
    for line in store.list_runs():
        assert store.candidates.trials(line.run)
        assert store.events_since(line.run)
        assert store.runs.baseline(line.run) is not None
        entry = store.events_since(line.run)[-1]
        assert store.event_log.append(entry.event) == entry.number + 1


def test_a_database_from_before_tenants_is_opened_too(home: Home) -> None:
    Database(home.database, MIGRATIONS[:1])
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute("ALTER TABLE runs DROP COLUMN tenant")
        connection.execute("PRAGMA user_version = 0")
    assert Store(home).list_runs() == []
    assert Store(home).seen_by("ada").list_runs() == []


def test_a_migration_that_fails_leaves_the_database_as_it_was(home: Home) -> None:
    Store(home)
    broken = (*MIGRATIONS, statements("ALTER TABLE runs ADD COLUMN colour TEXT", "DROP TABLE nothing"))
    before = columns(home.database)
    with pytest.raises(StoreError, match="nothing"):
        Database(home.database, broken)
    assert (version(home), columns(home.database)) == (len(MIGRATIONS), before)


def test_processes_that_open_a_new_home_at_a_time_make_its_database_once(home: Home) -> None:
    code = (
        "import sys; from pathlib import Path; from agent.home import Home; from agent.store import Store\n"
        "print(len(Store(Home(Path(sys.argv[1]))).list_runs()))"
    )
    command = [sys.executable, "-c", code, str(home.root)]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert version(home) == len(MIGRATIONS)


@pytest.mark.parametrize("words", [("runs",), ("show", "x"), ("optimize", "relu"), ("serve",)])
def test_a_home_of_a_later_version_is_refused_in_one_message(
    words: tuple[str, ...], home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARPWRIGHT_HOME", str(home.root))
    Store(home)
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(UsageError, match="newer warpwright"):
        Store(home)
    refused = warpwright(*words)
    assert refused.exit_code == 2
    assert "newer warpwright" in refused.output
    assert "upgrade warpwright" in refused.output
    assert "Traceback" not in refused.output
