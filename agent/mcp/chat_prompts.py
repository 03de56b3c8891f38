"""Prompts: whole pieces of work for the model of a chat, with these tools as its judge."""

from __future__ import annotations

from typing import Annotated

from mcp.server import MCPServer
from pydantic import Field

from agent.mcp.services import Services
from prompts import render_chat

_LONGEST = 256 * 1024
_Task = Annotated[str, Field(max_length=4096, description="A task's name, see list_tasks.")]
_Kernel = Annotated[str, Field(max_length=_LONGEST, description="The whole kernel file.")]


def register(server: MCPServer[Services]) -> None:
    """Add the prompts to a server."""
    for title, function in (
        ("Optimise a kernel", optimize_kernel),
        ("Repair a kernel", repair_kernel),
        ("Explain a profile", explain_profile),
        ("Make a new task", new_task),
    ):
        description = " ".join((function.__doc__ or "").split())
        server.prompt(title=title, description=description)(function)


def optimize_kernel(
    task: _Task, goal: Annotated[str, Field(max_length=2000, description="When it is fast enough.")] = ""
) -> str:
    """Write the fastest correct kernel for a task, round by round, judged by the tools."""
    return render_chat("optimize_kernel", {"task": task, "goal": f" The goal: {goal}" if goal else ""})


def repair_kernel(
    task: _Task,
    kernel: _Kernel,
    problem: Annotated[str, Field(max_length=8000, description="What was seen to go wrong.")] = "",
) -> str:
    """Find the one root cause of a wrong kernel, and mend it."""
    said = f" What was seen: {problem}" if problem else ""
    return render_chat("repair_kernel", {"task": task, "kernel": kernel, "problem": said})


def explain_profile(task: _Task, kernel: _Kernel) -> str:
    """Explain why a kernel is as fast as it is, and what to try first."""
    return render_chat("explain_profile", {"task": task, "kernel": kernel})


def new_task(
    request: Annotated[str, Field(max_length=8000, description="What kernels should compute, in words.")],
) -> str:
    """Draft a task from plain words, have the person confirm it, and keep it."""
    return render_chat("new_task", {"request": request})
