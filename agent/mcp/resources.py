"""Resources: tasks, features, kernels by hash, reports of runs, profiles."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Sequence

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceNotFoundError

from agent.mcp.services import Services, services_of
from agent.store import Store
from prompts import Feature
from sandbox.errors import UsageError
from tools.mcp.profile_shelf import SCHEME, ProfileShelf
from tools.mcp.reading import CUDA, JSON, MARKDOWN, PYTHON
from tools.mcp.translation import describe_task
from tools.tasks import folder as task_folder
from tools.tasks.task import Task

_SHA = re.compile(r"[0-9a-f]{8,64}", re.ASCII)
_LONGEST_NAME = 128
_RUNS_LISTED = 100
_Ctx = Context[Services]


def register(server: MCPServer[Services], pages: Sequence[Feature]) -> None:
    """Add the resources to a server: the library's pages and the bundled tasks by name, the rest as templates."""
    for feature in pages:
        server.resource(
            f"{SCHEME}features/{feature.name}",
            name=f"feature {feature.name}",
            description=feature.summary,
            mime_type=MARKDOWN,
        )(_page(feature))
    for name in task_folder.names():
        server.resource(
            f"{SCHEME}tasks/{name}",
            name=f"task {name}",
            description=f"All that a kernel for {name} may rely on.",
            mime_type=JSON,
        )(_bundled(name))
    for uri, title, mime_type, function in _TEMPLATES:
        server.resource(
            SCHEME + uri,
            name=function.__name__,
            title=title,
            description=" ".join((function.__doc__ or "").split()),
            mime_type=mime_type,
        )(function)


def _page(feature: Feature) -> Callable[[], str]:
    return lambda: feature.text


def _bundled(name: str) -> Callable[[], str]:
    return lambda: describe_task(task_folder.find(name)).model_dump_json(indent=2)


def _task(ctx: _Ctx, name: str) -> Task:
    catalogue = services_of(ctx).catalogue
    # A name from a URI is never the path of a folder, whatever tools allow.
    if len(name) > _LONGEST_NAME or name not in catalogue.names():
        raise ResourceNotFoundError(f"there is no task {name[:_LONGEST_NAME]!r}; list_tasks names them")
    return catalogue.find(name)


def task(ctx: _Ctx, name: str) -> str:
    """All that a kernel for a task may rely on, as get_task tells it."""
    return describe_task(_task(ctx, name)).model_dump_json(indent=2)


def task_reference(ctx: _Ctx, name: str) -> str:
    """What a task computes, in NumPy."""
    return _task(ctx, name).reference


def task_baseline(ctx: _Ctx, name: str) -> str:
    """The plain correct kernel file that a task comes with."""
    return _task(ctx, name).baseline


def kernel(ctx: _Ctx, sha: str) -> str:
    """A kernel file that a search wrote, by the sha256 of its text; the first eight digits are enough."""
    found = services_of(ctx).store.runs.kernels(sha, 2) if _SHA.fullmatch(sha) else []
    if len(found) != 1:
        what = "more than one kernel begins" if found else "there is no kernel that begins"
        raise ResourceNotFoundError(f"{what} with {sha[:64]!r}")
    (full, run), *_ = found
    return services_of(ctx).store.kernels.read(run, full)


def runs(ctx: _Ctx, limit: int = 20) -> str:
    """The searches of this machine, newest first, at most 100."""
    listed = services_of(ctx).store.list_runs(min(max(limit, 1), _RUNS_LISTED))
    return json.dumps([one.model_dump(mode="json") for one in listed], indent=2)


def run_report(ctx: _Ctx, run: str) -> str:
    """What a search found, with every candidate, as data."""
    return _known(
        lambda: _store(ctx).get_result(_name(run)).model_dump_json(indent=2, exclude={"best": {"path"}})
    )


def run_report_markdown(ctx: _Ctx, run: str) -> str:
    """What a search found, as a page for people: candidates, where the time goes, how the best kernel was judged."""
    from agent.report.markdown import markdown
    from agent.report.reading import read_account

    return _known(lambda: markdown(read_account(_store(ctx), _name(run))))


def profile(ctx: _Ctx, run: str, candidate: str) -> str:
    """The whole profile of one candidate of a search, named ROUND.CANDIDATE, with every metric of every launch."""

    def report() -> str:
        _store(ctx).get_run(_name(run))
        for trial in _store(ctx).candidates.trials(run):
            named = f"{trial.round}.{trial.candidate}" == candidate
            if named and trial.report is not None and trial.report.profile is not None:
                return json.dumps(dataclasses.asdict(trial.report.profile), indent=2)
        raise UsageError(f"run {run} has no profile of a candidate {candidate[:20]!r}")

    return _known(report)


def kept_profile(ctx: _Ctx, key: str) -> str:
    """The whole profile that an answer of profile_kernel linked to, with every metric of every launch."""
    shelf = ProfileShelf.of(services_of(ctx).catalogue)
    found = None if shelf is None else shelf.read(key)
    if found is None:
        raise ResourceNotFoundError(
            f"there is no profile {key[:32]!r} any more; profile_kernel makes it anew"
        )
    return found


_TEMPLATES: list[tuple[str, str, str, Callable[..., str]]] = [
    ("tasks/{name}", "A task", JSON, task),
    ("tasks/{name}/reference.py", "A task's reference", PYTHON, task_reference),
    ("tasks/{name}/baseline.cu", "A task's baseline", CUDA, task_baseline),
    ("kernels/{sha}", "A kernel", CUDA, kernel),
    ("profiles/{key}", "A profile", JSON, kept_profile),
    ("runs{?limit}", "Searches", JSON, runs),
    ("runs/{run}/report.json", "A search's report, as data", JSON, run_report),
    ("runs/{run}/report.md", "A search's report, to read", MARKDOWN, run_report_markdown),
    ("runs/{run}/candidates/{candidate}/profile.json", "A candidate's profile", JSON, profile),
]


def _store(ctx: _Ctx) -> Store:
    return services_of(ctx).store


def _name(run: str) -> str:
    if len(run) > _LONGEST_NAME:
        raise UsageError("no run has so long a name")
    return run


def _known(read: Callable[[], str]) -> str:
    try:
        return read()
    except UsageError as error:
        raise ResourceNotFoundError(str(error)) from error
