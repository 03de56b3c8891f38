"""What databases refuse, as one clear message each."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from sandbox.errors import WarpwrightError


class StoreError(WarpwrightError):
    """The database of runs cannot be used; what was not committed before is not there, and nothing is by halves."""


@contextmanager
def told(name: str, folder: str | None = None) -> Generator[None, None, None]:
    """Raise StoreError for what a database refuses meanwhile.

    Args:
        name: Of the database, without its password.
        folder: Of a database that is a file.
    """
    try:
        yield
    except IntegrityError:  # a bug of ours, whatever the database
        raise
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise refusal(error, name, folder) from error


def refusal(error: Exception, name: str, folder: str | None) -> StoreError:
    """Return what to say of an error of a database or its driver."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(cause, sqlite3.Error):
        return StoreError(_of_file(cause, name, folder or name))
    said = next((line.strip() for line in str(cause).splitlines() if line.strip()), type(cause).__name__)
    if getattr(cause, "sqlstate", None) == "53100":
        return StoreError(
            f"the disk of the database {name} is full; nothing was written by halves: make room"
        )
    return StoreError(f"the database {name} cannot be used: {said}")


def _of_file(cause: sqlite3.Error, name: str, folder: str) -> str:
    said = {
        sqlite3.SQLITE_READONLY: f"cannot be written: it or its folder is read-only; make {folder} writable, or set"
        " WARPWRIGHT_HOME to a folder that is",
        sqlite3.SQLITE_CANTOPEN: f"cannot be opened: the folder {folder} lacks it, or may not be written",
        sqlite3.SQLITE_FULL: f"cannot grow: the disk of {folder} is full; nothing was written by halves: make room",
        sqlite3.SQLITE_IOERR: f"cannot be read or written: {folder} refuses, or its disk is full; nothing was written"
        " by halves",
        sqlite3.SQLITE_BUSY: "is held by another process, and stayed so for a minute",
        sqlite3.SQLITE_CORRUPT: "is damaged; bring back a backup by: warpwright restore FILE",
        sqlite3.SQLITE_NOTADB: "is no database; bring back a backup by: warpwright restore FILE",
    }
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    return f"the database {name} {said.get(code, f'cannot be used: {cause}')}"
