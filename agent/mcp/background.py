"""JobService on single kernels as MCP tools: wait for one, cancel one."""

from __future__ import annotations

import time
from typing import Annotated

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field, SerializeAsAny, TypeAdapter, WithJsonSchema

from agent.mcp.searches import LONGEST_WAIT_S
from agent.mcp.services import Services, services_of
from agent.store.jobs import JUDGEMENT, Job, JobState
from agent.supervisor.work import SEARCHES
from sandbox.errors import WarpwrightError
from tools.mcp.answers import JudgeAnswer, ProfileAnswer, TestAnswer
from tools.mcp.arguments import clamped
from tools.mcp.benchmarks import BenchmarkAnswer, CompareAnswer
from tools.mcp.by_tools import by_tools
from tools.mcp.drafts import CreatedTask
from tools.mcp.reading import Link, joined, links_of, next_call, text_of
from tools.mcp.registration import with_features
from tools.mcp.tool import ReadableTool

_Answer = TestAnswer | ProfileAnswer | BenchmarkAnswer | CompareAnswer | CreatedTask
_ANSWERS: dict[str, TypeAdapter[_Answer]] = {
    kind: TypeAdapter(answer)
    for kind, answer in (
        ("test", TestAnswer),
        ("profile", ProfileAnswer),
        ("benchmark", BenchmarkAnswer),
        ("compare", CompareAnswer),
        ("create_task", CreatedTask),
    )
}
_NEXT_STEPS = {
    JobState.WAITING: "job_status(job='{job}') waits for it.",
    JobState.RUNNING: "job_status(job='{job}') waits for it.",
    JobState.COMPLETED: "Read the answer.",
    JobState.FAILED: "Mend what the message names, then call the tool again.",
    JobState.CANCELLED: "Call the tool again if it is wanted after all.",
    JobState.INTERRUPTED: "Its process is gone: call the tool again. What was compiled is kept.",
}
_WAIT_S = 1.0
_Ctx = Context[Services]
_JobId = Annotated[str, Field(max_length=64, description="The job's id, as the tool's answer gave it.")]


class JobStatus(BaseModel):
    """Where a job stands, and its answer once there is one."""

    job: str
    kind: str = Field(description="test, profile, benchmark, compare or create_task.")
    state: JobState
    message: str = ""
    answer: Annotated[
        SerializeAsAny[JudgeAnswer] | None,
        WithJsonSchema({"type": "object", "description": "What the tool would have answered."}),
    ] = None
    next_step: str


def job_tools() -> list[ReadableTool]:
    """Return the tools."""
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    stops = ToolAnnotations(
        read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
    )
    return [
        ReadableTool.of("job_status", "Wait for a job on a kernel", job_status, reads),
        ReadableTool.of("cancel_job", "Cancel a job on a kernel", cancel_job, stops),
    ]


@text_of.register
def _(answer: JobStatus) -> str:
    if answer.answer is not None:
        return text_of(answer.answer)
    return joined(
        f"**{answer.state}** {answer.job} ({answer.kind}): {answer.message}", next_call(answer.next_step)
    )


@links_of.register
def _(answer: JobStatus) -> list[Link]:
    return [] if answer.answer is None else links_of(answer.answer)


async def job_status(
    ctx: _Ctx,
    job: _JobId,
    wait_s: Annotated[
        float,
        clamped(0, LONGEST_WAIT_S),
        Field(ge=0, le=LONGEST_WAIT_S, description="Hold the answer until the job ends, at most so long."),
    ] = 25,
) -> JobStatus:
    """Bring the answer of a tool that took longer than a call may, holding it until it is there or wait_s passed.

    Use it when test_kernel, profile_kernel, benchmark_kernel, compare_kernels or create_task answered with a
    job; again while state is "waiting" or "running". For searches use search_status.
    """
    start = time.monotonic()
    try:
        while True:
            found = await services_of(ctx).searches.jobs.until(job, _ended, min(_WAIT_S, wait_s))
            spent = time.monotonic() - start
            if _ended(found) or spent >= wait_s:
                return _status(found, services_of(ctx))
            doing = found.error.rpartition("\n")[2]
            said = f"{found.kind} is {found.state}{f': {doing}' if doing else ''}, {spent:.0f} s"
            await ctx.report_progress(spent, wait_s, said)
    except WarpwrightError as error:
        raise ToolError(str(error)) from error


async def cancel_job(ctx: _Ctx, job: _JobId) -> JobStatus:
    """Stop a job on a kernel that is no longer wanted; one that ended is left as it is."""
    jobs = services_of(ctx).searches.jobs
    try:
        await jobs.cancel(job)
        return _status(await jobs.until(job, _ended, 10.0), services_of(ctx))
    except WarpwrightError as error:
        raise ToolError(str(error)) from error


def _ended(job: Job) -> bool:
    return job.state.ended


def _status(job: Job, services: Services) -> JobStatus:
    if job.kind == JUDGEMENT:
        raise ToolError(f"job {job.id} is another machine's toolbox's")
    if job.kind in SEARCHES:
        raise ToolError(f"{job.id} is a search: search_status(run='{job.run}') tells of it")
    answer = None if job.answer is None else _ANSWERS[job.kind].validate_json(job.answer)
    if isinstance(answer, ProfileAnswer):
        answer = with_features(answer, services)
    return JobStatus(
        job=job.id,
        kind=job.kind,
        state=job.state,
        message=by_tools(job.error) or f"{job.kind} is {job.state}",
        answer=answer,
        next_step=_NEXT_STEPS[job.state].format(job=job.id),
    )
