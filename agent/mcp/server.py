"""The MCP server: the kernel tools and the search in one, over standard input and output."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Any

from mcp.server import MCPServer
from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, GetPromptResult, InputRequiredResult

from agent.home import Home
from agent.library import library
from agent.mcp import chat_prompts, completions, resources
from agent.mcp.access.discretion import Discretion
from agent.mcp.access.tenancy import caller_catalogue, tenant
from agent.mcp.completions import View
from agent.mcp.offer import Offer, offered
from agent.mcp.search_app import SearchApp, with_views
from agent.mcp.services import Services, open_services
from agent.mcp.stdin import interruptible_stdin
from agent.mcp.tasks_extension import SearchTasks
from agent.mcp.toolbox_extension import ToolboxExtension
from agent.store import Store
from agent.toolboxes import open_toolbox

_INSTRUCTIONS = """\
warpwright writes fast CUDA kernels and proves them correct.
To get a fast kernel: list_tasks, start_search, search_status until state is not "running", search_result.
To write it yourself: get_task shows what is asked and how a kernel file looks, device_info and list_features
what helps; then compile_kernel, test_kernel and profile_kernel, in that order, and benchmark_kernel at the end.
Where no task fits, create_task makes one.
An answer that holds a job is still being worked on: job_status brings it.
Every number carries its provenance. "estimated" comes from a cost model: never call it a measurement.\
"""


class KernelServer(MCPServer[Services]):
    """The library's server; a prompt that is none, or lacks an argument, is the client's mistake, not its own."""

    async def get_prompt(
        self,
        name: str,
        arguments: dict[str, Any] | None = None,
        context: Context[Services, Any] | None = None,
    ) -> GetPromptResult | InputRequiredResult:
        """Return a prompt, filled in; raise MCPError, not the library's ValueError, where it cannot be."""
        try:
            return await super().get_prompt(name, arguments, context)
        except ValueError as error:
            raise MCPError(INVALID_PARAMS, f"prompt {name[:100]}: {error}") from error


def build_server(  # noqa: PLR0913 - what a server is made of
    home: Home,
    device: str,
    base_url: str | None = None,
    token_verifier: TokenVerifier | None = None,
    auth: AuthSettings | None = None,
    offer: Offer | None = None,
    opened: Callable[[Services], None] = lambda _: None,
    workers: str | None = None,
) -> MCPServer[Services]:
    """Return a server; each time it is served it opens a toolbox of its own.

    Args:
        home: Where its runs are kept.
        device: What its tools and searches use.
        base_url: Endpoint of chat models; None for OpenAI's, or the one that the environment names.
        token_verifier: Knows who calls over HTTP; None where every caller is this machine's own person.
        auth: What callers are told of how to authenticate; given where `token_verifier` is.
        offer: What of all that is served; None for everything, to someone on this machine.
        opened: Is told of the toolbox and the searches once they are there.
        workers: The Ray cluster that judges; None for this machine's own pool.
    """
    offer = offer or Offer()

    @asynccontextmanager
    async def lifespan(_: MCPServer[Services]) -> AsyncGenerator[Services, None]:
        asked = open_services(home, device, base_url, workers=workers, tells_paths=offer.tells_paths)
        async with asked as services:
            opened(services)
            yield services

    server = KernelServer(
        "warpwright",
        title="warpwright: fast CUDA kernels, proven",
        instructions=_INSTRUCTIONS,
        version=version("warpwright"),
        lifespan=lifespan,
        tools=list[Tool](with_views(offered(offer))),
        middleware=[] if offer.tells_paths else [Discretion(home)],
        extensions=[ToolboxExtension(), SearchTasks(), SearchApp()],
        token_verifier=token_verifier,
        auth=auth,
        log_level="WARNING",
    )
    resources.register(server, library(home))
    chat_prompts.register(server)
    completions.register(server, lambda: View(Store(home, tenant()), caller_catalogue(home)))
    return server


@asynccontextmanager
async def required(home: Home, device: str, workers: str | None = None) -> AsyncGenerator[None, None]:
    """Raise here what in the server's task group would no longer be one clear message.

    Nothing is started but the connection to a cluster, which the server inside shares.

    Raises:
        UsageError: There is no such device, a newer version of warpwright wrote the runs of this home, or the
            cluster asks for no token, or not for this one.
        MissingDependencyError: This machine lacks the device, the compiler or its headers; or no node of the
            cluster has it, or nothing answers there.
    """
    toolbox = open_toolbox(device, None, home, workers=workers)
    Store(home)
    async with AsyncExitStack() as held:
        if workers is not None:
            await held.enter_async_context(toolbox)
        yield


async def serve_stdio(
    home: Home,
    device: str,
    base_url: str | None = None,
    offer: Offer | None = None,
    *,
    workers: str | None = None,
) -> None:
    """Serve until standard input, Ctrl-C or SIGTERM ends it. Leaves no worker behind; searches go on.

    Raises:
        UsageError: There is no such device.
        MissingDependencyError: This machine lacks the device, the compiler or its headers.
    """
    async with required(home, device, workers):
        end_input = interruptible_stdin()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end_input)
        await build_server(home, device, base_url, offer=offer, workers=workers).run_stdio_async()
