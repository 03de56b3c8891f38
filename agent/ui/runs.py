"""Pages about searches: all of them, one as it goes on, two side by side; and what can be done about them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from agent.mcp.services import Services
from agent.report.account import Figure, RunAccount
from agent.report.formats import ReportFormat, rendered
from agent.report.html import SECTIONS, comparison_body, run_sections
from agent.report.reading import read_account
from agent.report.telling import comparison
from agent.results import RunState, SearchRequest
from agent.store import RunSummary
from agent.strategy_names import StrategyName
from agent.ui.forms import read_form
from agent.ui.guarding import REPORT_POLICY
from agent.ui.live import Fragments, follow
from agent.ui.rendering import discreet, page, render, site_of
from sandbox.errors import UsageError
from tools.mcp.arguments import in_words

_LISTED = 100
_TYPES = {
    ReportFormat.HTML: "text/html",
    ReportFormat.MD: "text/markdown",
    ReportFormat.PNG: "image/png",
    ReportFormat.JSON: "application/json",
}
_RESUMED = (RunState.INTERRUPTED, RunState.CANCELLED, RunState.FAILED)
_PAIR = 2


def services_at(request: Request) -> Services:
    """Return the tools and searches of the server that a request came to."""
    return site_of(request).services()


async def all_runs(request: Request) -> Response:
    """Show the searches that the caller may see, and a form that starts one."""
    return await _all_runs(request, {"task": request.query_params.get("task", "")})


async def all_runs_changes(request: Request) -> Response:
    """Follow the list of searches."""
    store = services_at(request).store

    async def mark() -> list[RunSummary]:
        return await asyncio.to_thread(store.list_runs, _LISTED)

    async def drawn() -> Fragments:
        return {"runs": render(request, "runs_table.html", runs=_lines(await mark()))}

    return follow(request, mark, drawn)


async def start(request: Request) -> Response:
    """Start a search, and show it."""
    form, services = await read_form(request), services_at(request)
    given = {name: value.strip() for name, value in form.items() if value.strip()}
    try:
        asked = SearchRequest.model_validate({name: given[name] for name in given if name in _ASKED})
        if asked.device not in services.devices:
            raise UsageError(f"device: this server judges on {', '.join(services.devices)}")
        status = await services.searches.start(services.searches.completed(asked))
    except ValidationError as error:
        return await _all_runs(request, form, in_words(error))
    except UsageError as error:
        return await _all_runs(request, form, str(error))
    return RedirectResponse(f"/runs/{status.run}", 303)


_ASKED = ("task", "device", "candidates", "depth", "strategy", "model", "seed")


async def _all_runs(request: Request, form: Mapping[str, str], said: str = "") -> Response:
    services = services_at(request)
    runs, tasks = await asyncio.gather(
        asyncio.to_thread(services.store.list_runs, _LISTED), asyncio.to_thread(services.catalogue.names)
    )
    return page(
        *(request, "runs.html"),
        status=422 if said else 200,
        runs=_lines(runs),
        tasks=tasks,
        devices=services.devices,
        strategies=[*StrategyName],
        form=form,
        said=said,
    )


def _lines(runs: list[RunSummary]) -> list[tuple[RunSummary, Figure | None, Figure | None]]:
    """Return each run with its best latency and its speedup as figures."""
    return [(one, _figure(one, one.best_latency_us, "us"), _figure(one, one.speedup, "x")) for one in runs]


def _figure(run: RunSummary, value: float | None, unit: str) -> Figure | None:
    return None if value is None else Figure(value=value, unit=unit, provenance=run.provenance)


async def one_run(request: Request) -> Response:
    """Show a search as a report that grows."""
    run = request.path_params["run"]
    drawn = await _drawn(request, run)
    return page(request, "run_live.html", run=run, parts=drawn)


async def one_run_changes(request: Request) -> Response:
    """Follow a search."""
    run, store = request.path_params["run"], services_at(request).store

    def marked() -> object:
        stored = store.get_run(run)
        return stored.state, stored.error, store.event_log.last(run)

    return follow(request, lambda: asyncio.to_thread(marked), lambda: _drawn(request, run))


async def _drawn(request: Request, run: str) -> Fragments:
    """Return the parts of a run's page: where it stands, what can be done, the report's sections."""
    services = services_at(request)
    status = await services.searches.status(run)
    account, sections = await asyncio.to_thread(_sections, services, run)
    values = {"status": status, "account": account, "resumable": status.state in _RESUMED}
    above = {
        "status": render(request, "run_status.html", **values),
        "actions": render(request, "run_actions.html", **values),
    }
    return above | {f"part-{name}": discreet(request, sections[name]) for name in SECTIONS}


def _sections(services: Services, run: str) -> tuple[RunAccount, Mapping[str, str]]:
    account = read_account(services.store, run)
    return account, run_sections(account)


async def cancel(request: Request) -> Response:
    """Stop a search, and show what it found."""
    run = request.path_params["run"]
    await services_at(request).searches.cancel(run)
    return RedirectResponse(f"/runs/{run}", 303)


async def resume(request: Request) -> Response:
    """Go on with a search, and show it."""
    run = request.path_params["run"]
    await services_at(request).searches.resume(run)
    return RedirectResponse(f"/runs/{run}", 303)


async def report(request: Request) -> Response:
    """Hand out a run's report in one file, as `warpwright report` writes it."""
    run, named = request.path_params["run"], request.path_params["form"]
    if named not in set(ReportFormat):
        raise UsageError(f"there is no report of that kind: {', '.join(ReportFormat)}")
    form = ReportFormat(named)
    store = services_at(request).store
    content = await asyncio.to_thread(lambda: rendered(read_account(store, run), form))
    if form is not ReportFormat.PNG:
        content = discreet(request, content.decode()).encode()
    headers = {"content-security-policy": REPORT_POLICY}
    return Response(content, media_type=_TYPES[form], headers=headers)


async def best_kernel(request: Request) -> Response:
    """Hand out the best kernel's file."""
    run, store = request.path_params["run"], services_at(request).store
    best = (await asyncio.to_thread(store.get_result, run)).best
    if best is None:
        raise UsageError(f"run {run} has found no correct kernel")
    text = await asyncio.to_thread(store.kernels.read, run, best.sha)
    return PlainTextResponse(text, headers={"content-disposition": f'attachment; filename="{run}.cu"'})


async def compare(request: Request) -> Response:
    """Show two searches side by side."""
    runs = request.query_params.getlist("run")
    if len(runs) != _PAIR:
        raise UsageError(f"choose two searches to compare; {len(runs)} were chosen")
    store = services_at(request).store

    def drawn() -> str:
        return comparison_body(comparison(*(read_account(store, run) for run in runs)))

    return page(request, "compare.html", runs=runs, body=await asyncio.to_thread(drawn))
