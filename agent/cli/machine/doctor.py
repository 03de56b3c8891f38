"""`doctor`: what this machine has, and what it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import AsJson
from agent.cli.outcome import ExitStatus, conclude

if TYPE_CHECKING:
    from sandbox.facts import Fact

_NOTHING_WORKS_WITHOUT = ("CUDA compiler", "home", "kernel judged", "isolation holds")


def doctor(
    deep: Annotated[
        bool, typer.Option("--deep", help="Try it all: start workers, judge a kernel, search the isolation.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what this machine has, lacks, and how to get it."""

    async def work() -> ExitStatus:
        from agent.cli import output

        found = _facts()
        if deep:
            from agent.cli.machine.deep_doctor import tried

            found += await tried()
        able = all(fact.ok for fact in found if fact.name in _NOTHING_WORKS_WITHOUT)
        if as_json:
            output.print_json({"ok": able, "facts": found})
        else:
            _show(found)
        return ExitStatus.DONE if able else ExitStatus.LACKING

    conclude(work, as_json=as_json)


def _facts() -> list[Fact]:
    import os
    from importlib.metadata import version

    from agent.home import named_home
    from sandbox.devices.open import device_name
    from sandbox.devices.simulated import simulated_names
    from sandbox.facts import Fact, facts

    keys = [name for name in ("WARPWRIGHT_API_KEY", "OPENAI_API_KEY") if os.environ.get(name)]
    key = f"{keys[0]} is set" if keys else "none; the built-in composer needs none, --model does"
    return [
        Fact("warpwright", True, version("warpwright")),
        *facts(),
        Fact("devices", True, f"auto ({device_name()}), {', '.join(simulated_names())}"),
        Fact("model key", True, key),
        Fact("home", (problem := named_home().problem()) is None, str(named_home().root), problem or ""),
    ]


def _show(found: list[Fact]) -> None:
    from rich.text import Text

    from agent.cli import output

    console = output.console()
    made = output.table("", "", "")
    made.show_header = False
    for fact in found:
        mark = Text("ok", style="green") if fact.ok else Text("lacking", style="yellow")
        made.add_row(fact.name, mark, fact.value)
    console.print(made)
    for fact in found:
        if not fact.ok:
            console.print(f"{fact.name}: {fact.advice}", soft_wrap=True)
