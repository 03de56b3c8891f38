"""A kernel held against the PyTorch function or module that its task was made of, end to end."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.home import Home
from agent.importing.module_origin import ModuleAnswers, ModuleOrigin
from sandbox.isolation.choose import choose_isolation
from sandbox.torch_graphs.service import TorchGraphs
from tools.local_toolbox import LocalToolbox
from tools.parts import local_parts
from tools.reports import TestReport
from tools.tasks.task import Task
from tools.toolbox import TestOrder


@dataclass(frozen=True)
class ModuleVerdict:
    """What is known of a kernel and its module.

    Attributes:
        report: Of the kernel's results beside the module's.
        gain: How much faster all operators of the module become; estimated.
    """

    origin: ModuleOrigin
    report: TestReport
    gain: float


async def against_module(
    task: Task, origin: ModuleOrigin, kernel: str, kernel_us: float, device: str, home: Home
) -> ModuleVerdict:
    """Run a kernel on fresh inputs, and compare what it writes with what the module computes in float64.

    Args:
        task: The kernel's task; its error bound counts.
        origin: The module.
        kernel: Text of the kernel file.
        kernel_us: Its latency, for what the module gains.
        device: Where to run the kernel.
        home: Where compiled programs are kept.

    Raises:
        UsageError: The module raises.
        WorkerError: The environment failed.
    """
    TorchGraphs.check()
    made = local_parts(device, home.compile_cache, None)
    async with TorchGraphs(choose_isolation()) as graphs:
        answers = ModuleAnswers(made.answers, graphs, origin)
        parts = replace(made, answers=answers, ahead=())
        async with LocalToolbox(device, cache=home.compile_cache, parts=parts) as toolbox:
            report = await toolbox.do(TestOrder(task, kernel))
    return ModuleVerdict(origin, report, origin.gain(kernel_us))
