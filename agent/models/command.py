"""A program as the coder: it reads the question on standard input and prints an answer with a kernel file."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from langchain_core.messages import AIMessage, BaseMessage

from agent.home import Home
from agent.model_settings import ModelSettings
from agent.models.answerer import ChatQuestion
from agent.proposer import ProposalError
from agent.store.replies import Reply
from sandbox.errors import UsageError
from sandbox.isolation.own_folder import OwnFolder, own_folder

MOST_BYTES = 4 << 20
"""Of what it prints; a kernel file is a thousandth of that."""
_CHUNK = 1 << 16
_TOLD = 500
_LEFT_S = 5.0
_OURS = "WARPWRIGHT_"
_LAST_WORD = (
    "Print your answer on standard output: the whole kernel file in exactly one fenced ```cuda block."
)


@dataclass(frozen=True)
class CoderCommand:
    """One program, started anew for each question, in a folder of its own that is gone afterwards.

    Attributes:
        name: As lists of runs show it: never the arguments, which may hold secrets.
        argv: The program and its arguments.
        folder: How far it is kept to its folder.
        hidden: What it is not to see.
        writable: What it may change beside its folder.
        limit_s: How long it may take, in seconds.
        environment: What it is given of this process's.
    """

    name: str
    argv: tuple[str, ...]
    folder: OwnFolder
    hidden: tuple[Path, ...]
    writable: tuple[Path, ...]
    limit_s: float
    environment: Mapping[str, str]

    metered = False
    url = ""

    async def ask(self, question: ChatQuestion) -> Reply:
        """Start the program, give it the conversation so far, and return what it prints.

        Raises:
            ProposalError: It cannot be started, fails, takes too long or prints too much.
        """
        with tempfile.TemporaryDirectory(prefix="warpwright-coder-", ignore_cleanup_errors=True) as folder:
            words = self.folder.command(self.argv, Path(folder), self.hidden, self.writable)
            try:
                process = await asyncio.create_subprocess_exec(
                    *words, cwd=folder, env=dict(self.environment), start_new_session=True,
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                )  # fmt: skip
            except OSError as error:
                raise ProposalError(f"{self._called} cannot be started: {error.strerror or error}") from None
            try:
                async with asyncio.timeout(self.limit_s):
                    return await self._answer(process, _as_text(question))
            except TimeoutError:
                raise ProposalError(
                    f"{self._called} took longer than {self.limit_s:g} s; --model-timeout allows more"
                ) from None
            finally:
                await _end(process)

    @property
    def notice(self) -> str:
        """What a person should know before it runs; empty where it is kept to its folder."""
        if self.folder.program is not None:
            return ""
        return (
            f"{self._called} runs with all that you may do, not kept to a folder of its own: bubblewrap cannot start"
            f" here: {self.folder.reason}"
        )

    def could_not_be_read(self) -> None:
        """A program is asked in one way only."""

    @property
    def _called(self) -> str:
        return f"the coder's command {self.argv[0]!r}"

    async def _answer(self, process: asyncio.subprocess.Process, text: str) -> Reply:
        assert process.stdin is not None, "it was asked for"
        assert process.stdout is not None, "it was asked for"
        assert process.stderr is not None, "it was asked for"
        told = asyncio.create_task(_tell(process.stdin, text))
        complained = asyncio.create_task(_last(process.stderr))
        try:
            printed = await _all(process.stdout)
            if printed is None:
                raise ProposalError(f"{self._called} printed more than {MOST_BYTES >> 20} MiB")
            status = await process.wait()
            if status != 0:
                said = (await complained).strip()[-_TOLD:] or printed.strip()[-_TOLD:] or "nothing"
                raise ProposalError(f"{self._called} ended with status {status}, saying: {said}")
        finally:
            told.cancel()
            complained.cancel()
            await asyncio.wait({told, complained})
        return Reply(printed, finish="stop")


def open_command(settings: ModelSettings, home: Home, environment: Mapping[str, str]) -> CoderCommand:
    """Return the program that settings name as the coder.

    Raises:
        UsageError: The command cannot be read, its program is not there, or what it may change is not.
    """
    assert settings.coder_command is not None, "only opened where one is named"
    try:
        words = shlex.split(settings.coder_command)
    except ValueError as error:
        raise UsageError(f"--coder-command cannot be read: {error}") from None
    program = shutil.which(os.path.expanduser(words[0])) if words else None
    if program is None:
        raise UsageError(f"--coder-command: there is no program {words[0] if words else ''!r} on the PATH")
    writable = tuple(Path(path).expanduser().absolute() for path in settings.coder_writes)
    if missing := [str(path) for path in writable if not path.exists()]:
        raise UsageError(f"--coder-writes: {', '.join(missing)} is not there")
    return CoderCommand(
        name=settings.command_name or "",
        argv=(program, *words[1:]),
        folder=own_folder(),
        hidden=(home.root,),
        writable=writable,
        limit_s=settings.timeout_s,
        environment={name: value for name, value in environment.items() if not name.startswith(_OURS)},
    )


def _as_text(question: ChatQuestion) -> str:
    """Return a conversation as one text; a program that is started anew remembers nothing of it."""
    opening, later = question.messages[:2], question.messages[2:]
    parts = [str(message.text) for message in opening]
    parts += [f"{_heading(message)}\n\n{message.text}" for message in later]
    return "\n\n".join((*parts, _LAST_WORD)) + "\n"


def _heading(message: BaseMessage) -> str:
    return "# What you handed in" if isinstance(message, AIMessage) else "# What came back"


async def _tell(stdin: asyncio.StreamWriter, text: str) -> None:
    # A program may answer, or end, without having read it all.
    with suppress(BrokenPipeError, ConnectionResetError):
        stdin.write(text.encode())
        await stdin.drain()
        stdin.close()
        await stdin.wait_closed()


async def _all(stdout: asyncio.StreamReader) -> str | None:
    """Return all that is printed; None where that is too much."""
    printed = bytearray()
    while chunk := await stdout.read(_CHUNK):
        printed += chunk
        if len(printed) > MOST_BYTES:
            return None
    return printed.decode(errors="replace")


async def _last(stderr: asyncio.StreamReader) -> str:
    """Return the end of what is complained; the rest is let go."""
    said = b""
    while chunk := await stderr.read(_CHUNK):
        said = (said + chunk)[-_CHUNK:]
    return said.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill a program with all that it started in its session, or, where it is kept to its folder, anywhere."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    # A pipe that is not read to its end is never closed; what escaped its session may hold it open.
    with suppress(TimeoutError):
        async with asyncio.timeout(_LEFT_S):
            while process.stdout is not None and await process.stdout.read(_CHUNK):
                pass
            await process.wait()
