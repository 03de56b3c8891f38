"""What a person chooses about chat models: which one does what, and how it is asked."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agent.budget import TokenPrice

CLIENT = "client"
"""Where a model is named: the own one of the MCP client that starts a search."""


class ReasoningEffort(StrEnum):
    """How long a model that can think may do so, in the endpoints' words."""

    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else () if value is None else value


class ModelSettings(BaseModel):
    """How chat models are asked; what is None is left to the endpoint, or to `--model`.

    Attributes:
        planner: The planner's model.
        coder: The coder's; of several one is chosen for each candidate, by what each one's kernels gained.
        critic: The critic's.
        coder_command: A program that is the coder: it reads the question on standard input and prints a kernel file.
        coder_writes: Files and folders that this program may change, beside a folder of its own.
        temperature: Passed on.
        reasoning_effort: Passed on.
        max_output_tokens: Of one reply, what the model thinks included.
        timeout_s: How long an endpoint may say nothing, and how long the coder's command may take, in seconds.
        prices: By model, before those that are public.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    planner: str | None = None
    coder: Annotated[tuple[str, ...], BeforeValidator(_several)] = ()
    critic: str | None = None
    coder_command: str | None = Field(default=None, min_length=1)
    coder_writes: tuple[str, ...] = ()
    temperature: float | None = Field(default=None, ge=0, le=2)
    reasoning_effort: ReasoningEffort | None = None
    max_output_tokens: int | None = Field(default=None, ge=256, le=1_000_000)
    timeout_s: float = Field(default=600.0, gt=0, le=24 * 3600)
    prices: dict[str, TokenPrice] = Field(default_factory=dict[str, TokenPrice])

    @property
    def command_name(self) -> str | None:
        """The coder's command as lists of runs show it: never its arguments, which may hold secrets."""
        if self.coder_command is None:
            return None
        try:
            words = shlex.split(self.coder_command)
        except ValueError:
            words = []
        return f"{Path(words[0]).name if words else ''} (command)".strip()
