"""Which of the tools a server offers: all of them, or the sets that its person chose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.mcp.background import job_tools
from agent.mcp.features import feature_tools
from agent.mcp.searches import search_tools
from tools.mcp import judge_tools, task_tools
from tools.mcp.tool import ReadableTool

SETS: dict[str, Callable[[], list[ReadableTool]]] = {
    "tasks": task_tools,
    "judge": lambda: [*judge_tools(), *job_tools(), *feature_tools()],
    "search": search_tools,
}
"""The tools by set, in the order in which they are listed."""
_NEEDED = ("list_tasks", "get_task")
"""What every set is about."""


@dataclass(frozen=True)
class Offer:
    """What of a server is served, and to whom.

    Attributes:
        sets: Which of `SETS`.
        read_only: Only what changes nothing: neither new tasks nor searches.
        tells_paths: Whether those who call are on this machine, and may know where files lie.
    """

    sets: tuple[str, ...] = tuple(SETS)
    read_only: bool = False
    tells_paths: bool = True


def offered(offer: Offer) -> list[ReadableTool]:
    """Return the tools of an offer; reading tasks is part of each."""
    chosen = [(name, tool) for name, tools in SETS.items() for tool in tools()]
    return [
        tool
        for name, tool in chosen
        if (name in offer.sets or tool.name in _NEEDED) and (tool.reads or not offer.read_only)
    ]
