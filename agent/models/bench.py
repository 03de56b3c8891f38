"""What a coder may use before it hands in: the kernel tools as MCP serves them, the library, and earlier kernels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from mcp import Client
from mcp.server import MCPServer
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel, ConfigDict

from agent.home import Home
from agent.library import features_against
from agent.models.feedback import feedback, short
from agent.proposer import WriteContext
from agent.store import Store
from sandbox.errors import UsageError
from tools.mcp.named_orders import NamedOrder
from tools.mcp.registration import judge_tools
from tools.progress import Account
from tools.reports import CheckReport
from tools.tasks.catalogue import TaskCatalogue
from tools.toolbox import Toolbox

OFFERED = ("compile_kernel", "test_kernel", "profile_kernel", "device_info")
"""Of the tools that MCP serves; a coder has one task, and the search does the rest."""
_LONGEST = 12_000
_PAGES = {
    "name": "read_features",
    "description": "Read the pages of up to four optimisation techniques of the library, by name.",
    "parameters": {
        "type": "object",
        "properties": {"names": {"type": "array", "items": {"type": "string"}, "maxItems": 4}},
        "required": ["names"],
    },
}
_KERNELS = {
    "name": "read_kernel",
    "description": "Read an earlier kernel of this search, by the short name that the history gives, and its report.",
    "parameters": {
        "type": "object",
        "properties": {"name": {"type": "string", "minLength": 4}},
        "required": ["name"],
    },
}


@cache
def _offered() -> tuple[Tool, ...]:
    """Return those tools; their schemas take longer to make than all else that a scripted candidate takes."""
    return tuple(one for one in judge_tools() if one.name in OFFERED)


class ToolAnswer(BaseModel):
    """What a tool says to a coder.

    Attributes:
        text: As the model reads it.
        verdict: On the kernel that the tool was given; empty where it gives none.
    """

    model_config = ConfigDict(frozen=True)
    text: str
    verdict: str = ""


@dataclass(frozen=True)
class RunBench:
    """What the searches' tools need of a run."""

    run: str
    store: Store
    home: Home
    toolbox: Toolbox

    @property
    def catalogue(self) -> TaskCatalogue:
        """The tasks that can be named; the coder's own is."""
        return TaskCatalogue(self.home.tasks)

    @property
    def devices(self) -> Sequence[str]:
        """The run's own."""
        return (self.toolbox.device,)

    @property
    def judged(self) -> MutableMapping[str, CheckReport]:
        """Nobody drafts tasks here."""
        return {}

    async def toolbox_of(self, device: str) -> Toolbox:
        """Return the run's own, whatever device is named."""
        return self.toolbox

    async def go_on_later(
        self, order: NamedOrder, device: str, work: asyncio.Task[Any], account: Account
    ) -> str:
        """Refuse: a coder's turn has no background."""
        work.cancel()
        raise UsageError("it takes too long for a turn: make the kernel do less work, or hand it in")

    def used(self, task: str) -> bool:
        """The run uses its task."""
        return True

    def features_against(self, bottleneck: str) -> list[str]:
        """See `HasToolbox`."""
        return features_against(bottleneck)

    @asynccontextmanager
    async def open(self, context: WriteContext) -> AsyncGenerator[CoderTools, None]:
        """Give the tools of one coder."""

        @asynccontextmanager
        async def lifespan(_: MCPServer[RunBench]) -> AsyncGenerator[RunBench, None]:
            yield self

        server = MCPServer[RunBench]("coder", lifespan=lifespan, tools=list(_offered()), log_level="ERROR")
        async with Client(server) as client:
            kernel_tools = [
                {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
                for tool in _offered()
            ]
            yield CoderTools(self, context, client, (*kernel_tools, _PAGES, _KERNELS))


@dataclass(frozen=True)
class CoderTools:
    """The tools of one coder, for its task alone.

    Attributes:
        about: Name, description and JSON schema of the arguments of each.
    """

    bench: RunBench
    context: WriteContext
    client: Client
    about: tuple[Mapping[str, Any], ...]

    @property
    def schemas(self) -> tuple[Mapping[str, Any], ...]:
        """The tools as chat endpoints take them."""
        return tuple({"type": "function", "function": dict(one)} for one in self.about)

    async def use(self, name: str, arguments: Mapping[str, Any]) -> ToolAnswer:
        """Use a tool; what goes wrong is an answer too."""
        match name:
            case "read_features":
                return ToolAnswer(text=self._pages(arguments.get("names")))
            case "read_kernel":
                return ToolAnswer(text=self._kernel(str(arguments.get("name", ""))))
            case _ if name in OFFERED:
                return await self._served(name, arguments)
            case _:
                known = ", ".join(str(one["name"]) for one in self.about)
                return ToolAnswer(text=f"there is no tool {name[:80]!r}; there are {known}")

    async def _served(self, name: str, arguments: Mapping[str, Any]) -> ToolAnswer:
        """Use one of MCP's own; whatever task is named, the coder's is meant."""
        given = dict(arguments)
        if name != "device_info":
            given["task"] = str(self.context.task.folder)
        result = await self.client.call_tool(name, given)
        assert isinstance(result, CallToolResult), "these tools ask nothing back"
        text = "\n".join(part.text for part in result.content if isinstance(part, TextContent))
        told: Mapping[str, Any] = result.structured_content or {}
        text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} [...]"
        return ToolAnswer(text=text, verdict=str(told.get("verdict", "")))

    def _pages(self, names: object) -> str:
        known = {page.name: page.text for page in self.context.library}
        wanted = [str(name) for name in cast("list[object]", names)] if isinstance(names, list) else []
        pages = [known[name] for name in wanted[:4] if name in known]
        return "\n".join(pages) or f"there is no such page; there are {', '.join(known)}"

    def _kernel(self, name: str) -> str:
        for trial in reversed(self.context.history):
            if trial.sha is not None and len(name) >= 4 and trial.sha.startswith(name):
                text = self.bench.store.kernels.read(self.bench.run, trial.sha)
                return f"{text}\n{feedback(trial, text)}"[:_LONGEST]
        shas = dict.fromkeys(short(one.sha) for one in self.context.history if one.sha is not None)
        return f"there is no kernel {name[:80]!r}; there are {', '.join(shas) or 'none yet'}"
