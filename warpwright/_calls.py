"""The three functions of the Python face."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warpwright._calling import Blocking
from warpwright._entry import find_own_first
from warpwright._task import Task
from warpwright._verdict import Verdict

if TYPE_CHECKING:
    from agent.results import SearchResult
    from tools.reports import CheckReport, ProfileReport
    from tools.toolbox import Toolbox


async def _check(
    kernel: str | Path,
    task: str | Path | Task,
    *,
    device: str = "auto",
    sweep: bool = False,
    seed: int | None = None,
) -> Verdict:
    """Judge a kernel: compile it, test it on fresh inputs, time it, judge its results at the benchmark sizes.

    Args:
        kernel: Path of a kernel file, or its text.
        task: What it must compute: a `Task`, a task's name, or the path of its folder.
        device: `auto` is a GPU where there is one, else a simulated H200; `sim:a100` and the like are others.
        sweep: Try the values that the file's tunables offer, and keep the best correct ones.
        seed: Replays one judgement; None takes fresh inputs.

    Raises:
        ValueError: The kernel cannot be read, or the task or the device cannot be used.
        RuntimeError: This machine lacks something, or its environment failed; the text says what to do.
    """
    text, known = _text(kernel), _task(task)
    from agent.cli.judging.report_view import show_check
    from tools.toolbox import CheckOrder

    async with _opened(device) as toolbox:
        report = await _asked(toolbox.do(CheckOrder(known._judged, text, sweep=sweep, seed=seed)))  # pyright: ignore[reportPrivateUsage]
    return _of_check(report, text, partial(show_check, report=report))


async def _profile(kernel: str | Path, task: str | Path | Task, *, device: str = "auto") -> Verdict:
    """Time a kernel beside the task's baseline, and say what bounds it; says nothing of its correctness.

    Args:
        kernel: Path of a kernel file, or its text.
        task: What it must compute: a `Task`, a task's name, or the path of its folder.
        device: As for `check`.

    Raises:
        ValueError: The kernel cannot be read, or the task or the device cannot be used.
        RuntimeError: This machine lacks something, or its environment failed; the text says what to do.
    """
    text, known = _text(kernel), _task(task)
    from agent.cli.judging.report_view import show_profile
    from tools.toolbox import ProfileOrder

    async with _opened(device) as toolbox:
        report = await _asked(toolbox.do(ProfileOrder(known._judged, text)))  # pyright: ignore[reportPrivateUsage]
        device = toolbox.device
    show = partial(show_profile, report=report, device=device)
    return Verdict(
        str(report.verdict),
        report.message,
        known.name,
        device,
        text,
        **_timing(report),
        report=_plain(report),
        _show=show,
    )


async def _optimize(
    task: str | Path | Task,
    *,
    device: str = "auto",
    model: str | None = None,
    candidates: int = 4,
    depth: int = 4,
    seed: int | None = None,
) -> Verdict:
    """Search for a fast correct kernel, and keep the best; the run is in this machine's home.

    Args:
        task: What is to be computed: a `Task`, a task's name, or the path of its folder.
        device: As for `check`.
        model: A chat model (OPENAI_API_KEY, or an endpoint by OPENAI_BASE_URL); None for the built-in composer.
        candidates: Kernels a round.
        depth: Rounds at most.
        seed: Repeats what depends on chance.

    Raises:
        ValueError: The task, the model or the device cannot be used.
        RuntimeError: This machine lacks something, or its environment failed; the text says what to do.
    """
    known = _task(task)
    from agent.cli.searching.run_view import show_result
    from agent.home import home
    from agent.results import SearchRequest
    from agent.search.starting import start_search
    from agent.store import Store

    request = SearchRequest(
        task=str(known.folder), device=device, model=model, candidates=candidates, depth=depth, seed=seed
    )
    result: SearchResult = await _asked(start_search(request, home=home()))
    best = result.best
    text = "" if best is None else Store(home()).kernels.read(result.run, best.sha)
    said = result.candidates[-1].message if best is None and result.candidates else ""
    return Verdict(
        "undecided" if result.verdict is None else str(result.verdict),
        said or f"{len(result.candidates)} candidates in {result.rounds} rounds.",
        result.task,
        result.device,
        text,
        latency_us=None if best is None else best.latency_us,
        provenance=None if best is None else str(best.provenance),
        speedup=None if best is None else best.speedup,
        run=result.run,
        path=None if best is None else best.path,
        report=_plain(result),
        _show=partial(show_result, result=result),
    )


def _of_check(report: CheckReport, text: str, show: Any) -> Verdict:
    profile = report.profile
    known = {} if profile is None or report.verdict != "pass" else _timing(profile)
    return Verdict(
        str(report.verdict),
        report.message,
        report.task,
        report.device,
        text,
        **known,
        report=_plain(report),
        _show=show,
    )


def _timing(profile: ProfileReport) -> dict[str, Any]:
    if profile.latency_us is None:
        return {}
    return {
        "latency_us": profile.latency_us,
        "provenance": str(profile.provenance),
        "error": profile.error,
        "speedup": profile.speedup,
        "bottleneck": str(profile.bottleneck) or None,
    }


def _plain(report: object) -> dict[str, Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(type(report)).dump_python(report, mode="json")


def _task(task: str | Path | Task) -> Task:
    return task if isinstance(task, Task) else Task(task)


def _text(kernel: str | Path) -> str:
    """The text of a kernel: a text of several lines is one, anything else is a path."""
    if isinstance(kernel, str) and "\n" in kernel:
        return kernel
    find_own_first()
    from agent.cli.judging.kernels import read_kernel
    from sandbox.errors import UsageError

    try:
        return read_kernel(str(kernel))
    except UsageError as error:
        raise ValueError(str(error)) from error


def _opened(device: str) -> Toolbox:
    from agent.home import home
    from agent.toolboxes import open_toolbox
    from sandbox.errors import UsageError, WarpwrightError

    try:
        return open_toolbox(device, None, home())
    except UsageError as error:
        raise ValueError(str(error)) from error
    except WarpwrightError as error:
        raise RuntimeError(str(error)) from error


async def _asked(work: Any) -> Any:
    from sandbox.errors import UsageError, WarpwrightError

    try:
        return await work
    except UsageError as error:
        raise ValueError(str(error)) from error
    except WarpwrightError as error:
        raise RuntimeError(str(error)) from error


_check.__name__, _profile.__name__, _optimize.__name__ = "check", "profile", "optimize"
check = Blocking(_check)
profile = Blocking(_profile)
optimize = Blocking(_optimize)
