"""The toolbox of another machine, over SSH: a server is started there, and spoken to on its standard streams.

The system's `ssh` does it, with the keys, names and jump hosts that its own configuration knows. Nothing listens
there and nothing is forwarded: whoever may log in there needs no token.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any, TypeVar
from urllib.parse import unquote, urlsplit

from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import INVALID_PARAMS, METHOD_NOT_FOUND, Request, Result

from sandbox.errors import MissingDependencyError, UsageError, WarpwrightError, WorkerDiedError
from tools.mcp.remote_calls import PROTOCOL
from tools.mcp.remote_toolbox import RemoteToolbox

SCHEME = "ssh://"
PROGRAM = "warpwright"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@:-]*")
"""Of a host or a person; one that begins with a hyphen would be an option of ssh."""
_CONNECT_S = 10
_START_S = 60.0
"""From the call of ssh to the first answer: the server's imports are in it."""
_ANSWER_S = 60.0
_KEPT = ("SSH_AUTH_SOCK", "SSH_AGENT_PID", "KRB5CCNAME")
_MISSING = ("not found", "no such file or directory", "no module named", "unknown command")
_SAID = 300

ResultT = TypeVar("ResultT", bound=Result)


@dataclass(frozen=True)
class SshAddress:
    """Where to log in, and what to start there.

    Attributes:
        host: A name, an address, or an alias of ssh's own configuration.
        user: None for the one that ssh takes.
        port: None for the one that ssh takes.
        program: The command there, by name or by its path.
    """

    host: str
    user: str | None = None
    port: int | None = None
    program: str = PROGRAM

    @classmethod
    def of(cls, url: str) -> SshAddress:
        """Read `ssh://[USER@]HOST[:PORT][/PATH/TO/warpwright]`.

        Raises:
            UsageError: It is no such address; passwords have no place in it.
        """
        try:
            parts = urlsplit(url)
            host, user, port = parts.hostname or "", parts.username, parts.port
        except ValueError:
            host, user, port, parts = "", None, None, urlsplit(SCHEME)
        named = all(_NAME.fullmatch(name) for name in (host, host if user is None else user))
        if not named or parts.password is not None or parts.query or parts.fragment:
            raise UsageError(
                "no address of a machine over SSH: ssh://[USER@]HOST[:PORT][/PATH/TO/warpwright] was expected"
            )
        return cls(host, user, port, unquote(parts.path) if parts.path not in ("", "/") else PROGRAM)

    @property
    def command(self) -> list[str]:
        """The arguments of `ssh`; it asks nothing of a person, for its input is the server's."""
        options = ["-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_S}"]
        options += ["-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"]
        options += [] if self.port is None else ["-p", str(self.port)]
        options += [] if self.user is None else ["-l", self.user]
        return [
            *options,
            "--",
            self.host,
            f"exec {shlex.quote(self.program)} serve --toolsets judge --read-only",
        ]


@dataclass
class SshToolbox(RemoteToolbox):
    """A toolbox that starts a server over SSH; usable once entered, and one connection is open until it is closed.

    Attributes:
        url: `ssh://[USER@]HOST[:PORT][/PATH/TO/warpwright]`.
    """

    _connection: _Connection | None = field(default=None, repr=False)

    def _require_address(self) -> None:
        SshAddress.of(self.url)

    async def aclose(self) -> None:
        """End the server there."""
        if self._connection is not None:
            await self._connection.aclose()
            self._connection = None

    async def _ask(self, request: Request[Any, Any], kind: type[ResultT]) -> ResultT:
        if self._connection is None or self._connection.ended:
            await self.aclose()
            self._connection = _Connection(self.url)
        try:
            client = await self._connection.client()
            async with asyncio.timeout(_ANSWER_S):
                return await client.session.send_request(request, kind)
        except TimeoutError:
            raise WorkerDiedError(
                f"the tools at {self.url} gave no answer within {_ANSWER_S:.0f} s"
            ) from None
        except MCPError as error:
            if error.code == INVALID_PARAMS:
                raise
            if error.code == METHOD_NOT_FOUND:
                raise UsageError(f"what answers at {self.url} lends no tools: {_UPGRADE}") from error
            raise WorkerDiedError(f"the tools at {self.url} gave no answer: {error.message}") from error


_UPGRADE = "install the same version of warpwright there as here"


class _Connection:
    """A server there and its client here, in a task of their own: whoever asks may be of any task."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._ending = asyncio.Event()
        self._task = asyncio.create_task(self._serve())

    @property
    def ended(self) -> bool:
        """Whether nothing can be asked of it any more."""
        return self._task.done()

    async def client(self) -> Client:
        """Return the client once it is connected.

        Raises:
            MissingDependencyError: There is no ssh here, or no warpwright there.
            WorkerDiedError: That machine is not reached.
        """
        return await asyncio.shield(self._client)

    async def aclose(self) -> None:
        """End the server there, and return once it has."""
        self._ending.set()
        with suppress(asyncio.CancelledError):
            await asyncio.wait({self._task})
        if self._client.done() and not self._client.cancelled():
            self._client.exception()  # looked at, so that asyncio does not complain of it

    async def _serve(self) -> None:
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
            try:
                await self._connected(said)
            except* (MCPError, OSError, TimeoutError) as group:
                if not self._client.done():
                    self._client.set_exception(self._in_words(group.exceptions[0], _last_words(said)))
            finally:
                if not self._client.done():
                    self._client.cancel()

    async def _connected(self, said: IO[str]) -> None:
        server = StdioServerParameters(
            command="ssh",
            args=SshAddress.of(self._url).command,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
        )
        async with Client(stdio_client(server, said), mode=PROTOCOL) as client:
            async with asyncio.timeout(_START_S):
                await client.list_tools()  # the first answer says that the server is there
            self._client.set_result(client)
            await self._ending.wait()

    def _in_words(self, error: BaseException, said: str) -> WarpwrightError:
        if isinstance(error, FileNotFoundError):
            return MissingDependencyError(f"{self._url} needs the program ssh, which is not installed here")
        if any(word in said.lower() for word in _MISSING):
            program = SshAddress.of(self._url).program
            return MissingDependencyError(
                f"there is no {program} at {self._url} ({said}): install it there, or name it by its path:"
                " ssh://HOST/opt/venv/bin/warpwright"
            )
        if isinstance(error, TimeoutError):
            return WorkerDiedError(f"the tools at {self._url} did not start within {_START_S:.0f} s: {said}")
        if isinstance(error, MCPError) and not said:
            return UsageError(f"what answers at {self._url} is no server of warpwright's: {_UPGRADE}")
        return MissingDependencyError(f"no tools start at {self._url}: {said or error}")


def _last_words(said: IO[str]) -> str:
    """Return the last line that ssh or the server said on standard error."""
    said.seek(0)
    lines = [line.strip() for line in said.read()[-10_000:].splitlines() if line.strip()]
    return lines[-1][:_SAID] if lines else ""
