"""`chat`: a request in plain words becomes a task that the person sees first, then a search, then questions."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.editing import edit
from agent.cli.options import AsJson, BaseUrl, DeviceName, ToolsUrl
from agent.cli.outcome import ExitStatus, conclude, of_verdict
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from agent.models.endpoint import Endpoint
    from agent.results import SearchRequest, SearchResult
    from tools.tasks.task import Task

_FILES = ("task.toml", "reference.py", "baseline.cu")
_DRAFTS = 3


def chat(  # noqa: PLR0913 - they are the options of the command
    request: Annotated[
        str | None, typer.Argument(metavar="REQUEST", help="What is to be computed.", show_default=False)
    ] = None,
    named: Annotated[
        str | None, typer.Option("--model", envvar="WARPWRIGHT_MODEL", help="A chat model; needed.")
    ] = None,
    base_url: BaseUrl = None,
    device: DeviceName = "auto",
    candidates: Annotated[int, typer.Option("--candidates", min=1, max=32, help="Kernels a round.")] = 4,
    depth: Annotated[int, typer.Option("--depth", min=1, max=64, help="Rounds at most.")] = 4,
    tools: ToolsUrl = None,
    as_json: AsJson = False,
) -> None:
    """Say in plain words what you need; confirm the task; get a kernel; ask why.

    Nothing is kept before you have seen the drafted task and agreed to it. With --json nothing is asked at the end.
    """

    async def work() -> ExitStatus:
        from agent.cli import output
        from agent.home import home
        from agent.models.endpoint import open_endpoint
        from agent.results import SearchRequest
        from agent.settings_file import read_settings

        kept = read_settings(home(), Path.cwd())
        model = named or kept.models.model
        if model is None:
            msg = (
                "chat needs a model: give --model NAME (or set WARPWRIGHT_MODEL), with OPENAI_API_KEY for OpenAI's"
                " endpoint or --base-url for any compatible one. Without a model: `warpwright tasks` lists what"
                " `warpwright optimize` can do"
            )
            raise UsageError(msg)
        opened = open_endpoint(model, base_url or kept.models.base_url, kept.model_settings())
        wanted = request or typer.prompt("What is to be computed?")
        with tempfile.TemporaryDirectory(prefix="warpwright-draft-") as temporary:
            task = await _drafted(opened, wanted, Path(temporary), (device, tools), quiet=as_json)
        if task is None:
            typer.echo("nothing was kept", err=True)
            if as_json:
                typer.echo("null")
            return ExitStatus.DONE
        search = SearchRequest(
            task=str(task.folder),
            device=device,
            model=model,
            base_url=base_url or kept.models.base_url,
            models=kept.model_settings(),
            budget=kept.limits(),
            candidates=candidates,
            depth=depth,
            tools=tools,
        )
        result = await _search(search, quiet=as_json)
        if as_json:
            output.print_json(result, task_folder=str(task.folder))
        else:
            await _questions(opened, result, task)
        typer.echo(f"the task stays at {task.folder}; the run is {result.run} (home {home().root})", err=True)
        return of_verdict(result.verdict)

    conclude(work, as_json=as_json)


async def _drafted(
    model: Endpoint, wanted: str, folder: Path, judge: tuple[str, str | None], *, quiet: bool
) -> Task | None:
    """Have a task drafted, agreed to and kept; None where the person leaves it.

    What the judge has against a draft's baseline goes back to the model; the draft stays where it can be mended.

    Raises:
        UsageError: No draft could be kept; the text says what was wrong with the last, and where it is.
    """
    from agent.search.drafter import write_draft

    said, problem = wanted, ""
    for number in range(1, _DRAFTS + 1):
        draft = folder / f"draft{number}"
        typer.echo("drafting a task ...", err=True)
        task = _agreed(await write_draft(model, said, draft), draft, quiet=quiet)
        if task is None:
            return None
        try:
            return await _keep(task, *judge)
        except UsageError as error:
            saved = _saved(draft, task.name)
            problem = f"{error}; the draft is at {saved}"
            typer.echo(f"warpwright: {problem}", err=True)
            files = "\n".join(f"# {name}\n{(saved / name).read_text(encoding='utf-8')}" for name in _FILES)
            said = f"{wanted}\n\nA draft was refused: {error}\nIt was:\n{files}\nMend what that names."
    raise UsageError(problem)


def _saved(draft: Path, name: str) -> Path:
    """Keep a draft that is no task yet among this person's own, in a folder that is no task's."""
    from agent.home import home

    target = home().root / "drafts" / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{draft.name}"
    shutil.copytree(draft, target)
    return target


def _agreed(task: Task, folder: Path, *, quiet: bool) -> Task | None:
    """Show a draft until the person takes it (perhaps edited) or leaves it; on standard error where that is all.

    Raises:
        UsageError: Input ended, or was interrupted; the text says where the draft is.
    """
    from agent.cli import output
    from tools.tasks.folder import load

    current: Task | None = task
    while True:
        for name in _FILES:
            text = output.clean((folder / name).read_text(encoding="utf-8")).rstrip()
            typer.echo(f"--- {name}\n{text}", err=quiet)
        asked = "Keep this task and search? yes, edit or no"
        try:
            answer = typer.prompt(asked, default="yes", err=quiet).strip().lower()
        except typer.Abort as error:
            typer.echo(err=True)
            raise UsageError(
                f"nobody agreed to the draft; it is kept at {_saved(folder, task.name)}"
            ) from error
        if answer in ("n", "no"):
            return None
        if answer in ("y", "yes") and current is not None:
            return current
        if answer in ("e", "edit"):
            edit([folder / name for name in _FILES])
        try:
            current = load(folder)
        except UsageError as error:
            current = None
            typer.echo(f"the task cannot be used: {error}", err=True)


async def _keep(task: Task, device: str, tools: str | None) -> Task:
    """Judge the baseline, and freeze the task by keeping it among this person's own."""
    from agent.home import home
    from agent.toolboxes import open_toolbox
    from tools.tasks.catalogue import TaskCatalogue
    from tools.tasks.drafting import keep_folder

    typer.echo("judging its baseline ...", err=True)
    async with open_toolbox(device, tools, home()) as toolbox:
        return (await keep_folder(task.folder, TaskCatalogue(home().tasks), toolbox)).task


async def _search(request: SearchRequest, *, quiet: bool) -> SearchResult:
    from agent.cli import output
    from agent.cli.isolation import warn_of_weak_isolation
    from agent.cli.searching.progress import progress_view
    from agent.cli.searching.run_view import show_result
    from agent.home import home
    from agent.search.starting import start_search

    warn_of_weak_isolation()
    with progress_view(output.console(stderr=quiet)) as view:
        result = await start_search(request, home=home(), on_event=view)
    if not quiet:
        show_result(output.console(), result)
    return result


async def _questions(endpoint: Endpoint, result: SearchResult, task: Task) -> None:
    """Answer what the person asks of the result, until an empty line."""
    from agent.cli import output
    from agent.home import home
    from agent.search.drafter import about
    from agent.store import Store

    talk = about(Store(home()), result.run, task, endpoint)
    while True:
        try:
            question = typer.prompt("Ask about it (empty: done)", default="", show_default=False).strip()
        except typer.Abort:  # the end of standard input
            return
        if not question:
            return
        answer, talk = await talk.ask(question)
        typer.echo(output.clean(answer))
