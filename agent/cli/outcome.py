"""How a command ends: its exit status, and one message where it could not do its work."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Coroutine
from enum import IntEnum
from typing import NoReturn

import typer

from agent.home import named_home
from agent.telemetry import exporting
from sandbox.errors import UsageError, WarpwrightError
from sandbox.verdict import Verdict


class ExitStatus(IntEnum):
    """What the shell sees."""

    DONE = 0
    NOT_CORRECT = 1
    USAGE = 2
    LACKING = 3
    INTERRUPTED = 130
    TERMINATED = 143


def of_verdict(verdict: Verdict | None) -> ExitStatus:
    """Return the status for a verdict; `unsupported` and `undecided` say something of this machine only."""
    if verdict is Verdict.PASS:
        return ExitStatus.DONE
    lacking = verdict in {Verdict.UNSUPPORTED, Verdict.UNDECIDED}
    return ExitStatus.LACKING if lacking else ExitStatus.NOT_CORRECT


def conclude(
    action: Callable[[], Coroutine[None, None, ExitStatus]],
    *,
    as_json: bool,
    interrupted: Callable[[], str] = lambda: "interrupted",
) -> NoReturn:
    """Run a command's work to its end and exit.

    Args:
        action: The work; returns the status.
        as_json: Also say on standard output, as a JSON object, why the work could not be done.
        interrupted: What to say after Ctrl-C or SIGTERM.
    """
    try:
        with exporting():
            status = asyncio.run(_ended_by_sigterm(action()))
    except WarpwrightError as error:
        status = ExitStatus.USAGE if isinstance(error, UsageError) else ExitStatus.LACKING
        complain(str(error), status, as_json=as_json)
    except BrokenPipeError:
        raise
    except OSError as error:
        status = ExitStatus.LACKING
        complain(named_home().problem() or f"this machine refuses: {error}", status, as_json=as_json)
    except KeyboardInterrupt:
        status = ExitStatus.INTERRUPTED
        complain(interrupted(), status, as_json=as_json)
    except asyncio.CancelledError:
        status = ExitStatus.TERMINATED
        complain(interrupted(), status, as_json=as_json)
    raise typer.Exit(status)


def complain(message: str, status: ExitStatus, *, as_json: bool) -> None:
    """Say on standard error why a command ends early; where JSON is wanted, also on standard output."""
    typer.echo(f"warpwright: {message}", err=True)
    if as_json:
        typer.echo(json.dumps({"error": message, "exit_status": int(status)}))


async def _ended_by_sigterm(work: Coroutine[None, None, ExitStatus]) -> ExitStatus:
    """Let SIGTERM cancel the work as Ctrl-C does, so that workers are stopped and the store is closed."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await work
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
