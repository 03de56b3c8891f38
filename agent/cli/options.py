"""Options that several commands share, so that they read alike everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.model_settings import ReasoningEffort
from agent.strategy_names import StrategyName

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url", metavar="URL", help="An OpenAI-compatible endpoint; the key is OPENAI_API_KEY."
    ),
]
Model = Annotated[
    str | None,
    typer.Option("--model", help="A chat model; without one, or as composer, the built-in composer writes."),
]
DeviceName = Annotated[
    str,
    typer.Option(
        "--device", metavar="NAME", help="auto, or one that `warpwright doctor` lists: sim:h200, ..."
    ),
]
KernelFile = Annotated[str, typer.Argument(metavar="KERNEL.cu", help="A kernel file.", show_default=False)]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="As `warpwright runs` lists it.", show_default=False)
]
SearchesAtOnce = Annotated[int, typer.Option("--searches", min=0, help="Searches at once.")]
CandidatesADay = Annotated[int, typer.Option("--candidates", min=0, help="Candidates a day.")]
ModelTokensADay = Annotated[int, typer.Option("--model-tokens", min=0, help="Tokens of chat models a day.")]
RequestsAMinute = Annotated[int, typer.Option("--requests", min=1, help="Requests a minute.")]
Seed = Annotated[
    int | None,
    typer.Option("--seed", min=0, help="Repeat what depends on chance; otherwise it differs every time."),
]
Approve = Annotated[
    bool,
    typer.Option("--approve", help="Show each round's plans before it is written, and take changes to them."),
]
Strategy = Annotated[
    StrategyName,
    typer.Option(
        "--strategy",
        help="What each round builds on: fsr (the paper's), elites (the best of each kind), tree (best first).",
    ),
]
PlannerModel = Annotated[
    str | None, typer.Option("--planner-model", help="The planner's model, where it is not --model.")
]
CoderModel = Annotated[
    list[str] | None,
    typer.Option(
        "--coder-model",
        help="The coder's model, where it is not --model; of several a bandit chooses, by what each one gained.",
    ),
]
CoderCommand = Annotated[
    str | None,
    typer.Option(
        "--coder-command",
        metavar="COMMAND",
        help="A program that is the coder: it reads the question on standard input and prints a kernel file.",
    ),
]
CoderWrites = Annotated[
    list[str] | None,
    typer.Option(
        "--coder-writes",
        metavar="PATH",
        help="What that program may change beside a folder of its own; may be given several times.",
    ),
]
CriticModel = Annotated[
    str | None, typer.Option("--critic-model", help="The critic's model, where it is not --model.")
]
Temperature = Annotated[
    float | None, typer.Option("--temperature", min=0, max=2, help="Passed on to the model; unset, its own.")
]
Reasoning = Annotated[
    ReasoningEffort | None,
    typer.Option("--reasoning-effort", help="Passed on to the model; unset, its own."),
]
OutputTokens = Annotated[
    int | None,
    typer.Option(
        "--max-output-tokens",
        min=256,
        max=1_000_000,
        help="Of one reply, thoughts included; unset, the model's own.",
    ),
]
ModelTimeout = Annotated[
    float | None,
    typer.Option(
        "--model-timeout", metavar="SECONDS", help="How long an endpoint may say nothing.  [default: 600]"
    ),
]
MaxUsd = Annotated[
    float | None,
    typer.Option("--max-usd", metavar="USD", help="Spend no more on chat models; prices must be known."),
]
MaxTokens = Annotated[
    int | None, typer.Option("--max-tokens", min=1, help="Chat models read and write no more tokens.")
]
MaxCandidates = Annotated[
    int | None, typer.Option("--max-candidates", min=1, help="Write no more candidates.")
]
MaxSeconds = Annotated[
    float | None,
    typer.Option(
        "--max-seconds", metavar="SECONDS", help="Search no longer, over all resumes; then judge the best."
    ),
]
Start = Annotated[
    list[Path] | None,
    typer.Option(
        "--start", metavar="KERNEL.cu", help="A kernel of yours to begin with; may be given several times."
    ),
]
TargetUs = Annotated[
    float | None, typer.Option("--target-us", min=0.001, help="Stop at this latency, microseconds.")
]
TargetSpeedup = Annotated[
    float | None,
    typer.Option("--target-speedup", min=0.001, help="Stop at so many times the baseline's speed."),
]
TargetRoofline = Annotated[
    float | None,
    typer.Option(
        "--target-roofline", min=0.001, max=1, help="Stop at this fraction of the roofline, 0 to 1."
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        "--patience", min=1, max=64, help="Rounds without a gain after which to stop; unset, the strategy's."
    ),
]
ToolsUrl = Annotated[
    str | None,
    typer.Option(
        "--tools",
        metavar="URL",
        help="Judge with another machine's tools: ssh://[USER@]HOST[:PORT], or http:// (`serve --http` there, the "
        "token in WARPWRIGHT_TOOLS_TOKEN).",
    ),
]
AlsoOn = Annotated[
    list[str] | None,
    typer.Option(
        "--also-on",
        metavar="NAME",
        help="A device on which kernels must pass as well; may be given several times.",
    ),
]
Workers = Annotated[
    str | None,
    typer.Option(
        "--workers",
        metavar="ray://HOST:PORT|local-ray",
        help="Judge on a Ray cluster, or on a Ray of this machine's own; else by this machine's own pool.",
    ),
]
TaskName = Annotated[
    str, typer.Option("--task", metavar="TASK|FOLDER", help="A task's name or folder.", show_default=False)
]
