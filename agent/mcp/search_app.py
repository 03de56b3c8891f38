"""The search inside a chat (MCP Apps): in hosts that render views, a search's tools show its report as it grows.

The view is one HTML file with nothing to fetch. What it shows comes with the tools' own answers, in `_meta`, which
models do not read; a client that offers no views gets the same answers without.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

from mcp.server.apps import APP_MIME_TYPE, Apps, client_supports_apps
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver.resources import FunctionResource
from mcp.types import CallToolRequestParams, CallToolResult

from agent.mcp.services import Services
from sandbox.verdict import Provenance
from tools.mcp.benchmarks import CompareAnswer
from tools.mcp.tool import ReadableTool

if TYPE_CHECKING:
    from agent.report.account import Figure

URI = "ui://warpwright/search.html"
VIEW = "warpwright/view"
"""The key in an answer's `_meta` under which the view finds what it shows."""
_SHOWN = ("about", "progress", "tree", "time")
_OF_RUNS = ("start_search", "search_status", "search_result")
_BOUND = (*_OF_RUNS, "compare_kernels")
_META = {"ui": {"resourceUri": URI}, "ui/resourceUri": URI}  # hosts of earlier drafts read the flat key
_Ctx = ServerRequestContext[Any, Any]


def with_views(tools: list[ReadableTool]) -> list[ReadableTool]:
    """Bind to the view those of the tools that it shows."""
    for tool in tools:
        if tool.name in _BOUND:
            tool.meta = {**(tool.meta or {}), **_META}
    return tools


class SearchApp(Apps):
    """Offers the view, and adds what it shows to answers for clients that render views."""

    def __init__(self) -> None:
        """Register the view; it may fetch nothing, from nowhere."""
        super().__init__()
        self.add_resource(
            FunctionResource(
                uri=URI,
                name="search",
                title="A kernel search as it goes on",
                description="What hosts with MCP Apps show of a search: progress, tree, roofline.",
                mime_type=APP_MIME_TYPE,
                meta={"ui": {"csp": {}, "prefersBorder": True}},
                fn=view_page,
            )
        )

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: _Ctx, call_next: CallNext
    ) -> HandlerResult:
        """Answer a call; what a view shows of it comes along where the client renders views."""
        result = await call_next(ctx)
        if not isinstance(result, CallToolResult) or result.is_error or not client_supports_apps(ctx):
            return result
        told = cast("dict[str, Any]", result.structured_content or {})
        html = await asyncio.to_thread(_view, ctx.lifespan_context, params.name, told)
        if html is None:
            return result
        return result.model_copy(update={"meta": {**(result.meta or {}), VIEW: html}})


@cache
def view_page() -> str:
    """Return the view: one HTML file, with its script and its style in it."""
    from markupsafe import Markup

    from agent.report.environment import page_environment, style_sheet

    script = (files("agent.mcp") / "templates" / "search_app.js").read_text(encoding="utf-8")
    template = page_environment("agent.mcp").get_template("search_app.html")
    return template.render(style=Markup(_themed(style_sheet())), script=Markup(script))


def _themed(style: str) -> str:
    """Add the colours of both themes under the names by which hosts say which one they have."""
    light, dark = re.findall(r":root \{([^}]*)\}", style)
    named = (
        f':root[data-theme="{name}"] {{{colours}}}' for name, colours in (("light", light), ("dark", dark))
    )
    return "\n".join([style, *named])


def _view(services: Services, tool: str, told: Mapping[str, Any]) -> str | None:
    """Return what the view shows of an answer; None for nothing."""
    if tool in _OF_RUNS and "run" in told:
        return _run_view(services, told["run"])
    compared = _compared(tool, told)
    return None if compared is None else comparison_view(CompareAnswer.model_validate(compared))


def _compared(tool: str, told: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the comparison that an answer holds, at once or as a job's."""
    answer = cast("Mapping[str, Any]", told.get("answer") or {}) if tool == "job_status" else told
    return answer if tool in ("job_status", "compare_kernels") and answer.get("standings") else None


def _run_view(services: Services, run: str) -> str:
    from agent.report.html import run_sections
    from agent.report.reading import read_account

    sections = run_sections(read_account(services.store, run))
    return "\n".join(sections[name] for name in _SHOWN)


def comparison_view(answer: CompareAnswer) -> str:
    """Return kernels side by side, as the view shows them."""
    from markupsafe import Markup

    from agent.report import drawing, plots
    from agent.report.environment import page_environment

    timed = {one.label: one.latency_us for one in answer.standings if one.latency_us is not None}
    known = [one.provenance for one in answer.standings if one.latency_us is not None]
    provenance = known[0] if known else Provenance.ESTIMATED
    drawn = bool(timed) and drawing.can_draw()
    bars = Markup(drawing.draw_plot(plots.latencies(timed, provenance))) if drawn else Markup()
    rows = [
        (one, _figure(one.latency_us, "us", provenance), _figure(one.speedup, "x", provenance))
        for one in answer.standings
    ]
    template = page_environment("agent.mcp").get_template("comparison_view.html")
    return template.render(answer=answer, provenance=provenance, bars=bars, rows=rows)


def _figure(value: float | None, unit: str, provenance: Provenance) -> Figure | None:
    from agent.report.account import Figure

    return None if value is None else Figure(value=value, unit=unit, provenance=provenance)
