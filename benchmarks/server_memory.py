"""What a server holds after it judged large kernels, and the most it ever held.

    python -m benchmarks.server_memory [--kernels 20] [--elements 16777216] [--json]

One server in this process, asked over MCP: each kernel is a text of its own, is benchmarked at one large shape, and
is judged there in full. Memory is this process's resident memory, in MiB; its workers are not counted.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from mcp import Client

from agent.home import Home
from agent.mcp.server import build_server
from tools.tasks.folder import find

TASK = "vector_add"
SETTLE_S = 0.2
"""Until the threads that compared results have let go of them."""
ALLOWED_MIB = 250.0
"""What a server may hold at the end beyond what it held at the beginning."""


@dataclass(frozen=True)
class Held:
    """Resident memory after so many kernels, and the most so far, MiB."""

    kernels: int
    resident_mib: float
    peak_mib: float
    seconds: float


def held(kernels: int, began: float) -> Held:
    """Return what this process holds (proc(5), `status`)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = dict(line.split(":", 1) for line in lines if line.startswith(("VmRSS", "VmHWM")))
    resident, peak = (int(found[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return Held(kernels, resident, peak, time.monotonic() - began)


def large_task(folder: Path, elements: int) -> Path:
    """Make vector_add at one benchmark shape of so many elements."""
    made = shutil.copytree(find(TASK, None).folder, folder / TASK)
    text = (made / "task.toml").read_text()
    sized = re.sub(r"(\[\[bench\]\]\s*dims = )\{[^}]*\}", rf"\g<1>{{ n = {elements} }}", text)
    (made / "task.toml").write_text(sized)
    return made


async def judged(client: Client, asked: dict[str, Any]) -> dict[str, Any]:
    """Benchmark a kernel and return the answer, of a job where it took longer than a call may."""
    answer = await client.call_tool("benchmark_kernel", asked)
    found: dict[str, Any] = answer.structured_content or {}
    if not (job := found.get("job")):
        return found
    while found.get("state", "running") in ("waiting", "running"):
        answer = await client.call_tool("job_status", {"job": job})
        found = answer.structured_content or {"state": "lost"}
    return found.get("answer") or found


async def judge(kernels: int, elements: int, home: Path) -> list[Held]:
    """Benchmark kernels one after the other, and return what was held after each."""
    began = time.monotonic()
    baseline = find(TASK, None).baseline
    task = str(await asyncio.to_thread(large_task, home, elements))
    async with Client(build_server(Home(home), "sim:h200")) as client:
        steps = [held(0, began)]
        for number in range(kernels):
            kernel = f"{baseline}\n// {number}\n"
            found = await judged(client, {"task": task, "kernel": kernel})
            if found.get("verdict") != "pass":
                raise SystemExit(f"kernel {number} was not judged right: {found}")
            await asyncio.sleep(SETTLE_S)
            steps.append(held(number + 1, began))
    return steps


def main(
    kernels: Annotated[int, typer.Option("--kernels", min=1)] = 20,
    elements: Annotated[int, typer.Option("--elements", min=1)] = 1 << 24,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Judge kernels and print what the server held; fails where it holds too much more at the end."""
    with tempfile.TemporaryDirectory(prefix="warpwright-memory-") as folder:
        steps = asyncio.run(judge(kernels, elements, Path(folder)))
    if as_json:
        typer.echo(json.dumps([asdict(step) for step in steps]))
    else:
        for step in steps:
            typer.echo(
                f"{step.kernels:>3} kernels  {step.resident_mib:7.0f} MiB  peak {step.peak_mib:7.0f} MiB"
                f"  {step.seconds:6.1f} s"
            )
    grown = steps[-1].resident_mib - steps[0].resident_mib
    typer.echo(f"held at the end: {grown:+.0f} MiB, of {ALLOWED_MIB:.0f} allowed", err=True)
    raise typer.Exit(0 if grown <= ALLOWED_MIB else 1)


if __name__ == "__main__":
    typer.run(main)
