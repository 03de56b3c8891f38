"""Whole jobs as a model in a chat does them, with no more than the tools: they end right, and cost few words."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.types import TextContent

from agent.home import Home
from agent.mcp.server import build_server
from tools.tasks.folder import find

pytestmark = pytest.mark.usefixtures("in_this_process")
BEFORE = {"softmax": 24_817, "transpose": 20_662, "gelu": 16_968, "search": 15_981, "race": 20_847}
"""Bytes that the same calls read where answers were data printed as text, counted by these scripts on that version.

Of a search without its kernel, for which 1,500 are left off here.
"""
TOKENS_BEFORE = {"softmax": 8_000, "transpose": 10_000}
"""Tokens that a model read then in whole conversations."""
BYTES_A_TOKEN = 3.3
"""At least, of what these jobs read: o200k_base takes 3258 tokens for softmax's 11005 bytes, cl100k_base 3222."""
SMALL = {"rows = 4096, cols = 4096": "rows = 64, cols = 256"}
GELU = {
    "name": "bias_gelu",
    "summary": "GELU of a matrix plus a bias for each column, in half precision.",
    "dims": ["rows", "cols"],
    "arguments": [
        {"name": "x", "role": "in", "dtype": "float16", "shape": ["rows", "cols"], "data": "normal(0, 1)"},
        {"name": "bias", "role": "in", "dtype": "float16", "shape": ["cols"], "data": "normal(0, 1)"},
        {"name": "y", "role": "out", "dtype": "float16", "shape": ["rows", "cols"]},
    ],
    "tests": [{"dims": {"rows": 1, "cols": 1}}, {"dims": {"rows": 3, "cols": 33}}],
    "benches": [{"dims": {"rows": 64, "cols": 64}}],
    "flops": "10 * rows * cols",
    "bytes": "4 * rows * cols",
    "reference": "import numpy as np\nfrom special import erf\n\n\ndef reference(x, bias, rows, cols):\n"
    "    v = x + bias\n    return {'y': 0.5 * v * (1 + erf(v / np.sqrt(2.0)))}\n",
    "baseline": """\
//@ launch bias_gelu<<<ceil_div(rows * cols, 128), 128>>>(x, bias, y, rows, cols)
#include <cuda_fp16.h>
__global__ void bias_gelu(const __half* x, const __half* bias, __half* y, int rows, int cols) {
    int i = blockIdx.x * 128 + threadIdx.x;
    if (i >= rows * cols) return;
    float v = __half2float(x[i]) + __half2float(bias[i % cols]);
    y[i] = __float2half(0.5f * v * (1.0f + erff(v * 0.70710678f)));
}
""",
}


@dataclass
class Chat:
    """A model's side of a conversation: what it sends and reads, counted."""

    client: Client
    calls: int = 0
    sent: int = 0
    read: int = 0
    began: float = field(default_factory=time.monotonic)

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        answer = await self.client.call_tool(tool, arguments)
        self.calls += 1
        self.sent += len(json.dumps(arguments))
        self.read += sum(len(one.text.encode()) for one in answer.content if isinstance(one, TextContent))
        assert not answer.is_error, answer.content
        assert answer.structured_content is not None
        return answer.structured_content

    async def look(self, task: str) -> None:
        await self.call("list_tasks")
        await self.call("get_task", task=task)

    async def judged(self, task: str, kernel: str) -> dict[str, Any]:
        assert (await self.call("test_kernel", task=task, kernel=kernel))["verdict"] == "pass"
        assert (await self.call("profile_kernel", task=task, kernel=kernel))["bottleneck"]
        return await self.call("benchmark_kernel", task=task, kernel=kernel)


@pytest.fixture
def small(tmp_path: Path) -> Callable[[str], str]:
    """Copies a bundled task, timed at a size that costs nothing, and returns its folder."""

    def copy(name: str) -> str:
        folder = shutil.copytree(find(name, None).folder, tmp_path / "small" / name)
        text = (folder / "task.toml").read_text()
        for large, size in SMALL.items():
            text = text.replace(large, size)
        (folder / "task.toml").write_text(text)
        return str(folder)

    return copy


Chatting = Callable[[str], AbstractAsyncContextManager[Chat]]


@pytest.fixture
def chatting(tmp_path: Path, record_property: Callable[[str, object], None]) -> Chatting:
    """A chat with a server; the job that it does must read at most half of what it read before."""

    @asynccontextmanager
    async def chatting(job: str) -> AsyncGenerator[Chat]:
        async with Client(build_server(Home(tmp_path), "auto")) as client:
            chat = Chat(client)
            yield chat
        seconds = time.monotonic() - chat.began
        record_property("job over MCP", (job, chat.calls, chat.sent, chat.read, BEFORE[job], seconds))
        assert chat.read <= BEFORE[job] / 2
        if job in TOKENS_BEFORE:
            assert chat.read / BYTES_A_TOKEN <= TOKENS_BEFORE[job] / 2

    return chatting


async def by_hand(chat: Chat, task: str, kernel: str) -> None:
    """Look, write, compile, test, profile, benchmark."""
    await chat.look(task)
    await chat.call("device_info")
    await chat.call("list_features")
    assert (await chat.call("compile_kernel", task=task, kernel=kernel))["verdict"] == "pass"
    assert (await chat.judged(task, kernel))["verdict"] == "pass"


async def test_a_softmax_is_written_and_judged(chatting: Chatting, small: Callable[[str], str]) -> None:
    async with chatting("softmax") as chat:
        await by_hand(chat, small("softmax"), f"// mine\n{find('softmax', None).baseline}")


async def test_a_slow_transpose_is_told_what_bounds_it(
    chatting: Chatting, small: Callable[[str], str]
) -> None:
    async with chatting("transpose") as chat:
        await by_hand(chat, small("transpose"), f"// mine\n{find('transpose', None).baseline}")


async def test_a_fused_kernel_in_half_precision_gets_a_task_of_its_own(chatting: Chatting) -> None:
    async with chatting("gelu") as chat:
        await chat.look("relu")
        created = await chat.call("create_task", task=GELU)
        assert created["created"]
        assert "start_search" in created["composer"]
        assert (await chat.judged("bias_gelu", f"// mine\n{GELU['baseline']}"))["verdict"] == "pass"


async def test_a_search_is_started_followed_and_read_and_its_kernel_profiled(
    chatting: Chatting, quick: str
) -> None:
    async with chatting("search") as chat:
        await chat.look(quick)
        status = await chat.call("start_search", task=quick, candidates=1, depth=1, seed=7)
        while status["state"] == "running":
            status = await chat.call("search_status", run=status["run"], wait_s=45)
        found = await chat.call("search_result", run=status["run"])
        assert found["verdict"] == "pass"
        assert "__global__" in found["best"]["kernel"]
        chat.read -= len(found["best"]["kernel"])  # which is as long as the composer likes
        profiled = await chat.call("profile_kernel", task=quick, kernel=found["best"]["kernel"])
        assert profiled["bottleneck"]


async def test_a_racy_kernel_is_told_its_lines_and_mended(
    chatting: Chatting, small: Callable[[str], str]
) -> None:
    async with chatting("race") as chat:
        task, right = small("softmax"), find("softmax", None).baseline
        await chat.look(task)
        racy = right.replace("__syncthreads();", "", 1)
        told = await chat.call("test_kernel", task=task, kernel=racy)
        assert told["verdict"] == "race"
        assert told["failed"]["lines"]
        assert (await chat.judged(task, right))["verdict"] == "pass"
