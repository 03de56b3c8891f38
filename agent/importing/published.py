"""What an imported task keeps of the problem that it was made of: the problem's own files, and who is called what."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.importing.definitions import DEFINITION, WORKLOADS, PublishedProblem, read_problem
from sandbox.errors import UsageError

NAMES = "published.json"


class PublishedNames(BaseModel):
    """Who is called what in a definition and its task.

    Attributes:
        inputs: The task's name of each input that is read, in the definition's order.
        outputs: The same of the outputs.
        axes: The axis of each of the task's dims.
        fixed: Inputs that are part of the task: numbers that every workload has.
    """

    model_config = ConfigDict(frozen=True)
    inputs: dict[str, str]
    outputs: dict[str, str]
    axes: dict[str, str]
    fixed: dict[str, int | float | bool] = {}


def problem_files(problem: PublishedProblem, names: PublishedNames) -> dict[str, str]:
    """Return what lies in a task's folder beside the task."""
    return {**problem.texts, NAMES: names.model_dump_json(indent=2) + "\n"}


def read_published(folder: Path) -> tuple[PublishedProblem, PublishedNames]:
    """Read what an imported task keeps of its problem.

    Raises:
        UsageError: The task was not imported from a definition, or what it kept is gone or spoilt.
    """
    path = folder / NAMES
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise UsageError(
            f"{folder}: this task was not imported from {DEFINITION} and {WORKLOADS}, and solves no problem there:"
            " import one with `warpwright import-flashinfer-bench FOLDER`"
        ) from None
    try:
        return read_problem(folder), PublishedNames.model_validate_json(text)
    except ValidationError:
        raise UsageError(
            f"{path}: expected names of inputs, outputs and axes: import the problem again"
        ) from None
