"""How far machines carry, worked out: `python -m benchmarks.capacity [--gpu-s 6] [--tokens-in 6000] ... [--json]`.

Measured are three numbers, by the commands that `docs/capacity.md` names: the processor time of a candidate's
judgement, that of everything beside it, and what it leaves in the store. Everything else that goes in is assumed, and
everything that comes out is an estimate.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.console import Console

from agent.cli.output import print_json, table

JUDGE_S = 0.20
"""Processor seconds of a check on the simulator: the mean of eight tasks (docs/turnaround.md)."""
SEARCH_S = 0.033
"""Processor seconds of a candidate beside its kernel, at the end of a search of 2,048 (benchmarks.long_search)."""
STORED_KB = 8.0
"""What a candidate takes in SQLite, kB (benchmarks.store_load); its kernel's file and a model's words come on top."""
_HOUR, _DAY = 3600.0, 86_400.0


@dataclass(frozen=True)
class Assumed:
    """What was not measured here.

    Attributes:
        gpu_s: Seconds that a candidate holds a GPU.
        tokens_in: Of a model, a candidate.
        usd_in: Of a million tokens read.
        usd_disk: Of a GB and month.
    """

    gpu_s: float = 6.0
    tokens_in: float = 6000.0
    tokens_out: float = 2000.0
    usd_in: float = 1.0
    usd_out: float = 5.0
    usd_gpu_hour: float = 4.0
    usd_core_hour: float = 0.04
    usd_disk: float = 0.1


@dataclass(frozen=True)
class Place:
    """So many cores that simulate, or so many GPUs."""

    name: str
    cores: int = 0
    gpus: int = 0


@dataclass(frozen=True)
class Carried:
    """What a place carries, each an estimate.

    Attributes:
        an_hour: Candidates.
        searchers: Processes that search, each on a core of its own; one of them is a supervisor with what it is at.
        disk_gb_day: That the store grows by.
        tokens_m_day: Millions of tokens of a model, were one to write every candidate.
        usd: Of a candidate by the composer: judging, searching and a month on the disk.
        usd_model: Of its tokens, were a model to write it.
    """

    name: str
    an_hour: float
    searchers: int
    disk_gb_day: float
    tokens_m_day: float
    usd: float
    usd_model: float


PLACES = (
    Place("a laptop, 8 cores simulate", cores=8),
    Place("one machine, 64 cores simulate", cores=64),
    Place("one machine, 8 GPUs", gpus=8),
    Place("a cluster, 64 GPUs", gpus=64),
    Place("a thousand GPUs", gpus=1000),
)


def carried(place: Place, assumed: Assumed) -> Carried:
    """Work out what a place carries; cores that search are taken from those that simulate."""
    if place.gpus:
        a_second = place.gpus / assumed.gpu_s
        judging = assumed.gpu_s * assumed.usd_gpu_hour / _HOUR
    else:
        a_second = place.cores / (JUDGE_S + SEARCH_S)
        judging = JUDGE_S * assumed.usd_core_hour / _HOUR
    beside = SEARCH_S * assumed.usd_core_hour / _HOUR + STORED_KB / 1e6 * assumed.usd_disk
    tokens = assumed.tokens_in + assumed.tokens_out
    words = (assumed.tokens_in * assumed.usd_in + assumed.tokens_out * assumed.usd_out) / 1e6
    return Carried(
        place.name,
        a_second * _HOUR,
        math.ceil(a_second * SEARCH_S),
        a_second * _DAY * STORED_KB / 1e6,
        a_second * _DAY * tokens / 1e6,
        judging + beside,
        words,
    )


def lines(assumed: Assumed) -> list[tuple[str, ...]]:
    """Return the table, a row a place."""
    found = [carried(place, assumed) for place in PLACES]
    return [
        (
            one.name,
            *(
                f"{one.an_hour:,.0f}",
                f"{one.searchers}",
                f"{one.disk_gb_day:,.1f}",
                f"{one.tokens_m_day:,.0f}",
            ),
            *(f"{one.usd:.6f}", f"{one.usd_model:.4f}"),
        )
        for one in found
    ]


def main(  # noqa: PLR0913 - they are the options of the command
    gpu_s: Annotated[float, typer.Option(min=0.01)] = Assumed.gpu_s,
    tokens_in: Annotated[float, typer.Option(min=0)] = Assumed.tokens_in,
    tokens_out: Annotated[float, typer.Option(min=0)] = Assumed.tokens_out,
    usd_in: Annotated[float, typer.Option(min=0)] = Assumed.usd_in,
    usd_out: Annotated[float, typer.Option(min=0)] = Assumed.usd_out,
    usd_gpu_hour: Annotated[float, typer.Option(min=0)] = Assumed.usd_gpu_hour,
    usd_core_hour: Annotated[float, typer.Option(min=0)] = Assumed.usd_core_hour,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Print what machines carry and what a candidate costs, as estimates."""
    assumed = Assumed(gpu_s, tokens_in, tokens_out, usd_in, usd_out, usd_gpu_hour, usd_core_hour)
    if as_json:
        print_json([asdict(carried(place, assumed)) for place in PLACES])
        return
    heads = (
        "candidates an hour",
        "searchers",
        "GB a day",
        "M tokens a day",
        "$ by the composer",
        "$ a model's words",
    )
    made = table("!estimated", *(f">{head}" for head in heads))
    for row in lines(assumed):
        made.add_row(*row)
    Console(width=140, highlight=False).print(made)


if __name__ == "__main__":
    typer.run(main)
