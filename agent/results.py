"""Requests to search, and what a search returns."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from agent.budget import SearchBudget
from agent.candidates import Trial
from agent.exploration import Exploration
from agent.model_settings import CLIENT, ModelSettings
from agent.strategy_names import StrategyName
from sandbox.verdict import PairedVerdict, Provenance, Verdict


class Stop(StrEnum):
    """Why a search ended."""

    TARGET_MET = "target_met"
    DEPTH = "depth"
    NO_GAIN = "no_gain"
    BUDGET = "budget"
    CANCELLED = "cancelled"
    FAILED = "failed"


class RunState(StrEnum):
    """Where a run stands in the store."""

    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """Its process is gone; `warpwright resume RUN` goes on."""


class SearchRequest(BaseModel):
    """What to search for. `task` is a name or a folder; `model` None means the built-in composer.

    `patience` is how many rounds without a gain a search goes on; None leaves it to the strategy.
    `start` holds kernel files to begin with: the first candidates of round 1.
    `approve` waits before each round until someone has seen its plans.
    `target_us`, `target_speedup` and `target_roofline` end the search where all that are set are met; each takes the
    place of the task's own.
    `tools` is the address of an MCP server whose tools judge, None for this machine's own.
    `workers` is the Ray cluster whose nodes judge, `ray://HOST:PORT` or `local-ray`; None for this machine's pool.
    `also_on` names devices on which a kernel must pass as well; `device` is the one that it is ranked by.
    `tenant` is whose run it is: the name of an access token on an HTTP server, empty for this machine's own.
    """

    model_config = ConfigDict(frozen=True)
    task: str
    device: str = "auto"
    model: str | None = None
    base_url: str | None = None
    candidates: int = Field(default=4, ge=1, le=32)
    depth: int = Field(default=4, ge=1, le=64)
    strategy: StrategyName = StrategyName.AUTO
    patience: int | None = Field(default=None, ge=1, le=64)
    start: tuple[str, ...] = Field(default=(), max_length=32)
    target_us: float | None = Field(default=None, gt=0)
    target_speedup: float | None = Field(default=None, gt=0)
    target_roofline: float | None = Field(default=None, gt=0, le=1)
    approve: bool = False
    seed: int | None = None
    tenant: str = ""
    tools: str | None = None
    workers: str | None = None
    also_on: tuple[str, ...] = Field(default=(), max_length=8)
    models: ModelSettings = Field(default_factory=ModelSettings)
    budget: SearchBudget = Field(default_factory=SearchBudget)

    @property
    def writers(self) -> str:
        """The names of who plans, writes and criticises, each once, as far as they were given by name."""
        if not self.asks_models:
            return "composer"
        chosen, model = self.models, self.model
        coders = (*chosen.coder, chosen.command_name) if chosen.coder_command else chosen.coder or (model,)
        names = (chosen.planner or model, *coders, chosen.critic or model)
        return ", ".join(dict.fromkeys(name for name in names if name is not None))

    @property
    def asks_client(self) -> bool:
        """Whether the own model of an MCP client is asked."""
        chosen = self.models
        return CLIENT in (self.model, chosen.planner, chosen.critic, *chosen.coder)

    @property
    def asks_models(self) -> bool:
        """Whether somebody is asked in words, instead of the built-in composer."""
        return self.model is not None or self.models.coder_command is not None


class HeldOut(BaseModel):
    """How the best kernel does at the task's final sizes, which no search sees: a gain that holds there is one."""

    model_config = ConfigDict(frozen=True)
    shapes: list[dict[str, int]]
    latency_us: float
    provenance: Provenance
    speedup: float | None


class BestKernel(BaseModel):
    """The best correct kernel so far. `speedup` is against the task's baseline on the same device.

    `not_judged` names the benchmark shapes at which its results were only counted when the search ended; `held_out`
    is None where the task has no final sizes, or the search has not come to them. `against_baseline` is what paired
    runs on a GPU said of it when the search ended, runs that nothing was chosen by; None of estimates.
    """

    model_config = ConfigDict(frozen=True)
    path: Path
    sha: str
    latency_us: float
    provenance: Provenance
    speedup: float | None
    features: list[str]
    tune: dict[str, int]
    round: int
    candidate: int
    not_judged: list[dict[str, int]] = Field(default_factory=list[dict[str, int]])
    held_out: HeldOut | None = None
    against_baseline: PairedVerdict | None = None


class SearchResult(BaseModel):
    """Outcome of a search, also what `optimize --json` prints."""

    model_config = ConfigDict(frozen=True)
    run: str
    task: str
    device: str
    isolation: str
    model: str
    strategy: str = ""
    verdict: Verdict | None
    """PASS where a correct kernel was found, else the verdict of the last candidate; None before any."""
    best: BestKernel | None
    baseline_us: float | None
    baseline_provenance: Provenance | None = None
    stopped: Stop | None
    candidates: list[Trial]
    rounds: int
    seconds: float = 0.0
    model_tokens: int = 0
    """What chat models read and wrote; a call whose process was killed counts as the worst it can have cost."""
    model_usd: float | None = None
    """US dollars for that; None where no price is known."""
    exploration: Exploration | None = None
    """How widely the search looked; None before anything was judged."""
