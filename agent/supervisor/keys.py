"""Keys of model endpoints on their way to the supervisor: a file of the owner's alone, gone once read.

The supervisor may have been started by another server with another environment, and the store keeps no keys.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast

from agent.home import Home

_NAMES = ("WARPWRIGHT_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL")


def hand_over(home: Home, ticket: str, environment: Mapping[str, str] = os.environ) -> None:
    """Leave this process's keys for the job that holds a ticket."""
    path = _path(home, ticket)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = {name: environment[name] for name in _NAMES if environment.get(name)}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(kept, file)


def take(home: Home, ticket: str) -> dict[str, str] | None:
    """Return the keys that were left for a ticket, and remove them; None where none lie here."""
    path = _path(home, ticket)
    try:
        found: object = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    finally:
        forget(home, ticket)
    items = cast("dict[str, object]", found).items() if isinstance(found, dict) else ()
    return {name: value for name, value in items if isinstance(value, str)}


def forget(home: Home, ticket: str) -> None:
    """Remove keys that nobody took."""
    with suppress(OSError):
        _path(home, ticket).unlink(missing_ok=True)


def _path(home: Home, ticket: str) -> Path:
    return home.root / "keys" / f"{ticket}.json"
