"""The tables are described once: SQLite's have grown to be what PostgreSQL's are made as."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import Connection, LargeBinary, func, inspect, select, text, type_coerce, update

from agent.candidates import CandidatePlan, Submission
from agent.home import Home
from agent.results import RunState, SearchRequest
from agent.store import NewRun, Store
from agent.store.address import VARIABLE, database_of
from agent.store.database import Database
from agent.store.liveness import SILENT_S
from agent.store.migrations import MIGRATIONS, statements
from agent.store.records import dump_report
from agent.store.tables import METADATA, reports, runs
from sandbox.errors import MissingDependencyError, UsageError
from sandbox.verdict import Provenance, Verdict
from tests.postgres import cluster
from tools.reports import CheckReport

NEW = NewRun(SearchRequest(task="t"), "t", Path("/t"), "ab" * 32, "sim:h200", "process", "m", 7)


def columns(connection: Connection) -> dict[str, set[tuple[str, bool, bool]]]:
    """Return the columns of each table: name, whether never NULL, whether part of the key."""
    found = inspect(connection)
    return {
        table: {
            (one["name"], not one["nullable"] or one["name"] in keys, one["name"] in keys)
            for one in found.get_columns(table)
            for keys in [found.get_pk_constraint(table)["constrained_columns"]]
        }
        for table in METADATA.tables
    }


def indices(connection: Connection) -> set[str]:
    found = inspect(connection)
    return {str(index["name"]) for table in METADATA.tables for index in found.get_indexes(table)}


def test_a_file_and_a_database_of_postgresql_have_the_same_tables(home: Home):
    with Database(database_of(home)).read() as connection:
        found, named = columns(connection), indices(connection)
    assert named == {index.name for table in METADATA.tables.values() for index in table.indexes}
    described = {
        name: {(one.name, not one.nullable, one.primary_key) for one in table.columns}
        for name, table in METADATA.tables.items()
    }
    if database_of(home) == home.database:
        described = {name: {one for one in those if one[0] != "rowid"} for name, those in described.items()}
    assert found == described


def test_a_later_migration_changes_either_engine_once(home: Home):
    Store(home)
    later = (*MIGRATIONS, statements("ALTER TABLE runs ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue'"))
    address = database_of(home)
    store = Store(home, database=Database(address, later))
    run = store.create(NEW)
    with Database(address, later).read() as connection:
        said = connection.exec_driver_sql("SELECT colour FROM runs").scalars().all()
    assert (said, store.get_run(run).task) == (["blue"], "t")
    with pytest.raises(UsageError, match="newer warpwright"):
        Store(home)


def test_reports_that_lay_uncompressed_beside_their_candidates_are_read_as_they_were(home: Home):
    store = Store(home)
    run = store.create(NEW)
    report = CheckReport(Verdict.PASS, "t", "sim:h200", Provenance.ESTIMATED, "é" * 20_000)
    store.runs.keep_baseline(run, report)
    for number in (1, 2):
        submission = Submission(1, number, CandidatePlan(), f"{number}" * 64)
        store.candidates.add(run, submission)
        kept = report if number == 1 else None
        store.candidates.judge(run, submission.judged(Verdict.PASS, "").model_copy(update={"report": kept}))
    database = Database(database_of(home))
    with database.write("schema") as connection:
        as_before_version_8(connection, dump_report(report))
    again = Store(home)
    assert again.runs.baseline(run) == report
    assert [trial.report for trial in again.candidates.trials(run)] == [report, None]
    with database.read() as connection:
        size = connection.execute(
            select(func.length(type_coerce(reports.c.report, LargeBinary)))
        ).scalar_one()
    assert size < 1000, "it is compressed"


def as_before_version_8(connection: Connection, report: str) -> None:
    """Have the report of candidate 1 and of the baseline where the seventh migration left them."""
    for said in (
        "ALTER TABLE candidates ADD COLUMN report TEXT",
        "ALTER TABLE runs ADD COLUMN baseline TEXT",
        "DROP TABLE reports",
        "ALTER TABLE runs DROP COLUMN baseline_report",
        "DROP INDEX replies_by_model",
        "PRAGMA user_version = 7"
        if connection.dialect.name == "sqlite"
        else "UPDATE schema_version SET number = 7",
    ):
        connection.exec_driver_sql(said)
    connection.execute(text("UPDATE candidates SET report = :said WHERE candidate = 1"), {"said": report})
    connection.execute(text("UPDATE runs SET baseline = :said"), {"said": report})


def test_a_run_of_another_machine_is_known_by_when_it_was_last_heard(home: Home):
    store = Store(home)
    run = store.create(NEW)

    def beat(ago: float) -> None:
        with Database(database_of(home)).write(run) as connection:
            said = {"place": "elsewhere", "beat": time.time() - ago, "pid": 1, "pid_started": "1"}
            connection.execute(update(runs).where(runs.c.id == run), said)

    beat(SILENT_S / 2)
    assert store.get_run(run).state is RunState.RUNNING
    beat(SILENT_S * 2)
    assert store.get_run(run).state is RunState.INTERRUPTED
    store.runs.beat(run)
    assert store.get_run(run).state is RunState.RUNNING


@pytest.mark.parametrize("given", ["mysql://somewhere/runs", "/a/file.db"])
def test_an_address_that_is_none_is_refused_by_the_name_of_who_gave_it(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(VARIABLE, given)
    with pytest.raises(UsageError, match=rf"{VARIABLE}: expected postgresql://USER@HOST/NAME"):
        Store(Home(tmp_path))
    monkeypatch.delenv(VARIABLE)
    (tmp_path / "warpwright.toml").write_text(f'[store]\ndatabase = "{given}"\n')
    with pytest.raises(UsageError, match=r"warpwright.toml: database of \[store\]: expected postgresql:"):
        Store(Home(tmp_path))


def test_the_file_of_settings_names_the_database_too(tmp_path: Path):
    (tmp_path / "warpwright.toml").write_text(f'[store]\ndatabase = "{cluster().database()}"\n')
    home = Home(tmp_path)
    Store(home).create(NEW)
    assert len(Store(home).list_runs()) == 1
    assert not home.database.exists()


def test_a_password_is_in_no_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(VARIABLE, f"postgresql://ada:hidden@/runs?host={tmp_path}")
    with pytest.raises(Exception, match="cannot be used") as refused:
        Store(Home(tmp_path))
    assert "hidden" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_without_the_driver_the_message_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    monkeypatch.setenv(VARIABLE, "postgresql://ada@localhost/runs")
    with pytest.raises(MissingDependencyError, match=r"pip install 'warpwright\[postgres\]'"):
        Store(Home(tmp_path))
