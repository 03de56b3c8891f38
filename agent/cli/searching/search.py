"""`optimize` and `resume`: run a search and watch it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import (
    AlsoOn,
    Approve,
    AsJson,
    BaseUrl,
    CoderCommand,
    CoderModel,
    CoderWrites,
    CriticModel,
    DeviceName,
    MaxCandidates,
    MaxSeconds,
    MaxTokens,
    MaxUsd,
    Model,
    ModelTimeout,
    OutputTokens,
    Patience,
    PlannerModel,
    Reasoning,
    RunName,
    Seed,
    Start,
    Strategy,
    TargetRoofline,
    TargetSpeedup,
    TargetUs,
    Temperature,
    ToolsUrl,
    Workers,
)
from agent.cli.outcome import ExitStatus, conclude, of_verdict
from agent.strategy_names import StrategyName

if TYPE_CHECKING:
    from agent.cli.searching.approving import Approval
    from agent.cli.searching.progress import ProgressView
    from agent.results import SearchResult


COMPOSER = "composer"


def optimize(  # noqa: PLR0913 - they are the options of the command
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK|FOLDER|KERNEL.cu|FILE.py:NAME",
            help="A task's name or folder, or what one is made of: your kernel, a function or module in PyTorch.",
            show_default=False,
        ),
    ],
    device: DeviceName = "auto",
    model: Model = None,
    base_url: BaseUrl = None,
    planner_model: PlannerModel = None,
    coder_model: CoderModel = None,
    coder_command: CoderCommand = None,
    coder_writes: CoderWrites = None,
    critic_model: CriticModel = None,
    temperature: Temperature = None,
    reasoning_effort: Reasoning = None,
    max_output_tokens: OutputTokens = None,
    model_timeout: ModelTimeout = None,
    candidates: Annotated[int, typer.Option("--candidates", min=1, max=32, help="Kernels a round.")] = 4,
    depth: Annotated[int, typer.Option("--depth", min=1, max=64, help="Rounds at most.")] = 4,
    strategy: Strategy = StrategyName.AUTO,
    patience: Patience = None,
    start: Start = None,
    example_inputs: Annotated[
        str | None,
        typer.Option(
            "--example-inputs",
            metavar="FUNCTION|TENSORS|FILE",
            help="Of FILE.py:NAME: its function that returns them, else get_inputs; or as `float32[64,128], 1e-5`; or"
            " a file of tensors that you captured (.npz, .npy, .pt): they become test data too.",
        ),
    ] = None,
    approve: Approve = False,
    target_us: TargetUs = None,
    target_speedup: TargetSpeedup = None,
    target_roofline: TargetRoofline = None,
    seed: Seed = None,
    max_usd: MaxUsd = None,
    max_tokens: MaxTokens = None,
    max_candidates: MaxCandidates = None,
    max_seconds: MaxSeconds = None,
    tools: ToolsUrl = None,
    workers: Workers = None,
    also_on: AlsoOn = None,
    as_json: AsJson = False,
) -> None:
    """Search for a fast correct kernel, and keep the best.

    Options of models and of what a search may cost can be set in warpwright.toml, in the home or in this folder.
    """

    async def begin(view: ProgressView) -> SearchResult:
        from agent.cli import output
        from agent.cli.searching.sources import SearchInput, search_source
        from agent.home import home
        from agent.model_settings import CLIENT
        from agent.results import SearchRequest
        from agent.search.starting import start_search
        from agent.settings_file import read_settings
        from sandbox.errors import UsageError

        found = home()
        kept = read_settings(found, Path.cwd())
        if model == COMPOSER:
            kept = kept.without_programs()
        asked = SearchInput(task, tuple(start or ()), example_inputs, device)
        source = await search_source(asked, found, lambda line: typer.echo(output.clean(line), err=as_json))
        request = SearchRequest(
            task=source.task,
            device=device,
            model=chosen_model(model or kept.models.model),
            base_url=base_url or kept.models.base_url,
            models=kept.model_settings(
                planner=planner_model,
                coder=tuple(coder_model) if coder_model else None,
                coder_command=coder_command,
                coder_writes=tuple(coder_writes) if coder_writes else None,
                critic=critic_model,
                temperature=temperature,
                reasoning_effort=reasoning_effort,
                max_output_tokens=max_output_tokens,
                timeout_s=model_timeout,
            ),
            budget=kept.limits(
                max_usd=max_usd,
                max_tokens=max_tokens,
                max_candidates=max_candidates,
                max_seconds=max_seconds,
            ),
            candidates=candidates,
            depth=depth,
            strategy=strategy,
            patience=patience,
            start=source.start,
            target_us=target_us,
            target_speedup=target_speedup,
            target_roofline=target_roofline,
            seed=seed,
            approve=approve,
            tools=tools,
            workers=workers,
            also_on=tuple(also_on or ()),
        )
        if request.asks_client:
            raise UsageError(
                f"the model {CLIENT!r} is an MCP client's own: start_search takes it, not this command"
            )
        source.require_writer(request)
        return await start_search(request, home=found, on_event=view, approver=_approver(view))

    _watch(begin, as_json=as_json)


def chosen_model(name: str | None) -> str | None:
    """Return the chat model that a name means; None for the built-in composer."""
    return None if name == COMPOSER else name


def resume(run: RunName, as_json: AsJson = False) -> None:
    """Go on with a search that was interrupted.

    Nothing that was finished is done or paid for again.
    """

    async def go_on(view: ProgressView) -> SearchResult:
        from agent.home import home
        from agent.search.starting import resume_search

        return await resume_search(run, home=home(), on_event=view, approver=_approver(view))

    _watch(go_on, as_json=as_json, run=run)


def _approver(view: ProgressView) -> Approval:
    from agent.cli.searching.approving import Approval

    return Approval(view.paused)


def _watch(
    search: Callable[[ProgressView], Awaitable[SearchResult]], *, as_json: bool, run: str | None = None
) -> None:
    from agent.cli import output
    from agent.cli.isolation import warn_of_weak_isolation
    from agent.cli.searching import modules_view
    from agent.cli.searching.modules_view import module_verdict
    from agent.cli.searching.progress import progress_view
    from agent.cli.searching.remaining import standing_in
    from agent.cli.searching.run_view import show_result, task_word
    from agent.home import home
    from agent.store import Store
    from sandbox.verdict import Verdict

    view = progress_view(output.console(stderr=as_json), standing_in(lambda: Store(home())))
    view.run = run

    async def work() -> ExitStatus:
        warn_of_weak_isolation()
        with view:
            result = await search(view)
        stored = Store(home()).get_run(result.run)
        if not as_json:
            show_result(output.console(), result, task_word(stored))
        found = await module_verdict(result, stored, home())
        if as_json:
            output.print_json(result, **({"module": modules_view.as_json(found)} if found else {}))
        elif found is not None:
            modules_view.show_module(output.console(), found)
        if found is not None and found.report.verdict is not Verdict.PASS:
            return of_verdict(found.report.verdict)
        return of_verdict(result.verdict)

    def how_to_go_on() -> str:
        if view.run is None:
            return "interrupted before the search had started"
        return f"interrupted; nothing finished is lost, go on with: warpwright resume {view.run}"

    conclude(work, as_json=as_json, interrupted=how_to_go_on)
