"""The schema of the run store as an ordered list of migrations; a database knows how many it has been through.

A file of SQLite goes through all of them. A database of PostgreSQL is made whole, as `agent.store.tables` says, and
goes through those that were added since: from the seventh on they must be SQL that both engines take.

Add one at the end for whatever changes; one that was released is never edited. `tests/agent/store/fixtures` keeps a
home as it was before each.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, inspect, text

from agent.store.tables import METADATA
from sandbox.errors import UsageError

_VERSION = "schema_version"
Migration = Callable[[Connection], None]
"""Takes a database from one version to the next, inside a transaction that holds the write lock."""


def statements(*texts: str) -> Migration:
    """Return a migration of these statements of SQL, in order."""

    def run(connection: Connection) -> None:
        for said in texts:
            connection.exec_driver_sql(said)

    return run


def version(connection: Connection) -> int:
    """Return how many migrations a database has been through; 0 for a new one, and for those before versions."""
    if connection.dialect.name == "sqlite":
        return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    if not inspect(connection).has_table(_VERSION):
        return 0
    return int(connection.exec_driver_sql(f"SELECT number FROM {_VERSION}").scalar_one())


def made_whole(connection: Connection) -> None:
    """Make the tables of a new database of PostgreSQL; nothing where they are there."""
    if version(connection) == 0:
        METADATA.create_all(connection, checkfirst=False)
        connection.exec_driver_sql(f"CREATE TABLE {_VERSION} (number INTEGER NOT NULL)")
        connection.exec_driver_sql(f"INSERT INTO {_VERSION} VALUES ({len(MIGRATIONS)})")


def migrate(connection: Connection, migrations: Sequence[Migration]) -> None:
    """Bring a database up to date; the connection holds its write lock.

    Raises:
        UsageError: It is newer than this list.
    """
    present = version(connection)
    refuse_newer(present, len(migrations))
    for migration in migrations[present:]:
        migration(connection)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA user_version = {len(migrations)}")
    else:
        connection.exec_driver_sql(f"UPDATE {_VERSION} SET number = {len(migrations)}")


def refuse_newer(present: int, known: int) -> None:
    """Raise UsageError where a database has been through more migrations than this version knows."""
    if present > known:
        msg = (
            f"the runs of this home were written by a newer warpwright (version {present} of the database, this one"
            f" knows {known}): upgrade warpwright, or use another home by WARPWRIGHT_HOME"
        )
        raise UsageError(msg)


def _before_versions(connection: Connection) -> None:
    """Make the tables that databases had before they were given versions, in whatever state they are."""
    for table in _TABLES:
        connection.exec_driver_sql(table)
    if all(column["name"] != "tenant" for column in inspect(connection).get_columns("runs")):
        connection.exec_driver_sql("ALTER TABLE runs ADD COLUMN tenant TEXT NOT NULL DEFAULT ''")


_TABLES = (
    """
    CREATE TABLE IF NOT EXISTS runs (
        id TEXT PRIMARY KEY,
        created REAL NOT NULL,
        request TEXT NOT NULL,
        task TEXT NOT NULL,
        task_folder TEXT NOT NULL,
        task_sha TEXT NOT NULL,
        device TEXT NOT NULL,
        isolation TEXT NOT NULL,
        model TEXT NOT NULL,
        seed INTEGER NOT NULL,
        state TEXT NOT NULL,
        stopped TEXT,
        error TEXT NOT NULL DEFAULT '',
        seconds REAL NOT NULL DEFAULT 0,
        pid INTEGER NOT NULL,
        pid_started TEXT NOT NULL,
        cancel_asked INTEGER NOT NULL DEFAULT 0,
        baseline TEXT,
        best_round INTEGER,
        best_candidate INTEGER,
        best_sha TEXT,
        tenant TEXT NOT NULL DEFAULT ''
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS candidates (
        run TEXT NOT NULL REFERENCES runs (id),
        round INTEGER NOT NULL,
        candidate INTEGER NOT NULL,
        parent TEXT,
        features TEXT NOT NULL,
        why TEXT NOT NULL,
        sha TEXT,
        identity TEXT,
        duplicate_of TEXT,
        lost INTEGER NOT NULL DEFAULT 0,
        verdict TEXT,
        message TEXT NOT NULL DEFAULT '',
        latency_us REAL,
        provenance TEXT NOT NULL DEFAULT 'estimated',
        speedup REAL,
        tune TEXT NOT NULL DEFAULT '{}',
        report TEXT,
        PRIMARY KEY (run, round, candidate)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS replies (
        run TEXT NOT NULL REFERENCES runs (id),
        round INTEGER NOT NULL,
        candidate INTEGER NOT NULL,
        role TEXT NOT NULL,
        prompt TEXT NOT NULL,
        text TEXT NOT NULL,
        tokens_in INTEGER NOT NULL,
        tokens_out INTEGER NOT NULL,
        PRIMARY KEY (run, round, candidate, role, prompt)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS events (
        run TEXT NOT NULL REFERENCES runs (id),
        number INTEGER NOT NULL,
        time REAL NOT NULL,
        event TEXT NOT NULL,
        PRIMARY KEY (run, number)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS jobs (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        request TEXT NOT NULL,
        device TEXT NOT NULL,
        tenant TEXT NOT NULL DEFAULT '',
        state TEXT NOT NULL,
        created REAL NOT NULL,
        run TEXT,
        answer TEXT,
        error TEXT NOT NULL DEFAULT '',
        pid INTEGER NOT NULL DEFAULT 0,
        pid_started TEXT NOT NULL DEFAULT '',
        beat REAL NOT NULL DEFAULT 0,
        cancel_asked INTEGER NOT NULL DEFAULT 0
    )
    """,
)
_STRATEGIES = statements(
    "ALTER TABLE runs ADD COLUMN strategy TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE runs ADD COLUMN kind TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE runs ADD COLUMN architecture TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE runs ADD COLUMN credit TEXT",
    "ALTER TABLE candidates ADD COLUMN other TEXT",
    "ALTER TABLE candidates ADD COLUMN origin TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE candidates ADD COLUMN used_features TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE candidates ADD COLUMN niche TEXT",
    "UPDATE candidates SET used_features = features",
    "CREATE INDEX candidates_by_sha ON candidates (run, sha)",
    "CREATE INDEX candidates_by_identity ON candidates (run, identity)",
    "CREATE INDEX candidates_by_latency ON candidates (run, latency_us) WHERE latency_us IS NOT NULL",
)
_MODEL_CALLS = statements(
    "ALTER TABLE replies ADD COLUMN finish TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE replies ADD COLUMN refusal TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE replies ADD COLUMN uses TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE replies ADD COLUMN tokens_cached INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE replies ADD COLUMN usd REAL",
    "ALTER TABLE replies ADD COLUMN model TEXT NOT NULL DEFAULT ''",
    """
    CREATE TABLE model_calls (
        id INTEGER PRIMARY KEY,
        run TEXT NOT NULL REFERENCES runs (id),
        model TEXT NOT NULL,
        tokens INTEGER NOT NULL,
        usd REAL,
        settled INTEGER NOT NULL DEFAULT 0
    )
    """,
    "CREATE INDEX model_calls_run ON model_calls (run)",
    """
    CREATE TABLE dialects (
        endpoint TEXT NOT NULL,
        model TEXT NOT NULL,
        dialect TEXT NOT NULL,
        PRIMARY KEY (endpoint, model)
    )
    """,
)
_QUESTIONS = statements(
    "ALTER TABLE replies ADD COLUMN variant TEXT NOT NULL DEFAULT ''",
    """
    CREATE TABLE messages (
        sha TEXT PRIMARY KEY,
        body BLOB NOT NULL
    )
    """,
    """
    CREATE TABLE questions (
        run TEXT NOT NULL REFERENCES runs (id),
        prompt TEXT NOT NULL,
        messages TEXT NOT NULL,
        tools TEXT,
        PRIMARY KEY (run, prompt)
    )
    """,
    """
    CREATE TABLE client_questions (
        run TEXT NOT NULL REFERENCES runs (id),
        id TEXT NOT NULL,
        asked TEXT NOT NULL,
        answer TEXT,
        PRIMARY KEY (run, id)
    )
    """,
)
_PLANS = statements(
    "ALTER TABLE candidates ADD COLUMN without TEXT NOT NULL DEFAULT '[]'",
    """
    CREATE TABLE approvals (
        run TEXT NOT NULL REFERENCES runs (id),
        round INTEGER NOT NULL,
        planned TEXT NOT NULL,
        answer TEXT,
        PRIMARY KEY (run, round)
    )
    """,
)
_PLACES = statements(
    "ALTER TABLE runs ADD COLUMN place TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE runs ADD COLUMN beat REAL NOT NULL DEFAULT 0",
    "ALTER TABLE jobs ADD COLUMN place TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX runs_by_created ON runs (created)",
)
_MANY = statements(
    # Lists count candidates by the index alone: a row holds a report, and most of it is read past otherwise.
    "CREATE INDEX candidates_by_verdict ON candidates (run, round, verdict)",
    "CREATE INDEX kernels_by_sha ON candidates (sha)",
    "CREATE INDEX best_by_sha ON runs (best_sha)",
    "CREATE INDEX jobs_by_state ON jobs (state, created)",
)


def _reports_apart(connection: Connection) -> None:
    """Give reports, twenty kilobytes of text each, a table of their own, compressed."""
    binary = "BLOB" if connection.dialect.name == "sqlite" else "BYTEA"
    key = "round INTEGER NOT NULL, candidate INTEGER NOT NULL"
    statements(
        f"CREATE TABLE reports (run TEXT NOT NULL REFERENCES runs (id), {key}, report {binary} NOT NULL,"
        " PRIMARY KEY (run, round, candidate))",
        f"ALTER TABLE runs ADD COLUMN baseline_report {binary}",
    )(connection)
    runs = connection.exec_driver_sql("SELECT id, baseline FROM runs").all()
    told = text("UPDATE runs SET baseline_report = :packed WHERE id = :run")
    kept = text(
        "INSERT INTO reports (run, round, candidate, report) VALUES (:run, :round, :candidate, :packed)"
    )
    of_run = text("SELECT round, candidate, report FROM candidates WHERE run = :run AND report IS NOT NULL")
    for run, baseline in runs:
        if baseline is not None:
            connection.execute(told, {"run": run, "packed": zlib.compress(baseline.encode())})
        rows = [
            {
                "run": run,
                "round": row.round,
                "candidate": row.candidate,
                "packed": zlib.compress(row.report.encode()),
            }
            for row in connection.execute(of_run, {"run": run})
        ]
        if rows:
            connection.execute(kept, rows)
    statements(
        "CREATE INDEX replies_by_model ON replies (run, round, candidate, role, model, variant)",
        "ALTER TABLE candidates DROP COLUMN report",
        "ALTER TABLE runs DROP COLUMN baseline",
    )(connection)


MIGRATIONS: tuple[Migration, ...] = (
    _before_versions,
    _STRATEGIES,
    _MODEL_CALLS,
    _QUESTIONS,
    _PLANS,
    _PLACES,
    _MANY,
    _reports_apart,
)
"""In order; a column more is one entry more: `statements("ALTER TABLE runs ADD COLUMN ...")`."""
