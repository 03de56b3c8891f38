"""What features, models and prompts have earned, as a person reads it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.cli.output import ByProvenance, clean, table
from agent.report.figures import speedup
from agent.store.credits import Earned, WriterTally


def show(console: Console, earned: Sequence[Earned], writers: Mapping[str, Sequence[WriterTally]]) -> None:
    """Print a line for each feature, kind of task and architecture, then one for each model and for each prompt."""
    columns = ByProvenance("gain", (one.provenance for one in earned))
    made = table("!feature", "kind", "arch", ">tries", ">correct", ">improved", *columns.heads)
    for one in sorted(earned, key=lambda one: (one.kind, one.architecture, -(one.gain or 0.0), one.feature)):
        made.add_row(
            Text(clean(one.feature)),
            one.kind,
            one.architecture,
            *(str(one.tries), _share(one.correct, one.tries), _share(one.improved, one.tries)),
            *columns.cells(speedup(one.gain), one.provenance),
        )
    console.print(made)
    for what, tallies in writers.items():
        if tallies:
            console.print()
            console.print(_writers(what, tallies))


def _writers(what: str, tallies: Sequence[WriterTally]) -> Table:
    columns = ByProvenance("gain", (one.provenance for one in tallies))
    made = table(f"!{what}", ">runs", ">tries", ">correct", ">improved", *columns.heads)
    for one in tallies:
        made.add_row(
            Text(clean(one.name)),
            *(str(one.runs), str(one.tries)),
            *(_share(one.correct, one.tries), _share(one.improved, one.tries)),
            *columns.cells(speedup(one.gain), one.provenance),
        )
    return made


def _share(part: int, whole: int) -> str:
    return f"{math.floor(100 * part / whole)}%" if whole else ""
