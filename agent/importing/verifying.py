"""A kernel held against the PyTorch function or module that its task was made of, end to end."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.home import Home
from agent.importing.module_origin import ModuleAnswers, ModuleOrigin
from sandbox.torch_graphs.service import TorchGraphs
from tools.local_toolbox import LocalToolbox
from tools.parts import ToolboxParts
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
    task: Task,
    origin: ModuleOrigin,
    kernel: str,
    kernel_us: float,
    *,
    parts: ToolboxParts,
    graphs: TorchGraphs,
    home: Home,
) -> ModuleVerdict:
    """Run a kernel on fresh inputs, and compare what it writes with what the module computes in float64.

    Args:
        task: The kernel's task; its error bound counts.
        origin: The module.
        kernel: Text of the kernel file.
        kernel_us: Its latency, for what the module gains.
        parts: What runs the kernel; closed afterwards.
        graphs: What runs the module.
        home: Where compiled programs are kept.

    Raises:
        UsageError: The module raises.
        WorkerError: The environment failed.
    """
    judged_by = replace(parts, answers=ModuleAnswers(parts.answers, graphs, origin), ahead=())
    async with LocalToolbox(cache=home.compile_cache, parts=judged_by) as toolbox:
        report = await toolbox.do(TestOrder(task, kernel))
    return ModuleVerdict(origin, report, origin.gain(kernel_us))
