"""Pages about tasks: what there is, a draft of a new one, and what became of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from agent.store.jobs import Job, JobState
from agent.supervisor.work import OrderJob
from agent.ui.forms import read_form
from agent.ui.live import Fragments, follow
from agent.ui.rendering import page, render
from agent.ui.runs import services_at
from sandbox.errors import UsageError
from tools.mcp.drafts import CreatedTask, NewTask
from tools.mcp.named_orders import CreateOrder
from tools.tasks.drafting import files_of, preview, read_draft
from tools.tasks.folder import FILES
from tools.tasks.proposing import propose
from tools.tasks.task import WholeTask

_KIND = "create_task"


async def all_tasks(request: Request) -> Response:
    """Show the tasks that the caller may name."""
    tasks = await asyncio.to_thread(services_at(request).catalogue.tasks)
    return page(request, "tasks.html", tasks=tasks)


async def one_task(request: Request) -> Response:
    """Show all that a kernel for a task may rely on."""
    return page(request, "task.html", task=await _task(request, request.path_params["task"]))


async def draft_page(request: Request) -> Response:
    """Ask for a kernel to propose a task for; or show a task's files, to be changed into another's."""
    like = request.query_params.get("like")
    if like is None:
        return page(request, "draft.html", form={}, said="")
    task = await _task(request, like)
    texts = files_of(task)
    texts["task.toml"] = re.sub(r'(?m)^name = ".*"$', f'name = "{like}_2"', texts["task.toml"], count=1)
    return _editor(request, texts, notes=[f"a copy of {like}: give it a name of its own"])


async def propose_draft(request: Request) -> Response:
    """Propose a task for a kernel, and let it be corrected."""
    form = await read_form(request)
    kernel, name, summary = (form.get(field, "").strip() for field in ("kernel", "name", "summary"))
    try:
        found = await asyncio.to_thread(propose, kernel, name, summary)
        return _editor(request, files_of(found.task), notes=found.notes)
    except UsageError as error:
        return page(request, "draft.html", status=422, form=form, said=str(error))


async def create(request: Request) -> Response:
    """Have a draft's baseline judged; it is kept if that passes."""
    form, services = await read_form(request), services_at(request)
    texts = {name: form.get(name, "") for name in FILES}
    try:
        draft = await asyncio.to_thread(read_draft, texts)
        there = await preview(draft, services.catalogue, replace=True)
        if there is not None:
            return RedirectResponse(f"/tasks/{there.name}", 303)
        replace = not await asyncio.to_thread(services.used, draft.name)
        order = CreateOrder(_new(draft), replace=replace)
        job = await services.searches.jobs.queue(order, services.toolbox.device, services.catalogue)
    except UsageError as error:
        return _editor(request, texts, said=str(error))
    return RedirectResponse(f"/jobs/{job}", 303)


async def job_page(request: Request) -> Response:
    """Show what becomes of a draft."""
    job = await _job(request)
    return page(request, "job.html", job=job, body=_job_body(request, job))


async def job_changes(request: Request) -> Response:
    """Follow what becomes of a draft."""
    await _job(request)

    async def drawn() -> Fragments:
        return {"job": _job_body(request, await _job(request))}

    return follow(request, lambda: _job(request), drawn)


async def cancel_job(request: Request) -> Response:
    """Stop judging a draft."""
    job = await _job(request)
    await services_at(request).searches.jobs.cancel(job.id)
    return RedirectResponse(f"/jobs/{job.id}", 303)


def _editor(
    request: Request, texts: Mapping[str, str], *, notes: Sequence[str] = (), said: str = ""
) -> Response:
    status = 422 if said else 200
    return page(request, "draft_files.html", status=status, texts=texts, notes=notes, said=said)


def _job_body(request: Request, job: Job) -> str:
    kept = None if job.answer is None else CreatedTask.model_validate_json(job.answer)
    texts = {} if job.state is not JobState.FAILED else files_of(_draft(job))
    return render(request, "job_body.html", job=job, kept=kept, texts=texts, name=_draft(job).name)


async def _job(request: Request) -> Job:
    job = await services_at(request).searches.jobs.get(request.path_params["job"])
    if job.kind != _KIND:
        raise UsageError(f"job {job.id} is about no task")
    return job


def _draft(job: Job) -> NewTask:
    order = OrderJob.model_validate_json(job.request).order
    assert isinstance(order, CreateOrder), "jobs of this kind are such orders"
    return order.draft


def _new(task: WholeTask) -> NewTask:
    return NewTask(**{one.name: getattr(task, one.name) for one in fields(NewTask)})


async def _task(request: Request, name: str) -> WholeTask:
    catalogue = services_at(request).catalogue
    # A name from an address is never the path of a folder, whatever else callers may name.
    if name not in await asyncio.to_thread(catalogue.names):
        raise UsageError(f"there is no task {name[:100]!r}")
    return await asyncio.to_thread(catalogue.find, name)
