"""A feature that a planner named itself enters the library of a home, once it has earned credit."""

from __future__ import annotations

import math
from pathlib import Path

import tomli_w

from agent.home import Home
from agent.library import library
from agent.store import Store
from agent.store.credits import Earned, Example
from prompts import KINDS, read_page
from sandbox.errors import UsageError

CORRECT = 2
"""Correct kernels that a feature must have."""
GAIN = 1.02
"""What they must gain on average, as a ratio of latencies: more than nothing."""
_LAST = 1000
_LEAST_GAIN, _MOST_GAIN = 0.6, 9.0


def adopt(store: Store, home: Home, name: str, family: str) -> Path:
    """Write the page of a feature from what its kernels showed; return where it lies.

    Raises:
        UsageError: It is in the library already, its name cannot be one, or it has not earned credit.
    """
    if name in {page.name for page in library(home)}:
        msg = f"{name} is in the library already"
        raise UsageError(msg)
    earned = [one for one in store.credits.earned() if one.feature == name]
    correct = sum(one.correct for one in earned)
    gain = math.exp(sum(one.log_gain for one in earned) / correct) if correct else 0.0
    if correct < CORRECT or gain < GAIN:
        said = f"{correct} correct kernels" + (f" that gain {gain:.2f} times on average" if correct else "")
        msg = (
            f"{name} has earned too little: {said}; {CORRECT} and {GAIN} are asked. `warpwright stats` says what"
            " each feature has earned"
        )
        raise UsageError(msg)
    text = _page(name, family, earned, gain, store)
    try:
        read_page(text)
    except ValueError as error:
        msg = f"{name} cannot be a page of the library: {error}"
        raise UsageError(msg) from error
    path = home.features / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _page(name: str, family: str, earned: list[Earned], gain: float, store: Store) -> str:
    examples = store.credits.examples(name)
    kinds = sorted({one.kind for one in earned if one.correct} & set(KINDS)) or list(KINDS)
    head = {
        "order": _LAST,
        "name": name,
        "family": family,
        "summary": _sentence(examples[0].why) or f"{name.replace('_', ' ').capitalize()}.",
        "applies_to": kinds,
        "bottlenecks": [],
        "architecture": min((one.architecture for one in earned if one.architecture), default="sm_50"),
        "needs": [],
        "conflicts": [],
        "cost": "not known",
        "metric": f"a gain of {gain:.2f} times over what was built on",
        "gain": min(max(round(gain, 3), _LEAST_GAIN), _MOST_GAIN),
    }
    kernel = store.kernels.read(examples[0].run, examples[0].sha)
    body = [
        "## When it helps",
        *(f"- {line}" for line in dict.fromkeys(_one_line(one.why) for one in examples[:5]) if line),
        "## Metrics that show it",
        *(_earned_line(one) for one in earned),
        "## Pitfalls",
        f"- It was drawn from kernels of single runs, the best one for {_where(examples[0])}: see that it fits.",
        "## Sketch",
        f"```cuda\n{kernel.rstrip()}\n```",
    ]
    return f"+++\n{tomli_w.dumps(head)}+++\n\n" + "\n\n".join(body) + "\n"


def _earned_line(one: Earned) -> str:
    gain = "" if one.gain is None else f", {one.gain:.2f} times the speed ({one.provenance})"
    where = f"{one.kind or 'tasks'} on {one.architecture or 'any device'}"
    return f"- {where}: {one.correct} of {one.tries} correct{gain}"


def _where(one: Example) -> str:
    return f"run {one.run} (a gain of {one.gain:.2f})"


def _sentence(text: str) -> str:
    first = _one_line(text).partition(". ")[0].rstrip(".")
    return f"{first}." if first else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
