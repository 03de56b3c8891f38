"""Backups: everything that is remembered of runs in one file, which either engine can be restored from.

A backup is a compressed archive of `backup.json`, of the rows of each table as JSON lines, all as of one moment, and
of the folders of kernels, tasks, features and suites. Checkpoints are left out: a search that is resumed without them
goes on from what is in the store. So are jobs, tokens and keys.
"""

from __future__ import annotations

import base64
import io
import json
import os
import tarfile
import tempfile
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Connection, LargeBinary, Table, func, insert, select
from sqlalchemy.dialects import sqlite

from agent.home import Home
from agent.store.database import Database
from agent.store.engines import follow_ids
from agent.store.files import write_atomically
from agent.store.migrations import MIGRATIONS, refuse_newer
from agent.store.tables import METADATA, Packed, jobs, runs
from sandbox.errors import UsageError

_MANIFEST = "backup.json"
_FOLDERS = ("runs", "tasks", "features", "suites")
_TABLES = tuple(table for table in METADATA.sorted_tables if table is not jobs)
_BATCH = 500
Row = Mapping[str, Any]


class Manifest(BaseModel):
    """What a backup says of itself; `home` is where its files lay, `version` the number of migrations behind it."""

    model_config = ConfigDict(frozen=True)
    version: int
    home: str
    created: float
    rows: dict[str, int]


@dataclass(frozen=True)
class BackupContent:
    """What a backup holds: runs, rows of all tables, and files."""

    runs: int
    rows: int
    files: int


def write_backup(home: Home, database: Database, file: Path) -> BackupContent:
    """Write a backup, while others may work; an earlier one of that name stays until this one is whole.

    Raises:
        StoreError: The database cannot be read.
        OSError: The file cannot be written.
    """
    with tempfile.TemporaryDirectory(dir=file.absolute().parent, prefix=".backup-") as folder:
        made = Path(folder) / "backup"
        with tarfile.open(made, "w:gz", compresslevel=6) as archive:
            rows, known = _write_tables(database, archive, Path(folder) / "rows")
            manifest = Manifest(version=len(MIGRATIONS), home=str(home.root), created=time.time(), rows=rows)
            _add(archive, _MANIFEST, manifest.model_dump_json().encode())
            files = sum(_add_file(archive, home, path) for path in _files(home, known))
        with open(made, "rb") as written:
            os.fsync(written.fileno())
        os.replace(made, file)
    return BackupContent(rows[runs.name], sum(rows.values()), files)


def restore_backup(home: Home, database: Database, file: Path) -> BackupContent:
    """Bring back what a backup holds, into a home and a database without runs; all rows in one transaction.

    Raises:
        UsageError: The file is no backup, or a newer version's, or there are runs already.
        StoreError: The database cannot be written.
    """
    with _opened(file) as archive:
        manifest = _manifest(archive, file)
        refuse_newer(manifest.version, len(MIGRATIONS))
        with database.read() as connection:
            _refuse_runs(connection, database.name)
        files = _extract(archive, home)
        with database.write(runs.name) as connection:
            _refuse_runs(connection, database.name)
            if manifest.version == len(MIGRATIONS):
                _load(connection, {table: _lines(archive, table.name) for table in _TABLES}, manifest, home)
            else:
                with _migrated(archive, manifest) as older:
                    _load(connection, {table: _rows(older, table) for table in _TABLES}, manifest, home)
            follow_ids(connection)
    return BackupContent(manifest.rows[runs.name], sum(manifest.rows.values()), files)


def _refuse_runs(connection: Connection, name: str) -> None:
    if connection.execute(select(func.count()).select_from(runs)).scalar_one():
        raise UsageError(
            f"{name} has runs already; restore into a new home, by WARPWRIGHT_HOME=FOLDER, or into an empty database"
        )


def _write_tables(
    database: Database, archive: tarfile.TarFile, scratch: Path
) -> tuple[dict[str, int], set[str]]:
    """Add the rows of every table, as of one moment; return how many there are, and which runs."""
    counts, known = dict[str, int](), set[str]()
    with database.read() as connection:
        for table in _TABLES:
            with open(scratch, "wb") as file:
                counts[table.name] = 0
                for row in _rows(connection, table):
                    file.write(json.dumps(row).encode() + b"\n")
                    counts[table.name] += 1
                    if table is runs:
                        known.add(row["id"])
            archive.add(scratch, _member(table.name))
    return counts, known


def _rows(connection: Connection, table: Table) -> Generator[Row, None, None]:
    """Return the rows of a table in the order in which they came, as JSON has them."""
    columns = [column for column in table.columns if column.name != "rowid"]
    order = [table.c.rowid] if "rowid" in table.c else list(table.primary_key)
    found = connection.execute(select(*columns).order_by(*order).execution_options(yield_per=_BATCH))
    binary = _binary(table)
    for row in found.mappings():
        yield {
            **row,
            **{name: base64.b64encode(row[name]).decode() for name in binary},
        }


