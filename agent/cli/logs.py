"""What a server logs, on standard error: a line an event, plain or as JSON."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any


class OneLine(logging.Formatter):
    """Writes a record as one line, an exception as its last line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        said = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            said = f"{said}: {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
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
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told)


def log_lines(*, as_json: bool) -> None:
    """Have warnings and worse logged on standard error; whoever configures logging later changes nothing of it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine() if as_json else OneLine())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
