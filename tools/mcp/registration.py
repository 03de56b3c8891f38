"""The kernel tools, registered on an MCP server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Protocol, TypeVar, cast

from mcp.server import MCPServer
from mcp.server.mcpserver import AcceptedElicitation, Context, ElicitationResult, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field, StringConstraints

from sandbox.errors import UsageError, WarpwrightError, WorkerError
from tools.kernel.file import MAX_BYTES
from tools.mcp.agreement import Agreement, agreed_task, ask_person
from tools.mcp.answers import CompileAnswer, JudgeAnswer, ProfileAnswer, TaskDetails, TaskList, TestAnswer
from tools.mcp.benchmarks import BenchmarkAnswer, CompareAnswer
from tools.mcp.device import DeviceInfo, describe_device
from tools.mcp.drafts import CreatedTask, NewTask
from tools.mcp.named_orders import Answer, CompareOrder, CreateOrder, NamedOrder, carry_out
from tools.mcp.translation import describe_task, task_line
from tools.mcp.waiting import TookTooLongError, begun, dropped, with_progress
from tools.progress import Account
from tools.tasks.catalogue import TaskCatalogue
from tools.tasks.errors import TaskNotFoundError
from tools.tasks.task import Task
from tools.toolbox import CheckOrder, CompileOrder, ProfileOrder, TestOrder, Toolbox

A = TypeVar("A", bound=Answer)
J = TypeVar("J", bound=JudgeAnswer)


class HasToolbox(Protocol):
    """What the server's lifespan must yield."""

    @property
    def toolbox(self) -> Toolbox:
        """The toolbox that the tools use; the server closes it."""
        ...

    @property
    def catalogue(self) -> TaskCatalogue:
        """The tasks that clients may name."""
        ...

    async def go_on_later(self, order: NamedOrder, work: asyncio.Task[Any], account: Account) -> str:
        """Let an order that is being carried out go on in the background; return the job's id.

        Raises:
            UsageError: The caller has too many there; the work was cancelled.
        """
        ...


_READS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
_CREATES = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
_Context = Context[Any]
_TaskName = Annotated[
    str,
    Field(
        min_length=1, max_length=4096, description="A task's name, see list_tasks, or a task folder's path."
    ),
]
_KernelText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_BYTES)]
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
_Sweep = Annotated[
    bool, Field(description="Try the values that the file's tune directives offer; keep the best correct.")
]
_Full = Annotated[
    bool, Field(description="On a GPU, every counter that Nsight Compute has; it takes some forty runs.")
]
_Kernels = Annotated[
    dict[Annotated[str, StringConstraints(min_length=1, max_length=64)], _KernelText],
    Field(min_length=1, max_length=8, description="Kernel files by a label of your choice."),
]


def register(server: MCPServer[Any]) -> None:
    """Add the kernel tools to a server whose lifespan yields a `HasToolbox`."""
    _add(server, "list_tasks", "List kernel tasks", list_tasks)
    _add(server, "get_task", "Read a kernel task", get_task)
    _add(server, "create_task", "Create a kernel task", create_task, _CREATES)
    _add(server, "compile_kernel", "Compile a kernel", compile_kernel)
    _add(server, "test_kernel", "Test a kernel", judge_kernel)
    _add(server, "profile_kernel", "Profile a kernel", profile_kernel)
    _add(server, "benchmark_kernel", "Benchmark a kernel", benchmark_kernel)
    _add(server, "compare_kernels", "Compare kernels", compare_kernels)
    _add(server, "device_info", "Describe the device", device_info)


def _add(
    server: MCPServer[Any],
    name: str,
    title: str,
    tool: Callable[..., Any],
    annotations: ToolAnnotations = _READS,
) -> None:
    description = " ".join((tool.__doc__ or "").split())  # else the model reads the docstring's indentation
    server.tool(name, title=title, description=description, annotations=annotations)(tool)


async def list_tasks(ctx: _Context) -> TaskList:
    """List the tasks that kernels can be judged for, with the sizes that their latency is about.

    Use it first, to find the task that fits what is wanted; get_task then tells everything about it, and
    create_task makes one where none fits.
    """
    services = _services(ctx)
    tasks = await asyncio.to_thread(services.catalogue.tasks)
    return TaskList(device=services.toolbox.device, tasks=[task_line(task) for task in tasks])


async def get_task(ctx: _Context, task: _TaskName) -> TaskDetails:
    """Read one task: arguments, sizes, NumPy reference, a plain baseline, and how a kernel file is written.

    Use it before you write a kernel: what it shows is all that a kernel file may rely on.
    """
    return describe_task(await _find(ctx, task))


async def create_task(
    ctx: _Context, task: NewTask, said: Annotated[ElicitationResult[Agreement], Resolve(ask_person)]
) -> CreatedTask:
    """Make a new task from its arguments, sizes, a NumPy reference and a plain baseline kernel.

    Use it where list_tasks has nothing that fits; get_task on a task that is like it shows the form. The task
    is kept only if the baseline passes every test and nothing trivial does; a mistake is an error that says
    what to mend. A client that can ask shows the draft to its person first. No task is ever overwritten.
    """
    task = agreed_task(task, said.data if isinstance(said, AcceptedElicitation) else None)
    return await _judge(ctx, CreateOrder(task), f"checking the new task {task.name}", CreatedTask)


