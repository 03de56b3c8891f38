"""A toolbox that gives prepared reports, behind the kernel tools of a real server, and a real client to it in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, cast

import pytest
from mcp import Client
from mcp.client.session import ElicitationFnT
from mcp.server import MCPServer
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, TextContent

from sandbox.device import Bottleneck, LaunchProfile, Metric
from sandbox.program import Diagnostic, KernelResources
from sandbox.verdict import Provenance, Verdict
from tools.mcp import HasToolbox, judge_tools, task_tools, waiting
from tools.mcp.named_orders import NamedOrder
from tools.progress import Account
from tools.reports import (
    CaseReport,
    CheckReport,
    CompileReport,
    Mismatch,
    ProfileReport,
    ShapeTiming,
    StageReport,
    TestReport,
)
from tools.tasks.catalogue import TaskCatalogue
from tools.tasks.task import Task
from tools.toolbox import AnyOrder, CheckOrder, CompileOrder, Order, ProfileOrder, TestOrder

R = TypeVar("R")

KERNEL = "//@ launch k<<<1, 1>>>()\n__global__ void k() {}\n"
Mode = Literal["auto", "legacy"]
both_eras = pytest.mark.parametrize("mode", ["auto", "legacy"])

COMPILED = CompileReport(
    Verdict.PASS,
    "Compiled.",
    (Diagnostic("warning", "unused", 3),),
    (KernelResources("k", "_Z1kv", 24, 1024, 0, 8, 4),),
    "sm_90",
    ptx_key="ab",
)
WRONG = CaseReport(
    {"n": 33},
    7,
    Verdict.WRONG_RESULT,
    "Wrong result at n=33.",
    2,
    1,
    33,
    None,
    (Mismatch("out", (4,), "nan", 2.0, 1e-6),),
)
TESTED = TestReport(
    Verdict.WRONG_RESULT, WRONG.message, (replace(WRONG, verdict=Verdict.PASS, first=()), WRONG), 6
)
METRICS = tuple(Metric(f"dram__bytes_{n}.sum", 4096.0, "byte", Provenance.COUNTED) for n in range(100))
LAUNCH = LaunchProfile("k", 1, 3.0, Provenance.ESTIMATED, Bottleneck.DRAM, 0.5, 10, 100, METRICS)
PROFILED = ProfileReport(
    Verdict.PASS,
    "3 us estimated.",
    3.0,
    Provenance.ESTIMATED,
    2.0,
    (ShapeTiming({"n": 4096}, 3.0, Provenance.ESTIMATED, 6.0, (LAUNCH,) * 100),),
    Bottleneck.DRAM,
    0.5,
)


@dataclass
class CannedToolbox:
    """A toolbox that gives prepared reports."""

    compiled: CompileReport = COMPILED
    tested: TestReport = TESTED
    profiled: ProfileReport = PROFILED
    error: Exception | None = None
    seconds: float = 0.0
    orders: list[AnyOrder[Task]] = field(default_factory=list[AnyOrder[Task]])
    cancelled: int = 0
    device: str = "sim:h200"
    isolation: str = "bubblewrap"

    async def do(self, order: Order[Task, R]) -> R:
        self.orders.append(cast("AnyOrder[Task]", order))
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        prepared = {CompileOrder: self.compiled, TestOrder: self.tested, ProfileOrder: self.profiled}
        return cast("R", self._checked(order) if isinstance(order, CheckOrder) else prepared[type(order)])

    def _checked(self, order: CheckOrder[Task]) -> CheckReport:
        kernel = order.kernel
        right = "WRONG" not in kernel
        latency = float(kernel.rpartition("US=")[2].split()[0]) if "US=" in kernel else 3.0
        return CheckReport(
            Verdict.PASS if right else Verdict.WRONG_RESULT,
            order.task.name,
            self.device,
            Provenance.COUNTED,
            "right" if right else WRONG.message,
            (StageReport("compile", Verdict.PASS, "", 0.1),),
            self.compiled,
            TestReport(Verdict.PASS, "") if right else self.tested,
            replace(self.profiled, latency_us=latency, speedup=6 / latency),
            {"BLOCK": 128},
            self.isolation,
            "c0ffee",
        )

    async def aclose(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True)
class Services:
    toolbox: CannedToolbox
    catalogue: TaskCatalogue
    orders: list[NamedOrder] = field(default_factory=list[NamedOrder])
    under_way: list[asyncio.Task[Any]] = field(default_factory=list[asyncio.Task[Any]])

    judged: dict[str, CheckReport] = field(default_factory=dict[str, CheckReport])
    used_tasks: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("sim:h200", "sim:a100")

    async def toolbox_of(self, device: str) -> CannedToolbox:
        return replace(self.toolbox, device=device)

    def used(self, task: str) -> bool:
        return task in self.used_tasks

    def features_against(self, bottleneck: str) -> list[str]:
        return [f"against_{bottleneck}"]

    def composer_on(self, task: Task) -> str:
        return "composed"

    async def go_on_later(
        self, order: NamedOrder, device: str, work: asyncio.Task[Any], account: Account
    ) -> str:
        self.orders.append(order)
        self.under_way.append(work)
        return "job-1"


def client(
    toolbox: CannedToolbox,
    mode: Mode = "auto",
    own: Path | None = None,
    orders: list[NamedOrder] | None = None,
    asks: ElicitationFnT | None = None,
    used: tuple[str, ...] = (),
) -> AbstractAsyncContextManager[Client]:
    @asynccontextmanager
    async def lifespan(_: MCPServer[HasToolbox]) -> AsyncGenerator[HasToolbox]:
        catalogue, given = TaskCatalogue(own, paths=False), [] if orders is None else orders
        services = Services(toolbox, catalogue, given, used_tasks=used)
        yield services
        for work in services.under_way:
            await waiting.dropped(work)

    tools = list[Tool]([*task_tools(), *judge_tools()])
    server = MCPServer[HasToolbox]("test", lifespan=lifespan, log_level="CRITICAL", tools=tools)
    return Client(server, mode=mode, elicitation_callback=asks)


def structured(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


def error_text(result: CallToolResult) -> str:
    assert result.is_error
    content = result.content[0]
    assert isinstance(content, TextContent)
    return content.text


NEW_TASK: dict[str, Any] = {
    "name": "twice",
    "summary": 'Twice a vector: "2 x" \u00d7 \U0001f600.',
    "dims": ["n"],
    "arguments": [
        {"name": "x", "role": "in", "dtype": "float32", "shape": ["n"], "data": "normal(0, 1)"},
        {"name": "y", "role": "out", "dtype": "float32", "shape": ["n"]},
    ],
    "tests": [{"dims": [{"name": "n", "value": 33}], "data": [{"name": "x", "value": "ties(3)"}]}],
    "benches": [{"dims": [{"name": "n", "value": 4096}], "data": []}],
    "flops": "n",
    "bytes": "8 * n",
    "reference": "def reference(x, n):\n    return {'y': 2 * x}\n",
    "baseline": "//@ launch twice<<<ceil_div(n, 128), 128>>>(x, y, n)\n__global__ void twice() {}\n",
}
PASSES = TestReport(Verdict.PASS, "")
