"""What servers and supervisors log, on standard error: a line an event, plain or as JSON.

Warnings and worse by default; `WARPWRIGHT_LOG=info` adds everything that searches say, by run, round and candidate.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from sandbox.errors import UsageError

LEVEL, AS_JSON = "WARPWRIGHT_LOG", "WARPWRIGHT_LOG_JSON"
"""Environment variables: info or warning, and 1 for JSON; what a server starts inherits them."""
_LEVELS = {"": logging.WARNING, "warning": logging.WARNING, "info": logging.INFO}


def about(**ids: object) -> Mapping[str, Any]:
    """Return what `extra` of a call of a logger takes, for an event to be found by: run, round, candidate."""
    return {"ids": {name: value for name, value in ids.items() if value is not None}}


def _ids(record: logging.LogRecord) -> dict[str, Any]:
    return getattr(record, "ids", {})


class OneLine(logging.Formatter):
    """Writes a record as one line, an exception as its last line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        said = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            said = f"{said}: {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        said = " ".join([said, *(f"{name}={value}" for name, value in _ids(record).items())])
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{when}Z {record.levelname.lower()} {record.name}: {' '.join(said.split())}"


class JsonLine(logging.Formatter):
    """Writes a record as one line of JSON, an exception with its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        told: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        } | _ids(record)
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told)


def log_lines(*, as_json: bool) -> None:
    """Have it logged on standard error; whoever configures logging later changes nothing of it.

    Raises:
        UsageError: WARPWRIGHT_LOG is neither info nor warning.
    """
    wanted = os.environ.get(LEVEL, "").lower()
    if wanted not in _LEVELS:
        raise UsageError(f"{LEVEL}: expected info or warning, found {wanted!r}")
    if as_json:
        os.environ[AS_JSON] = "1"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine() if as_json else OneLine())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("agent").setLevel(_LEVELS[wanted])
