"""The kernel tools: what each is called, takes, and answers."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, TypeVar, cast

from mcp.server.mcpserver import AcceptedElicitation, Context, ElicitationResult, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, ValidationError

from sandbox.errors import UsageError, WarpwrightError, WorkerError
from tools.kernel.file import MAX_BYTES
from tools.mcp.agreement import (
    AFTER_ANSWER_S,
    Agreement,
    agreed_task,
    ask_about_changes,
    ask_person,
    can_ask,
    changed_draft,
    known_report,
)
from tools.mcp.answers import (
    CompileAnswer,
    JudgeAnswer,
    NamedNumber,
    Numbers,
    ProfileAnswer,
    TaskList,
    TestAnswer,
)
from tools.mcp.arguments import in_words, without_fences
from tools.mcp.benchmarks import BenchmarkAnswer, CompareAnswer
from tools.mcp.device import DeviceInfo, describe_device
from tools.mcp.drafts import CreatedTask, NewTask, describe_kept
from tools.mcp.named_orders import Answer, CompareOrder, CreateOrder, NamedOrder, carry_out
from tools.mcp.services import HasToolbox
from tools.mcp.task_form import TaskChanges, TaskDetails, TaskDraft, TaskForm, form_of
from tools.mcp.tool import CREATES, ReadableTool
from tools.mcp.translation import describe_task, task_line
from tools.mcp.waiting import TookTooLongError, begun, dropped, with_progress
from tools.progress import Account
from tools.tasks.drafting import keep
from tools.tasks.errors import TaskNotFoundError
from tools.tasks.proposing import propose
from tools.tasks.task import Task
from tools.toolbox import CheckOrder, CompileOrder, ProfileOrder, TestOrder, Toolbox

A = TypeVar("A", bound=Answer)
J = TypeVar("J", bound=JudgeAnswer)

_Context = Context[Any]
_TaskName = Annotated[
    str,
    Field(min_length=1, max_length=4096, description="A task's name, see list_tasks."),
]
_Text = Annotated[str, BeforeValidator(without_fences), StringConstraints(min_length=1, max_length=MAX_BYTES)]
_Kernel = Annotated[
    _Text,
    Field(description="The whole kernel file: CUDA device code with //@ launch directives, see get_task."),
]
_Tune = Annotated[
    Numbers | None, Field(max_length=64, description="Values for the file's tunables; unset, its defaults.")
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
_Device = Annotated[
    str | None,
    Field(max_length=64, description="Where to judge, see device_info; unset, the server's own device."),
]


class LabelledKernel(BaseModel):
    """A kernel file and what to call it."""

    label: str = Field(min_length=1, max_length=64)
    kernel: _Text


_Kernels = Annotated[
    list[LabelledKernel],
    Field(min_length=1, max_length=8, description="Kernel files, each with a label of your choice."),
]


def task_tools() -> list[ReadableTool]:
    """Return the tools that are about tasks."""
    return [
        ReadableTool.of("list_tasks", "List kernel tasks", list_tasks),
        ReadableTool.of("get_task", "Read a kernel task", get_task),
        ReadableTool.of("draft_task", "Propose a kernel task", draft_task),
        ReadableTool.of("create_task", "Create a kernel task", create_task, CREATES),
        ReadableTool.of("update_task", "Change a kernel task", update_task, CREATES, described=1),
    ]


def judge_tools() -> list[ReadableTool]:
    """Return the tools that judge kernels."""
    return [
        ReadableTool.of("compile_kernel", "Compile a kernel", compile_kernel),
        ReadableTool.of("test_kernel", "Test a kernel", judge_kernel),
        ReadableTool.of("profile_kernel", "Profile a kernel", profile_kernel),
        ReadableTool.of("benchmark_kernel", "Benchmark a kernel", benchmark_kernel),
        ReadableTool.of("compare_kernels", "Compare kernels", compare_kernels),
        ReadableTool.of("device_info", "Describe the device", device_info),
    ]


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
    return await asyncio.to_thread(describe_task, await _find(ctx, task))


async def draft_task(
    ctx: _Context,
    kernel: Annotated[_Text, Field(description="A .cu text with one kernel; host code may be there.")],
    name: Annotated[str, Field(max_length=48, description="What to call the task.")],
    summary: Annotated[str, Field(max_length=4000, description="One sentence: what it computes.")] = "",
) -> TaskDraft:
    """Propose a task for a plain CUDA kernel: its arguments, sizes, cases and launch, read from the text.

    Use it where someone has a kernel and no task. Nothing is kept: correct what was guessed, write the NumPy
    reference, and give the whole to create_task.
    """
    try:
        found = await asyncio.to_thread(propose, kernel, name, summary)
        return TaskDraft(task=form_of(found.task), notes=list(found.notes))
    except UsageError as error:
        raise ToolError(str(error)) from error
    except ValidationError as error:
        raise ToolError(in_words(error)) from error


async def create_task(
    ctx: _Context, task: TaskForm, said: Annotated[ElicitationResult[Agreement], Resolve(ask_person)]
) -> CreatedTask:
    """Make a new task from its arguments, sizes, a NumPy reference and a plain baseline kernel.

    Use it where list_tasks has nothing that fits; get_task on a task that is like it shows the form. The task
    is kept only if the baseline passes every test and nothing trivial does; a mistake is an error that says
    what to mend. A client that can ask shows the checked draft to its person first. A task of that name is
    replaced while nothing has used it, and never afterwards.
    """
    return await _keep(ctx, task.draft(), said)


async def update_task(
    ctx: _Context,
    task: _TaskName,
    changes: TaskChanges,
    said: Annotated[ElicitationResult[Agreement], Resolve(ask_about_changes)],
) -> CreatedTask:
    """Change parts of a task that create_task made and nothing has used yet; it is checked as a new one is.

    Use it where a draft was kept and something of it is not what was meant. What is not named stays.
    """
    return await _keep(ctx, await changed_draft(ctx, task, changes), said)


async def compile_kernel(
    ctx: _Context, task: _TaskName, kernel: _Kernel, tune: _Tune = None, device: _Device = None
) -> CompileAnswer:
    """Compile a kernel file for a task and check its launches against the compiled code; nothing is run.

    Use it for quick feedback on syntax, names and arguments, and to see registers, shared memory and spills.
    A file that does not compile is an answer, with the lines to repair, not an error.
    """
    what, account = f"compiling for {task}", Account()
    work = _begun(ctx, CompileOrder(task, kernel, _settings(tune)), await _toolbox(ctx, device), account)
    try:
        return await _awaited(ctx, work, account, what, CompileAnswer)
    except TookTooLongError as error:
        await dropped(work)
        raise ToolError(f"{error} and was stopped; try once more, or make the kernel smaller") from error


async def judge_kernel(
    ctx: _Context,
    task: _TaskName,
    kernel: _Kernel,
    tune: _Tune = None,
    seed: _Seed = None,
    device: _Device = None,
) -> TestAnswer:
    """Judge whether a kernel file is correct: every test case of the task, on fresh random inputs.

    Use it after every change, before profile_kernel. Outputs are compared with a float64 reference within an
    error bound; faults, unwritten elements and modified inputs are found too. A wrong kernel is an answer: it
    names the case, the first wrong elements or the faulting line, and a seed that replays it.
    """
    order = TestOrder(task, kernel, _settings(tune), seed)
    return await _judge(ctx, order, f"testing for {task}", TestAnswer, await _toolbox(ctx, device))


async def profile_kernel(
    ctx: _Context,
    task: _TaskName,
    kernel: _Kernel,
    tune: _Tune = None,
    full: _Full = False,
    device: _Device = None,
) -> ProfileAnswer:
    """Tell how fast a kernel file is at the task's benchmark sizes, beside the baseline, and what limits it.

    Use it on a kernel that passed test_kernel: it does not look at results. The dozen metrics that tell most of
    the bottleneck, named as Nsight Compute names them, and the lines that cost most say what to change; all
    metrics are in the linked resource. Numbers marked estimated come from a cost model: use them to rank
    kernels, and never call them measurements.
    """
    order = ProfileOrder(task, kernel, _settings(tune), full)
    answer = await _judge(ctx, order, f"profiling for {task}", ProfileAnswer, await _toolbox(ctx, device))
    return with_features(answer, _services(ctx))


async def benchmark_kernel(
    ctx: _Context,
    task: _TaskName,
    kernel: _Kernel,
    sweep: _Sweep = False,
    seed: _Seed = None,
    device: _Device = None,
) -> BenchmarkAnswer:
    """Give the whole verdict on a kernel: compile, test, time, and results at the benchmark sizes as well.

    Use it for the number to quote, once test_kernel passes: only a kernel that is right everywhere gets a
    latency. With sweep it also finds the best values of the file's tunables. It takes longer than
    test_kernel and profile_kernel together.
    """
    order = CheckOrder(task, kernel, sweep=sweep, seed=seed)
    return await _judge(ctx, order, f"benchmarking for {task}", BenchmarkAnswer, await _toolbox(ctx, device))


async def compare_kernels(
    ctx: _Context, task: _TaskName, kernels: _Kernels, sweep: _Sweep = False, device: _Device = None
) -> CompareAnswer:
    """Judge up to eight kernels for one task alike, and rank them: the correct ones first, fastest first.

    Use it to choose between variants, or to show what a change gained. A wrong kernel has no latency here,
    however fast it is. Every speedup is against the task's baseline on the same device.
    """
    texts = {one.label: one.kernel for one in kernels}
    if len(texts) < len(kernels):
        raise ToolError("kernels: two have the same label; give each its own")
    order = CompareOrder(task, texts, sweep)
    what = f"comparing {len(kernels)} kernels for {task}"
    return await _judge(ctx, order, what, CompareAnswer, await _toolbox(ctx, device))


async def device_info(ctx: _Context, device: _Device = None) -> DeviceInfo:
    """Describe the device that kernels are judged on: peak rates, limits of a block, what its latencies are.

    Use it before you choose block sizes, shared memory or how much work a thread does. On a simulated device
    latencies are estimates; the counts that a profile shows are exact.
    """
    services, chosen = _services(ctx), await _toolbox(ctx, device)
    return describe_device(chosen.device, chosen.isolation, services.devices)


def with_features(answer: ProfileAnswer, services: HasToolbox) -> ProfileAnswer:
    """Add to a profile which techniques may help against its bottleneck."""
    found = services.features_against(answer.bottleneck) if answer.bottleneck else []
    return answer.model_copy(update={"features": found})


def _services(ctx: _Context) -> HasToolbox:
    return ctx.request_context.lifespan_context


def _settings(tune: list[NamedNumber] | None) -> dict[str, int] | None:
    return None if tune is None else {one.name: one.value for one in tune}


async def _toolbox(ctx: _Context, device: str | None) -> Toolbox:
    services = _services(ctx)
    if device is None or device == services.toolbox.device:
        return services.toolbox
    if device not in services.devices:
        raise ToolError(f"device: this server judges on {', '.join(services.devices)}; found {device!r}")
    try:
        return await services.toolbox_of(device)
    except WarpwrightError as error:
        raise ToolError(str(error)) from error


async def _find(ctx: _Context, name: str) -> Task:
    try:
        return await asyncio.to_thread(_services(ctx).catalogue.find, name)
    except UsageError as error:
        raise ToolError(_with_advice(error)) from error


async def _keep(ctx: _Context, draft: NewTask, said: ElicitationResult[Agreement]) -> CreatedTask:
    """Keep a task as its person takes it; one that was judged before they were asked is not judged again."""
    services = _services(ctx)
    agreed = agreed_task(draft, said.data if isinstance(said, AcceptedElicitation) else None)
    replace = not await asyncio.to_thread(services.used, agreed.name)
    known = known_report(services, agreed)
    if known is None:
        what = f"checking the new task {agreed.name}"
        left = AFTER_ANSWER_S if isinstance(said, AcceptedElicitation) and can_ask(ctx) else None
        order = CreateOrder(agreed, replace)
        answer = await _judge(ctx, order, what, CreatedTask, services.toolbox, left)
    else:
        try:
            kept = await keep(agreed, services.catalogue, services.toolbox, replace=replace, judged=known)
        except WarpwrightError as error:
            raise ToolError(str(error)) from error
        answer = describe_kept(kept, services.toolbox.device)
    if answer.verdict is None:
        return answer
    task = await _find(ctx, agreed.name)
    composer = await asyncio.to_thread(services.composer_on, task)
    return answer.model_copy(update={"composer": composer})


async def _judge(
    ctx: _Context,
    order: NamedOrder,
    what: str,
    kind: type[J],
    toolbox: Toolbox,
    longest_s: float | None = None,
) -> J:
    """Carry an order out; where that takes longer than a call may, hand it over and say so."""
    account = Account()
    work = _begun(ctx, order, toolbox, account)
    try:
        return await _awaited(ctx, work, account, what, cast("type[Any]", kind), longest_s)
    except TookTooLongError:
        try:
            job = await _services(ctx).go_on_later(order, toolbox.device, work, account)
        except WarpwrightError as error:
            raise ToolError(f"{what} takes too long for one call, and {error}") from error
        return kind(
            job=job,
            message=f"{what} takes longer than a call may; it goes on in the background. {account.now}".strip(),
            task=order.task,
            device=toolbox.device,
            next_step=f"job_status(job='{job}') waits for the answer.",
        )


def _begun(ctx: _Context, order: NamedOrder, toolbox: Toolbox, account: Account) -> asyncio.Task[Answer]:
    return begun(carry_out(order, toolbox, _services(ctx).catalogue), account)


async def _awaited(
    ctx: _Context,
    work: asyncio.Task[Answer],
    account: Account,
    what: str,
    kind: type[A],
    longest_s: float | None = None,
) -> A:
    try:
        answer = await with_progress(ctx, work, account, what, longest_s)
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
