"""What a search found, beside the PyTorch function or module that its task was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console

from agent.cli.output import clean

if TYPE_CHECKING:
    from agent.home import Home
    from agent.importing.modules.verifying import ModuleVerdict
    from agent.results import SearchResult
    from agent.store import Run


async def module_verdict(result: SearchResult, run: Run, home: Home) -> ModuleVerdict | None:
    """Hold the best kernel against its module; None where the task is of another origin, or nothing was found.

    Raises:
        UsageError: The module raises, or what the task keeps of it is spoilt.
        WorkerError: The environment failed.
    """
    from agent.importing.modules.module_origin import FILE, read_origin

    if result.best is None or not (run.task_folder / FILE).is_file():
        return None
    origin = read_origin(run.task_folder)
    elsewhere = run.request.workers is not None and run.device.startswith("cuda")
    if origin is None or run.request.tools is not None or elsewhere:
        return None
    from agent.importing.modules.verifying import against_module
    from sandbox.isolation.choose import choose_isolation
    from sandbox.torch_graphs.service import TorchGraphs
    from tools.parts import local_parts
    from tools.tasks.folder import load

    TorchGraphs.check()
    best, parts = result.best, local_parts(run.device, home.compile_cache, None)
    kernel = best.path.read_text(encoding="utf-8")
    async with TorchGraphs(choose_isolation()) as graphs:
        return await against_module(
            load(run.task_folder), origin, kernel, best.latency_us, parts=parts, graphs=graphs, home=home
        )


def show_module(console: Console, found: ModuleVerdict) -> None:
    """Print whether the kernel does what the module does, and what the module gains."""
    origin = found.origin
    what = (
        f"{origin.file}:{origin.target}" if not origin.nodes else f"a part of {origin.file}:{origin.target}"
    )
    said = f"{found.report.verdict} beside it in float64: {clean(found.report.message)}"
    console.print(f"module       {what}: {said}", soft_wrap=True)
    limit = "" if origin.share >= 1.0 else f", {origin.limit:.2f} times at most (Amdahl)"
    console.print(
        f"its gain     {found.gain:.2f} times as fast as its operators at {origin.device}'s peak rates, of whose time"
        f" {origin.share:.0%} is replaced{limit} (estimated)",
        soft_wrap=True,
    )


def as_json(found: ModuleVerdict) -> dict[str, Any]:
    """Return the same for scripts."""
    origin = found.origin
    return {
        "file": origin.file,
        "target": origin.target,
        "verdict": str(found.report.verdict),
        "message": found.report.message,
        "share": origin.share,
        "gain": found.gain,
        "limit": None if origin.share >= 1.0 else origin.limit,
        "provenance": "estimated",
    }
