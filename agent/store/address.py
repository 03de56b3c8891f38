"""Where the database of runs is: a file of the home, or PostgreSQL where somebody says so."""

from __future__ import annotations

import os
from pathlib import Path

from agent.home import Home
from agent.settings_file import NAME, read_settings
from sandbox.errors import UsageError

VARIABLE = "WARPWRIGHT_DATABASE"
_SCHEMES = ("postgresql://", "postgres://")


def database_of(home: Home) -> Path | str:
    """Return the file of SQLite, or the address of a database of PostgreSQL.

    Raises:
        UsageError: What somebody gave is no such address.
    """
    if given := os.environ.get(VARIABLE):
        return _checked(given, VARIABLE)
    if given := read_settings(home, home.root).store.database:
        return _checked(given, f"{home.root / NAME}: database of [store]")
    return home.database


def _checked(given: str, source: str) -> str:
    if not given.startswith(_SCHEMES):
        kind = given.partition(":")[0][:20]
        raise UsageError(
            f"{source}: expected postgresql://USER@HOST/NAME, got something that begins with {kind!r};"
            " leave it out for a file in the home"
        )
    return given.replace("postgres://", "postgresql://", 1)
