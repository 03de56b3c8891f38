"""The kernel tools over MCP, called by a real client in memory, in both eras of the protocol."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent

from sandbox.device import Fault, LaunchProfile, Metric
from sandbox.errors import UsageError, WorkerDiedError
from sandbox.program import Diagnostic, KernelResources
from sandbox.verdict import Provenance, Verdict
from tools.mcp import HasToolbox, register, waiting
from tools.reports import (
    CaseReport,
    CheckReport,
    CompileReport,
    Mismatch,
    ProfileReport,
    ShapeTiming,
    TestReport,
)
from tools.task import Task

GOLDEN = Path(__file__).parent / "golden"
KERNEL = "//@ launch k<<<1, 1>>>()\n__global__ void k() {}\n"
TOOLS = ["compile_kernel", "get_task", "list_tasks", "profile_kernel", "test_kernel"]

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
METRIC = Metric("dram__bytes.sum", 4096.0, "byte", Provenance.COUNTED)
LAUNCH = LaunchProfile("k", 1, 3.0, Provenance.ESTIMATED, "dram", 0.5, 10, 100, (METRIC,) * 100)
PROFILED = ProfileReport(
    Verdict.PASS,
    "3 us estimated.",
    3.0,
    Provenance.ESTIMATED,
    2.0,
    (ShapeTiming({"n": 4096}, 3.0, Provenance.ESTIMATED, 6.0, (LAUNCH,) * 100),),
    "dram",
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
    calls: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    cancelled: int = 0
    device: str = "sim:h200"
    isolation: str = "bubblewrap"

    async def compile(self, task: Task, kernel: str, tune: Mapping[str, int] | None = None) -> CompileReport:
        await self._work(task.name, kernel, tune)
        return self.compiled

    async def test(
        self, task: Task, kernel: str, tune: Mapping[str, int] | None = None, *, seed: int | None = None
    ) -> TestReport:
        await self._work(task.name, kernel, tune, seed)
        return self.tested

    async def profile(self, task: Task, kernel: str, tune: Mapping[str, int] | None = None) -> ProfileReport:
        await self._work(task.name, kernel, tune)
        return self.profiled

    async def check(
        self,
        task: Task,
        kernel: str,
        *,
        sweep: bool = False,
        profile: bool = True,
        benches: bool = True,
        seed: int | None = None,
    ) -> CheckReport:
        raise NotImplementedError

    async def aclose(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def _work(self, *call: Any) -> None:
        self.calls.append(call)
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error


@dataclass(frozen=True)
class Workshop:
    toolbox: CannedToolbox


def client(toolbox: CannedToolbox, mode: Mode = "auto") -> AbstractAsyncContextManager[Client]:
    @asynccontextmanager
    async def lifespan(_: MCPServer[HasToolbox]) -> AsyncGenerator[HasToolbox]:
        yield Workshop(toolbox)

    server = MCPServer[HasToolbox]("test", lifespan=lifespan, log_level="CRITICAL")
    register(server)
    return Client(server, mode=mode)


def structured(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


def error_text(result: CallToolResult) -> str:
    assert result.is_error
    content = result.content[0]
    assert isinstance(content, TextContent)
    return content.text


@both_eras
async def test_the_tools_and_their_schemas_are_the_golden_ones(mode: Mode) -> None:
    """A drift fails; `WARPWRIGHT_UPDATE_GOLDEN=1 pytest tests/tools/mcp` writes the files anew."""
    async with client(CannedToolbox(), mode) as connected:
        listed = {tool.name: tool for tool in (await connected.list_tools()).tools}
    assert sorted(listed) == TOOLS
    for name, tool in listed.items():
        text = (
            json.dumps(
                tool.model_dump(mode="json", by_alias=True, exclude_none=True), indent=2, sort_keys=True
            )
            + "\n"
        )
        path = GOLDEN / f"{name}.json"
        if os.environ.get("WARPWRIGHT_UPDATE_GOLDEN"):
            path.write_text(text)
        assert path.read_text() == text, f"{path.name} drifted"


@both_eras
async def test_tasks_are_listed_and_read(mode: Mode) -> None:
    async with client(CannedToolbox(), mode) as connected:
        listed = structured(await connected.call_tool("list_tasks", {}))
        assert listed["device"] == "sim:h200"
        names = [task["name"] for task in listed["tasks"]]
        assert "softmax" in names
        details = structured(await connected.call_tool("get_task", {"task": "softmax"}))
    assert "def reference" in details["reference"]
    assert "//@ launch" in details["baseline"]
    assert "//@ launch" in details["kernel_file_rules"]
    assert {argument["role"] for argument in details["arguments"]} >= {"in", "out"}


@both_eras
async def test_an_unknown_task_is_an_error_that_says_what_to_do(mode: Mode) -> None:
    async with client(CannedToolbox(), mode) as connected:
        for name, arguments in (("get_task", {}), ("test_kernel", {"kernel": KERNEL})):
            text = error_text(await connected.call_tool(name, {"task": "sofmax", **arguments}))
            assert "softmax" in text
            assert "list_tasks" in text


@both_eras
async def test_a_compiled_kernel_shows_what_it_uses(mode: Mode) -> None:
    toolbox = CannedToolbox()
    async with client(toolbox, mode) as connected:
        arguments = {"task": "softmax", "kernel": KERNEL, "tune": {"BLOCK": 64}}
        answer = structured(await connected.call_tool("compile_kernel", arguments))
    assert answer["verdict"] == "pass"
    assert answer["kernels"] == [
        {"name": "k", "registers": 24, "shared_bytes": 1024, "stack_bytes": 0, "spill_bytes": 12}
    ]
    assert answer["compiler_messages"] == [{"severity": "warning", "line": 3, "message": "unused"}]
    assert answer["next_step"].startswith("test_kernel")
    assert toolbox.calls == [("softmax", KERNEL, {"BLOCK": 64})]


@both_eras
async def test_a_wrong_kernel_is_an_answer_with_the_first_wrong_elements(mode: Mode) -> None:
    toolbox = CannedToolbox()
    async with client(toolbox, mode) as connected:
        arguments = {"task": "softmax", "kernel": KERNEL, "seed": 7}
        answer = structured(await connected.call_tool("test_kernel", arguments))
    assert (answer["verdict"], answer["runs_passed"], answer["runs_total"]) == ("wrong_result", 1, 6)
    assert answer["isolation"] == "bubblewrap"
    failed = answer["failed"]
    assert (failed["seed"], failed["wrong"], failed["never_written"]) == (7, 2, 1)
    assert failed["first"] == [{"output": "out", "index": [4], "got": "nan", "expected": 2.0, "bound": 1e-6}]
    assert toolbox.calls[0][-1] == 7


async def test_a_fault_tells_where_it_happened() -> None:
    fault = Fault(Verdict.MEMORY_FAULT, "past the end", line=9, block=(1, 0, 0), thread=(5, 0, 0), buffer="x")
    case = CaseReport({"n": 33}, 7, Verdict.MEMORY_FAULT, "past the end", fault=fault)
    tested = TestReport(Verdict.MEMORY_FAULT, "past the end", (case,), 6)
    async with client(CannedToolbox(tested=tested)) as connected:
        arguments = {"task": "softmax", "kernel": KERNEL}
        failed = structured(await connected.call_tool("test_kernel", arguments))["failed"]
    assert (failed["line"], failed["block"], failed["thread"], failed["buffer"]) == (
        9,
        [1, 0, 0],
        [5, 0, 0],
        "x",
    )


async def test_a_pass_and_an_unsupported_kernel_lead_to_other_steps() -> None:
    for verdict, step in ((Verdict.PASS, "profile_kernel"), (Verdict.UNSUPPORTED, "another device")):
        async with client(CannedToolbox(tested=TestReport(verdict, "", (), 6))) as connected:
            answer = structured(
                await connected.call_tool("test_kernel", {"task": "softmax", "kernel": KERNEL})
            )
        assert step in answer["next_step"]
        assert answer["failed"] is None


@both_eras
async def test_a_profile_is_bounded_and_every_time_has_its_provenance(mode: Mode) -> None:
    async with client(CannedToolbox(), mode) as connected:
        result = await connected.call_tool("profile_kernel", {"task": "softmax", "kernel": KERNEL})
    answer = structured(result)
    assert (answer["latency_us"], answer["provenance"], answer["speedup"]) == (3.0, "estimated", 2.0)
    launches = answer["shapes"][0]["launches"]
    assert len(launches) == 16
    assert len(launches[0]["metrics"]) == 48
    assert launches[0]["metrics"][0]["provenance"] == "counted"


@both_eras
@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel": "x" * (256 * 1024 + 1)},
        {"kernel": ""},
        {"kernel": KERNEL, "seed": -1},
        {"kernel": KERNEL, "tune": {"BLOCK": "many"}},
    ],
)
async def test_arguments_out_of_bounds_never_reach_the_toolbox(mode: Mode, arguments: dict[str, Any]) -> None:
    toolbox = CannedToolbox()
    async with client(toolbox, mode) as connected:
        text = error_text(await connected.call_tool("test_kernel", {"task": "softmax", **arguments}))
    assert next(reversed(arguments)) in text
    assert not toolbox.calls


@both_eras
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UsageError("reference.py, line 3: division by zero"), "reference.py, line 3"),
        (WorkerDiedError("secret path"), "try once more"),
    ],
)
async def test_errors_of_the_environment_are_said_in_words(mode: Mode, error: Exception, said: str) -> None:
    async with client(CannedToolbox(error=error), mode) as connected:
        text = error_text(await connected.call_tool("test_kernel", {"task": "softmax", "kernel": KERNEL}))
    assert said in text
    assert "secret" not in text


@both_eras
async def test_progress_is_told_while_a_call_lasts(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PROGRESS_S", 0.05)
    seen: list[float] = []

    async def listen(progress: float, total: float | None, message: str | None) -> None:
        assert message is not None
        assert message.startswith("testing for softmax")
        seen.append(progress)

    async with client(CannedToolbox(seconds=0.3), mode) as connected:
        await connected.call_tool(
            "test_kernel", {"task": "softmax", "kernel": KERNEL}, progress_callback=listen
        )
    assert len(seen) >= 3
    assert seen == sorted(set(seen))


class Quiet:
    """A context that nobody listens to."""

    async def report_progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None: ...


async def test_a_call_that_lasts_too_long_is_stopped_and_says_what_to_do_instead() -> None:
    with pytest.raises(ToolError, match="start_search does the same work"):
        await waiting.with_progress(Quiet(), asyncio.sleep(60), "profiling", longest_s=0.1)


async def test_a_cancelled_call_cancels_the_work() -> None:
    toolbox = CannedToolbox(seconds=60)
    async with client(toolbox) as connected:
        call = asyncio.ensure_future(
            connected.call_tool("compile_kernel", {"task": "softmax", "kernel": KERNEL})
        )
        async with asyncio.timeout(5):
            while not toolbox.calls:
                await asyncio.sleep(0.01)
            call.cancel()
            while not toolbox.cancelled:
                await asyncio.sleep(0.01)
