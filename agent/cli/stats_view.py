"""What features and models have earned, as a person reads it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from agent.cli.output import ByProvenance, clean, table
from agent.report.figures import speedup
from agent.store.credits import Earned, ModelTally


def show(console: Console, earned: Sequence[Earned], models: Sequence[ModelTally]) -> None:
    """Print a line for each feature, kind of task and architecture, and one for each model."""
    columns = ByProvenance("gain", (one.provenance for one in earned))
    made = table("!feature", "kind", "architecture", ">tries", ">correct", ">improved", *columns.heads)
    for one in sorted(earned, key=lambda one: (one.kind, one.architecture, -(one.gain or 0.0), one.feature)):
        made.add_row(
            Text(clean(one.feature)),
            one.kind,
            one.architecture,
            *(str(one.tries), _share(one.correct, one.tries), _share(one.improved, one.tries)),
            *columns.cells(speedup(one.gain), one.provenance),
        )
    console.print(made)
    console.print()
    made = table("!model", ">runs", ">tries", ">correct")
    for model in models:
        made.add_row(
            Text(clean(model.model)), str(model.runs), str(model.tries), _share(model.correct, model.tries)
        )
    console.print(made)


def _share(part: int, whole: int) -> str:
    return f"{math.floor(100 * part / whole)}%" if whole else ""
