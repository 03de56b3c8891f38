"""Completion of names in prompts and resource templates."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mcp.server import MCPServer
from mcp.types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from agent.mcp.services import Services
from agent.store import Store
from tools.tasks.catalogue import TaskCatalogue

_MOST = 100
_RUNS = 500


@dataclass(frozen=True)
class View:
    """What one caller may name."""

    store: Store
    catalogue: TaskCatalogue


def register(server: MCPServer[Services], view: Callable[[], View]) -> None:
    """Complete names for a server.

    Args:
        server: Which one.
        view: Returns what the caller may name; asked at every request, for no context reaches a completion.
    """

    @server.completion()
    async def complete(  # pyright: ignore[reportUnusedFunction]
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion:
        kind = argument.name
        if isinstance(ref, ResourceTemplateReference) and kind == "name":
            kind = "task"
        chosen = (context.arguments or {}) if context is not None else {}
        names = await asyncio.to_thread(_names, kind, argument.value, view(), chosen.get("run", ""))
        return _completion(names, argument.value)


def _names(kind: str, start: str, view: View, run: str) -> Iterable[str]:
    match kind:
        case "task":
            return view.catalogue.names()
        case "run":
            return [one.run for one in view.store.list_runs(_RUNS)]
        case "sha" if re.fullmatch(r"[0-9a-f]{0,64}", start, re.ASCII):
            return [sha for sha, _ in view.store.runs.kernels(start, _MOST + 1)]
        case "candidate":
            if all(run != one.run for one in view.store.list_runs(_RUNS)):
                return []
            return [f"{one.round}.{one.candidate}" for one in view.store.candidates.trials(run)]
        case _:  # kernels, and words of a person's own
            return []


def _completion(candidates: Iterable[str], start: str) -> Completion:
    found = [one for one in candidates if one.startswith(start)]
    return Completion(values=found[:_MOST], total=min(len(found), _RUNS), has_more=len(found) > _MOST)