def _load(
    connection: Connection, rows: Mapping[Table, Iterable[Row]], manifest: Manifest, home: Home
) -> None:
    for table in _TABLES:
        binary, left = _binary(table), iter(rows[table])
        while batch := list(islice(left, _BATCH)):
            changed = [
                {**row, **{name: base64.b64decode(row[name]) for name in binary}}
                if table is not runs
                else _moved(row, manifest, home)
                for row in batch
            ]
            connection.execute(insert(table), changed)


def _moved(row: Row, manifest: Manifest, home: Home) -> Row:
    """Return the row of a run as it is in another home: no process works on it, its task may lie elsewhere."""
    folder = Path(row["task_folder"])
    if folder.is_relative_to(manifest.home):
        folder = home.root / folder.relative_to(manifest.home)
    return {**row, "task_folder": str(folder), "pid": 0, "pid_started": "restored", "place": ""}


@contextmanager
def _migrated(archive: tarfile.TarFile, manifest: Manifest) -> Generator[Connection, None, None]:
    """Give the rows of an earlier version's backup in a database of this version."""
    with tempfile.TemporaryDirectory(prefix="warpwright-") as folder:
        path = Path(folder) / "earlier.db"
        earlier = Database(path, MIGRATIONS[: manifest.version])
        with earlier.write(runs.name) as connection:
            for name in manifest.rows:
                for row in _lines(archive, name):
                    values = [_stored(METADATA.tables[name], key, row[key]) for key in row]
                    columns, marks = ", ".join(f'"{key}"' for key in row), ", ".join("?" * len(row))
                    said = f"INSERT INTO {METADATA.tables[name].name} ({columns}) VALUES ({marks})"
                    connection.exec_driver_sql(said, tuple(values))
        with Database(path).read() as connection:
            yield connection


def _stored(table: Table, column: str, value: Any) -> Any:
    """Return what a file of SQLite holds for what a backup says; columns that are no more are as they were said."""
    kind = table.columns[column].type if column in table.columns else None
    if isinstance(kind, LargeBinary):
        return base64.b64decode(value)
    return kind.process_bind_param(value, sqlite.dialect()) if isinstance(kind, Packed) else value


def _binary(table: Table) -> list[str]:
    return [column.name for column in table.columns if isinstance(column.type, LargeBinary)]


def _member(table: str) -> str:
    return f"tables/{table}.jsonl"


def _lines(archive: tarfile.TarFile, table: str) -> Generator[Row, None, None]:
    found = archive.extractfile(_member(table))
    assert found is not None, "a backup has a file for each table that it names"
    for line in found:
        yield json.loads(line)


def _files(home: Home, known: set[str]) -> Generator[Path, None, None]:
    """Return the files to keep; of runs those that the rows know, which may have more by now."""
    for name in _FOLDERS:
        for path in sorted((home.root / name).rglob("*")):
            relative = path.relative_to(home.root)
            of_run = name != "runs" or (len(relative.parts) > 1 and relative.parts[1] in known)
            if of_run and path.is_file() and not path.name.endswith(".tmp"):
                yield path


def _add_file(archive: tarfile.TarFile, home: Home, path: Path) -> bool:
    try:
        _add(archive, str(path.relative_to(home.root)), path.read_bytes())
    except FileNotFoundError:  # a best kernel that failed after all
        return False
    return True


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = len(content), int(time.time()), 0o644
    archive.addfile(info, io.BytesIO(content))


@contextmanager
def _opened(file: Path) -> Generator[tarfile.TarFile, None, None]:
    try:
        with tarfile.open(file) as archive:
            yield archive
    except FileNotFoundError:
        raise UsageError(f"{file} is not there") from None
    except (tarfile.TarError, EOFError) as error:
        raise UsageError(f"{file} is no whole backup: {error}") from None


def _manifest(archive: tarfile.TarFile, file: Path) -> Manifest:
    try:
        found = archive.extractfile(_MANIFEST)
        manifest = Manifest.model_validate_json(b"" if found is None else found.read())
    except (KeyError, ValidationError):
        raise UsageError(
            f"{file} is no backup of warpwright: it says nothing of itself in {_MANIFEST}"
        ) from None
    names = {_member(table) for table in manifest.rows}
    unknown = manifest.rows.keys() - METADATA.tables.keys()
    if unknown or not names <= set(archive.getnames()):
        raise UsageError(
            f"{file} is no whole backup: it lacks tables, or has some that this version does not know"
        )
    return manifest


def _extract(archive: tarfile.TarFile, home: Home) -> int:
    """Write the files of a backup; those that are there already stay as they are."""
    written = 0
    for member in archive:
        if not member.isfile() or Path(member.name).parts[0] not in _FOLDERS:
            continue
        safe = tarfile.data_filter(member, str(home.root))  # raises where it would lead elsewhere
        path, found = home.root / safe.name, archive.extractfile(member)
        if not path.exists() and found is not None:
            write_atomically(path, found.read())
            written += 1
    return written
