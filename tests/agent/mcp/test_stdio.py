"""`warpwright serve` as a real process, spoken to over its standard input and output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

ROOT = Path(__file__).parents[3]
SERVE = [sys.executable, "-m", "warpwright", "serve"]
ADD = """\
//@ launch add<<<ceil_div(n, 128), 128>>>(x, y, out, n)
extern "C" __global__ void add(const float* x, const float* y, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i] + y[i];
}
"""


def environment(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "WARPWRIGHT_HOME": str(home), "PYTHONPATH": str(ROOT)}


def descendants(pid: int) -> set[int]:
    children = Path(f"/proc/{pid}/task").glob("*/children")
    direct = {int(child) for file in children for child in file.read_text().split()}
    return direct | {below for child in direct for below in descendants(child)}


def alive(pids: set[int]) -> set[int]:
    return {
        pid
        for pid in pids
        if Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text()
    }


async def call(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    assert answer.structured_content is not None
    return answer.structured_content


async def test_a_chat_model_writes_a_kernel_with_the_tools_alone(tmp_path: Path, quick: str) -> None:
    """The model of a chat is the coder, warpwright the judge: no key, no search, the real simulator."""
    server = StdioServerParameters(command=SERVE[0], args=SERVE[1:], env=environment(tmp_path))
    async with Client(server) as client:
        assert len((await client.list_tools()).tools) == 19
        tasks = (await call(client, "list_tasks"))["tasks"]
        assert "vector_add" in [task["name"] for task in tasks]
        task = await call(client, "get_task", task=quick)
        assert [one["name"] for one in task["arguments"]][:2] == ["x", "y"]
        for kernel, compiles, passes in (
            (ADD.replace("+ y[i]", "+ y[i"), "compile_error", "compile_error"),
            (ADD.replace("x[i] + y[i]", "x[i]"), "pass", "wrong_result"),
            (ADD, "pass", "pass"),
        ):
            compiled = await call(client, "compile_kernel", task=quick, kernel=kernel)
            tested = await call(client, "test_kernel", task=quick, kernel=kernel)
            if "job" in tested:
                tested = (await call(client, "job_status", job=tested["job"], wait_s=45))["answer"]
            assert (compiled["verdict"], tested["verdict"]) == (compiles, passes)
        profile = await call(client, "profile_kernel", task=quick, kernel=ADD)
        assert profile["provenance"] == "estimated"
        assert profile["bottleneck"]
        kernels = {"mine": ADD, "wrong": ADD.replace("x[i] + y[i]", "x[i]")}
        ranked = await call(client, "compare_kernels", task=quick, kernels=kernels)
        if "job" in ranked:
            ranked = (await call(client, "job_status", job=ranked["job"], wait_s=45))["answer"]
        assert ranked["best"] == "mine"
        assert [one["verdict"] for one in ranked["standings"]] == ["pass", "wrong_result"]


class Wire:
    """A server process and the plain lines of the older protocol."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            SERVE,
            env=environment(home),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.lines: list[bytes] = []
        self._number = 0
        opening = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "0"},
        }
        self.ask("initialize", opening)
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def call(self, tool: str, **arguments: object) -> dict[str, Any]:
        return self.ask("tools/call", {"name": tool, "arguments": arguments})["structuredContent"]

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        self._send({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        assert self.process.stdout is not None
        while True:
            self.lines.append(self.process.stdout.readline())
            answer = json.loads(self.lines[-1])
            if answer.get("id") == self._number:
                return answer["result"]

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def ends_within(self, seconds: float) -> int:
        out, _ = self.process.communicate(timeout=seconds)
        assert all(json.loads(line)["jsonrpc"] == "2.0" for line in out.splitlines())
        return self.process.returncode


Serving = Callable[[Path], Wire]


@pytest.fixture
def serving() -> Iterator[Serving]:
    with ExitStack() as stack:

        def start(home: Path) -> Wire:
            wire = Wire(home)
            stack.enter_context(wire.process)
            stack.callback(wire.process.kill)
            return wire

        yield start


@pytest.mark.parametrize("end", ["closed input", "SIGTERM", "SIGINT"])
def test_however_the_server_ends_it_leaves_no_process(end: str, tmp_path: Path, serving: Serving) -> None:
    wire = serving(tmp_path)
    assert wire.call("compile_kernel", task="vector_add", kernel=ADD)["verdict"] == "pass"
    family = descendants(wire.process.pid)
    assert family
    if end != "closed input":
        wire.process.send_signal(signal.Signals[end])
        assert wire.process.wait(20) == 0
    assert wire.ends_within(20) == 0
    deadline = time.monotonic() + 5
    while alive(family) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(family)


def test_a_search_whose_server_was_killed_goes_on_and_the_next_server_follows_it(
    tmp_path: Path, serving: Serving, quick: str
) -> None:
    first = serving(tmp_path)
    run = first.call("start_search", task=quick, candidates=1, depth=1)["run"]
    first.process.kill()
    first.process.communicate(timeout=20)
    second = serving(tmp_path)
    status = second.call("search_status", run=run)
    assert status["state"] in ("running", "completed")
    while (status := second.call("search_status", run=run, wait_s=45))["state"] == "running":
        pass
    assert status["state"] == "completed"
    assert second.call("search_result", run=run)["verdict"] == "pass"
    assert second.ends_within(20) == 0


def test_a_server_without_its_device_says_so_on_standard_error_and_exits_3(tmp_path: Path) -> None:
    finished = subprocess.run(
        [*SERVE, "--device", "cuda:0"],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (finished.returncode, finished.stdout) == (3, "")
    assert "cuda:0" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_the_example_client_prints_the_best_kernel(tmp_path: Path, quick: str) -> None:
    script = ROOT / "examples/scripts/search_over_mcp.py"
    finished = subprocess.run(
        [sys.executable, script, quick],
        env=environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert "__global__" in finished.stdout
    assert "us (estimated)" in finished.stderr
