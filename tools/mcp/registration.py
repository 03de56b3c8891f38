"""The kernel tools, registered on an MCP server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Protocol, TypeVar

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from sandbox.errors import MissingDependencyError, UsageError, WorkerError
from tools import task_folder
from tools.kernel_file import MAX_BYTES
from tools.mcp.answers import CompileAnswer, ProfileAnswer, TaskDetails, TaskList, TestAnswer
from tools.mcp.translation import describe_compile, describe_profile, describe_task, describe_test, task_line
from tools.mcp.waiting import with_progress
from tools.task import Task
from tools.toolbox import Toolbox

T = TypeVar("T")


class HasToolbox(Protocol):
    """What the server's lifespan must yield."""

    @property
    def toolbox(self) -> Toolbox:
        """The toolbox that the tools use; the server closes it."""
        ...


_READS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
_Context = Context[Any]
_TaskName = Annotated[
    str,
    Field(
        min_length=1, max_length=4096, description="A task's name, see list_tasks, or a task folder's path."
    ),
]
_Kernel = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_BYTES,
        description="The whole kernel file: CUDA device code with //@ launch directives, see get_task.",
    ),
]
_Tune = Annotated[
    dict[str, int] | None,
    Field(max_length=64, description="Values for the file's tunables; unset, its defaults."),
]
_Seed = Annotated[
    int | None, Field(ge=0, lt=2**53, description="Replays one judgement; unset, fresh random inputs.")
]


def register(server: MCPServer[Any]) -> None:
    """Add the kernel tools to a server whose lifespan yields a `HasToolbox`."""
    _add(server, "list_tasks", "List kernel tasks", list_tasks)
    _add(server, "get_task", "Read a kernel task", get_task)
    _add(server, "compile_kernel", "Compile a kernel", compile_kernel)
    _add(server, "test_kernel", "Test a kernel", judge_kernel)
    _add(server, "profile_kernel", "Profile a kernel", profile_kernel)


def _add(server: MCPServer[Any], name: str, title: str, tool: Callable[..., Any]) -> None:
    description = " ".join((tool.__doc__ or "").split())  # else the model reads the docstring's indentation
    server.tool(name, title=title, description=description, annotations=_READS)(tool)


async def list_tasks(ctx: _Context) -> TaskList:
    """List the tasks that kernels can be judged for, with the sizes that their latency is about.

    Use it first, to find the task that fits what is wanted; get_task then tells everything about it.
    """
    tasks = await asyncio.to_thread(task_folder.all_tasks)
    return TaskList(device=_toolbox(ctx).device, tasks=[task_line(task) for task in tasks])


async def get_task(task: _TaskName) -> TaskDetails:
    """Read one task: arguments, sizes, NumPy reference, a plain baseline, and how a kernel file is written.

    Use it before you write a kernel: what it shows is all that a kernel file may rely on.
    """
    return describe_task(await _find(task))


async def compile_kernel(
    ctx: _Context, task: _TaskName, kernel: _Kernel, tune: _Tune = None
) -> CompileAnswer:
    """Compile a kernel file for a task and check its launches against the compiled code; nothing is run.

    Use it for quick feedback on syntax, names and arguments, and to see registers, shared memory and spills.
    A file that does not compile is an answer, with the lines to repair, not an error.
    """
    found, toolbox = await _find(task), _toolbox(ctx)
    report = await _attempt(ctx, toolbox.compile(found, kernel, tune), f"compiling for {found.name}")
    return describe_compile(found, report)


async def judge_kernel(
    ctx: _Context, task: _TaskName, kernel: _Kernel, tune: _Tune = None, seed: _Seed = None
) -> TestAnswer:
    """Judge whether a kernel file is correct: every test case of the task, on fresh random inputs.

    Use it after every change, before profile_kernel. Outputs are compared with a float64 reference within an
    error bound; faults, unwritten elements and modified inputs are found too. A wrong kernel is an answer: it
    names the case, the first wrong elements or the faulting line, and a seed that replays it.
    """
    found, toolbox = await _find(task), _toolbox(ctx)
    report = await _attempt(ctx, toolbox.test(found, kernel, tune, seed=seed), f"testing for {found.name}")
    return describe_test(found, report, device=toolbox.device, isolation=toolbox.isolation)


async def profile_kernel(
    ctx: _Context, task: _TaskName, kernel: _Kernel, tune: _Tune = None
) -> ProfileAnswer:
    """Tell how fast a kernel file is at the task's benchmark sizes, beside the baseline, and what limits it.

    Use it on a kernel that passed test_kernel: it does not look at results. Bottleneck and metrics, named as
    Nsight Compute names them, say what to change. Numbers marked estimated come from a cost model: use them
    to rank kernels, and never call them measurements.
    """
    found, toolbox = await _find(task), _toolbox(ctx)
    report = await _attempt(ctx, toolbox.profile(found, kernel, tune), f"profiling for {found.name}")
    return describe_profile(found, report, toolbox.device)


def _toolbox(ctx: _Context) -> Toolbox:
    workshop: HasToolbox = ctx.request_context.lifespan_context
    return workshop.toolbox


async def _find(name: str) -> Task:
    try:
        return await asyncio.to_thread(task_folder.find, name)
    except UsageError as error:
        raise ToolError(f"{error}. list_tasks names the bundled tasks.") from error


async def _attempt(ctx: _Context, work: Coroutine[Any, Any, T], what: str) -> T:
    try:
        return await with_progress(ctx, work, what)
    except (UsageError, MissingDependencyError) as error:
        raise ToolError(str(error)) from error
    except WorkerError as error:
        msg = "the sandbox's worker died twice, through no known fault of the kernel; try once more"
        raise ToolError(msg) from error
