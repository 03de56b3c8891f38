"""What workers are asked, told line by line on standard error where `WARPWRIGHT_TRACE=1` says so."""

from __future__ import annotations

import os
import sys

VARIABLE = "WARPWRIGHT_TRACE"


def trace(role: str, sent: int, received: int, seconds: float, failure: str = "") -> None:
    """Write one line for one request, if that is wanted.

    Args:
        role: Of the worker.
        sent: Bytes of the request.
        received: Bytes of the reply, as far as it came.
        seconds: Of wall time from the request to the reply.
        failure: The exception that there was instead of a reply; empty for none.
    """
    if os.environ.get(VARIABLE) != "1":
        return
    end = f", {failure}" if failure else ""
    line = f"trace: {role}: {sent} bytes sent, {received} bytes received, {seconds:.3f} s{end}\n"
    sys.stderr.write(line)
    sys.stderr.flush()
