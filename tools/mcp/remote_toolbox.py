"""The toolbox of another machine, over MCP: the agent here; compile, test and profile there."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Self, TypeVar, cast

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import INVALID_PARAMS, METHOD_NOT_FOUND, Request, Result

from sandbox.errors import MissingDependencyError, UsageError, WarpwrightError, WorkerDiedError
from tools.mcp.remote_calls import (
    PROTOCOL,
    About,
    AboutParams,
    AboutRequest,
    JobParams,
    JudgementRequest,
    JudgeParams,
    JudgeRequest,
    RemoteJudgement,
    WithdrawRequest,
)
from tools.order_problem import OrderProblem
from tools.sent_orders import REPORTS, sent
from tools.tasks.task import Task
from tools.toolbox import AnyOrder, Order, Toolbox

_RETRIES = 4
"""Of connecting, by httpx; nothing that reached the server is sent twice."""
_CONNECT_S = 10.0
_ANSWER_S = 60.0
_LARGEST_ANSWER = 64 * 1024 * 1024

R = TypeVar("R")
ResultT = TypeVar("ResultT", bound=Result)


class _LostError(Exception):
    """The server knows nothing of a judgement any more: it was started anew."""


@dataclass
class RemoteToolbox(Toolbox):
    """A toolbox that asks the server at `url`; usable once entered.

    Attributes:
        url: Of the server's MCP endpoint, `http://gpu-box:8000/mcp`.
        token: Sent as bearer token; None where the server asks for none.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    _about: About | None = None

    @property
    def device(self) -> str:
        """Name of the device in use there."""
        return self._known.device

    @property
    def isolation(self) -> str:
        """Name of the isolation in use there."""
        return self._known.isolation

    @property
    def _known(self) -> About:
        assert self._about is not None, "a remote toolbox is entered before it is used"
        return self._about

    async def do(self, order: Order[Task, R]) -> R:
        """Have an order carried out there and return its report; see `tools.toolbox.Toolbox`."""
        known = cast("AnyOrder[Task]", order)
        params = await asyncio.to_thread(sent, known, JudgeParams)
        read = REPORTS[known.kind].validate_python
        try:
            return read(await self._report(params))
        except _LostError:
            pass
        try:
            return read(await self._report(params))
        except _LostError as error:
            raise WorkerDiedError(f"the tools at {self.url} lost a judgement twice: {error}") from error

    async def aclose(self) -> None:
        """Nothing is held open between two calls."""

    async def __aenter__(self) -> Self:
        """Ask what judges there.

        Raises:
            UsageError: The address is none, the token is not accepted, or that server is not warpwright's, or of a
                version whose reports may be others.
            MissingDependencyError: Nothing answers there.
        """
        self._require_address()
        try:
            self._about = await self._ask(AboutRequest(params=AboutParams()), About)
            require_same(self.url, self._about.version)
        except WorkerDiedError as error:
            await self.aclose()
            msg = f"{error}; start it there with: warpwright serve --http"
            raise MissingDependencyError(msg) from error
        except WarpwrightError:
            await self.aclose()
            raise
        return self

    def _require_address(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            msg = (
                f"{self.url} is not the address of an MCP server: http://HOST:PORT/mcp was expected,"
                " or ssh://HOST"
            )
            raise UsageError(msg)

    async def _report(self, params: JudgeParams) -> dict[str, Any]:
        try:
            begun = await self._ask(JudgeRequest(params=params), RemoteJudgement)
        except MCPError as error:
            raise WorkerDiedError(f"the tools at {self.url} refuse: {error.message}") from error
        try:
            while begun.state == "working":
                job = JobParams(job=begun.job)
                try:
                    begun = await self._ask(JudgementRequest(params=job), RemoteJudgement)
                except MCPError as error:
                    raise _LostError(error.message) from error
        except asyncio.CancelledError:
            with suppress(WarpwrightError, MCPError):
                await asyncio.shield(
                    self._ask(WithdrawRequest(params=JobParams(job=begun.job)), RemoteJudgement)
                )
            raise
        if begun.report is None:
            raise (begun.problem or OrderProblem.WORKER).error(begun.message)
        return begun.report

    async def _ask(self, request: Request[Any, Any], kind: type[ResultT]) -> ResultT:
        """Send one request over a connection of its own.

        Raises:
            MCPError: The server refuses the request's parameters.
            UsageError: It refuses this client.
            WorkerDiedError: It gives no answer.
        """
        statuses: list[int] = []

        async def note(response: httpx2.Response) -> None:
            statuses.append(response.status_code)

        http = httpx2.AsyncClient(
            transport=httpx2.AsyncHTTPTransport(retries=_RETRIES),
            headers={} if self.token is None else {"authorization": f"Bearer {self.token}"},
            timeout=httpx2.Timeout(_ANSWER_S, connect=_CONNECT_S),
            event_hooks={"response": [note]},
        )
        try:
            async with (
                http,
                Client(
                    streamable_http_client(self.url, http_client=http, max_sse_event_size=_LARGEST_ANSWER),
                    mode=PROTOCOL,
                ) as client,
            ):
                return await client.session.send_request(request, kind)
        except MCPError as error:
            if error.code == INVALID_PARAMS:
                raise
            raise self._in_words(error, statuses[-1] if statuses else None) from error
        except BaseExceptionGroup as group:
            ours, rest = group.split(MCPError)
            if ours is not None and rest is None and len(ours.exceptions) == 1:
                error = _only(ours)
                if error.code == INVALID_PARAMS:
                    raise error from group
                raise self._in_words(error, statuses[-1] if statuses else None) from group
            _, unexpected = group.split((httpx2.TransportError, MCPError))
            if unexpected is not None:
                raise
            raise WorkerDiedError(f"no tools answer at {self.url}: {_first(group)}") from group

    def _in_words(self, error: MCPError, status: int | None) -> WarpwrightError:
        match status:
            case 401:
                said = "their token was not accepted" if self.token else "they ask for a token"
                return UsageError(
                    f"the tools at {self.url}: {said}; set WARPWRIGHT_TOOLS_TOKEN to one of theirs"
                )
            case 403 | 421:
                return UsageError(
                    f"the server at {self.url} does not answer to that name; there: serve --http --allow-host NAME"
                )
            case 404:
                return UsageError(f"no MCP server at {self.url}; the path is /mcp")
            case 429:
                return WorkerDiedError(
                    f"the tools at {self.url} are asked too often; their owner can allow more"
                )
            case _ if error.code == METHOD_NOT_FOUND:
                return UsageError(f"the MCP server at {self.url} lends no tools: it is not warpwright's")
            case _:
                return WorkerDiedError(f"the tools at {self.url} gave no answer: {error.message}")


def require_same(url: str, there: str) -> None:
    """Raise UsageError where another machine's version is not this one's, as far as reports depend on it."""
    here = version("warpwright")
    if there and there.split(".")[:2] != here.split(".")[:2]:
        raise UsageError(
            f"the tools at {url} are of warpwright {there}, and this is {here}: their reports may not be read here;"
            " install the same version on both"
        )


def _only(group: BaseExceptionGroup[Any]) -> MCPError:
    error = _first(group)
    assert isinstance(error, MCPError)
    return error


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    first: BaseException = group.exceptions[0]
    return _first(cast("BaseExceptionGroup[Any]", first)) if isinstance(first, BaseExceptionGroup) else first