async def compile_kernel(
    ctx: _Context, task: _TaskName, kernel: _Kernel, tune: _Tune = None
) -> CompileAnswer:
    """Compile a kernel file for a task and check its launches against the compiled code; nothing is run.

    Use it for quick feedback on syntax, names and arguments, and to see registers, shared memory and spills.
    A file that does not compile is an answer, with the lines to repair, not an error.
    """
    order = CompileOrder(task, kernel, tune)
    what, account = f"compiling for {task}", Account()
    work = _begun(ctx, order, account)
    try:
        return await _awaited(ctx, work, account, what, CompileAnswer)
    except TookTooLongError as error:
        await dropped(work)
        raise ToolError(f"{error} and was stopped; try once more, or make the kernel smaller") from error


async def judge_kernel(
    ctx: _Context, task: _TaskName, kernel: _Kernel, tune: _Tune = None, seed: _Seed = None
) -> TestAnswer:
    """Judge whether a kernel file is correct: every test case of the task, on fresh random inputs.

    Use it after every change, before profile_kernel. Outputs are compared with a float64 reference within an
    error bound; faults, unwritten elements and modified inputs are found too. A wrong kernel is an answer: it
    names the case, the first wrong elements or the faulting line, and a seed that replays it.
    """
    order = TestOrder(task, kernel, tune, seed)
    return await _judge(ctx, order, f"testing for {task}", TestAnswer)


async def profile_kernel(
    ctx: _Context, task: _TaskName, kernel: _Kernel, tune: _Tune = None, full: _Full = False
) -> ProfileAnswer:
    """Tell how fast a kernel file is at the task's benchmark sizes, beside the baseline, and what limits it.

    Use it on a kernel that passed test_kernel: it does not look at results. Bottleneck and metrics, named as
    Nsight Compute names them, say what to change. Numbers marked estimated come from a cost model: use them
    to rank kernels, and never call them measurements.
    """
    order = ProfileOrder(task, kernel, tune, full)
    return await _judge(ctx, order, f"profiling for {task}", ProfileAnswer)


async def benchmark_kernel(
    ctx: _Context, task: _TaskName, kernel: _Kernel, sweep: _Sweep = False, seed: _Seed = None
) -> BenchmarkAnswer:
    """Give the whole verdict on a kernel: compile, test, time, and results at the benchmark sizes as well.

    Use it for the number to quote, once test_kernel passes: only a kernel that is right everywhere gets a
    latency. With sweep it also finds the best values of the file's tunables. It takes longer than
    test_kernel and profile_kernel together.
    """
    order = CheckOrder(task, kernel, sweep=sweep, seed=seed)
    return await _judge(ctx, order, f"benchmarking for {task}", BenchmarkAnswer)


async def compare_kernels(
    ctx: _Context, task: _TaskName, kernels: _Kernels, sweep: _Sweep = False
) -> CompareAnswer:
    """Judge up to eight kernels for one task alike, and rank them: the correct ones first, fastest first.

    Use it to choose between variants, or to show what a change gained. A wrong kernel has no latency here,
    however fast it is. Every speedup is against the task's baseline on the same device.
    """
    order = CompareOrder(task, kernels, sweep)
    return await _judge(ctx, order, f"comparing {len(kernels)} kernels for {task}", CompareAnswer)


async def device_info(ctx: _Context) -> DeviceInfo:
    """Describe the device that kernels are judged on: peak rates, limits of a block, what its latencies are.

    Use it before you choose block sizes, shared memory or how much work a thread does. On a simulated device
    latencies are estimates; the counts that a profile shows are exact.
    """
    toolbox = _services(ctx).toolbox
    return describe_device(toolbox.device, toolbox.isolation)


def _services(ctx: _Context) -> HasToolbox:
    return ctx.request_context.lifespan_context


async def _find(ctx: _Context, name: str) -> Task:
    try:
        return await asyncio.to_thread(_services(ctx).catalogue.find, name)
    except UsageError as error:
        raise ToolError(_with_advice(error)) from error


async def _judge(ctx: _Context, order: NamedOrder, what: str, kind: type[J]) -> J:
    """Carry an order out; where that takes longer than a call may, hand it over and say so."""
    account = Account()
    work = _begun(ctx, order, account)
    try:
        return await _awaited(ctx, work, account, what, cast("type[Any]", kind))
    except TookTooLongError:
        try:
            job = await _services(ctx).go_on_later(order, work, account)
        except WarpwrightError as error:
            raise ToolError(f"{what} takes too long for one call, and {error}") from error
        return kind(
            job=job,
            message=f"{what} takes longer than a call may; it goes on in the background. {account.now}".strip(),
            task=order.task,
            device=_services(ctx).toolbox.device,
            next_step=f"job_status(job='{job}') waits for the answer.",
        )


def _begun(ctx: _Context, order: NamedOrder, account: Account) -> asyncio.Task[Answer]:
    services = _services(ctx)
    return begun(carry_out(order, services.toolbox, services.catalogue), account)


async def _awaited(
    ctx: _Context, work: asyncio.Task[Answer], account: Account, what: str, kind: type[A]
) -> A:
    try:
        answer = await with_progress(ctx, work, account, what)
    except WorkerError as error:
        msg = "the sandbox's worker died twice, through no known fault of the kernel; try once more"
        raise ToolError(msg) from error
    except WarpwrightError as error:
        raise ToolError(_with_advice(error)) from error
    assert isinstance(answer, kind), "every order has its own kind of answer"
    return answer


def _with_advice(error: WarpwrightError) -> str:
    """Return what went wrong; whoever names a task that is not there learns how to find one."""
    return f"{error}. list_tasks names the tasks." if isinstance(error, TaskNotFoundError) else str(error)
