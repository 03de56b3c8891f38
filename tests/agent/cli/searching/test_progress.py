"""What a search looks like while it runs."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from agent.budget import SearchBudget
from agent.cli.output import clean, one_line, sparkline
from agent.cli.searching.progress import LiveProgress, PlainProgress, progress_view
from agent.cli.searching.remaining import SpentSoFar, remaining
from agent.events import (
    BaselineJudged,
    CandidateJudged,
    Event,
    RoundFinished,
    RoundPlanned,
    RunFinished,
    RunStarted,
    StageFinished,
)
from agent.report.figures import microseconds
from sandbox.verdict import Provenance, Verdict

RUN = "softmax-1"


def candidate(number: int, **changes: object) -> CandidateJudged:
    given: dict[str, object] = {
        "run": RUN,
        "round": 1,
        "candidate": number,
        "features": ["warp_shuffle"],
        "verdict": Verdict.PASS,
        "message": "correct",
        "latency_us": 12.5,
        "provenance": Provenance.ESTIMATED,
        "speedup": 2.0,
        "is_best": True,
        **changes,
    }
    return CandidateJudged.model_validate(given)


STARTED = RunStarted(
    run=RUN,
    task="softmax",
    device="sim:h200",
    isolation="bubblewrap",
    model="composer",
    strategy="tree",
    candidates=2,
    depth=1,
)
BASELINE = BaselineJudged(run=RUN, latency_us=25.0, provenance=Provenance.ESTIMATED)
EVENTS: list[Event] = [
    STARTED,
    BASELINE,
    RoundPlanned(run=RUN, round=1, features=[["warp_shuffle"], ["vector_loads"]]),
    StageFinished(run=RUN, round=1, candidate=1, stage="compile"),
    candidate(0),
    candidate(
        1, verdict=Verdict.WRONG_RESULT, message="3 of 9 wrong", latency_us=None, speedup=None, is_best=False
    ),
    RoundFinished(run=RUN, round=1, critique="Bound by DRAM.", best_latency_us=12.5),
    RunFinished(run=RUN, stopped="depth", best_latency_us=12.5),
]


def plain(events: list[Event]) -> str:
    out = io.StringIO()
    view = PlainProgress(Console(file=out, width=200, markup=False, highlight=False))
    with view:
        for event in events:
            view(event)
    return out.getvalue()


def live(events: list[Event]) -> str:
    out = io.StringIO()
    console = Console(file=out, width=160, height=40, markup=False, highlight=False)
    view = LiveProgress(console)
    for event in events:
        view(event)
    console.print(view.render())
    return out.getvalue()


def drawn(view: LiveProgress) -> str:
    out = io.StringIO()
    Console(file=out, width=120).print(view.render())
    return out.getvalue()


def test_a_pipe_gets_plain_lines_and_a_terminal_the_table() -> None:
    assert isinstance(progress_view(Console(file=io.StringIO())), PlainProgress)
    assert isinstance(progress_view(Console(file=io.StringIO(), force_terminal=True)), LiveProgress)


def test_plain_lines_tell_the_whole_search() -> None:
    assert plain(EVENTS).splitlines() == [
        "softmax-1 started: softmax on sim:h200, composer, strategy tree, 2 candidates x 1 rounds, isolation bubblewrap",
        "baseline: 25.0 us (estimated)",
        "round 1 candidate 0 [warp_shuffle]: pass, 12.5 us (estimated), 2.00x, best so far",
        "round 1 candidate 1 [warp_shuffle]: wrong_result: 3 of 9 wrong",
        "round 1 critic: Bound by DRAM.",
        "stopped: depth",
    ]


def test_the_live_table_shows_candidates_best_and_progress() -> None:
    shown = live(EVENTS)
    assert "estimated us" in shown
    assert "2 of at most 2 candidates" in shown
    assert "best so far: 12.5 us (estimated) 2.00x" in shown
    assert "wrong_result" in shown
    assert "3 of 9 wrong" in shown


def test_a_candidate_under_way_shows_its_last_stage() -> None:
    assert "compile done" in live(EVENTS[:4])


def test_measured_and_estimated_latencies_get_columns_of_their_own() -> None:
    shown = live([STARTED, BASELINE, candidate(0, provenance=Provenance.MEASURED)])
    head = next(line for line in shown.splitlines() if "verdict" in line)
    assert "measured us" in head
    assert "estimated us" in head


@pytest.mark.parametrize("show", [plain, live])
def test_what_a_kernel_or_model_wrote_cannot_steer_the_terminal(show: object) -> None:
    assert callable(show)
    events = [
        STARTED,
        candidate(0, verdict=Verdict.TIMEOUT, latency_us=None, message="\x1b[2J[bold]\r gone"),
        RoundFinished(run=RUN, round=1, critique="\x1b]0;title\x07 advice"),
    ]
    shown = show(events)
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[bold]" in shown


def test_the_table_keeps_to_the_screen_however_many_candidates_there_are() -> None:
    many = [STARTED, *(candidate(number, round=number // 32 + 1) for number in range(320))]
    assert len(live(list(many)).splitlines()) < 45


def test_the_best_so_far_falls_as_a_sparkline_that_never_outgrows_its_width() -> None:
    assert sparkline([100.0, 10.0, 10.0, 1.0], 60) == "█▅▅▁"
    assert sparkline([3.0, 3.0], 60) == "▁▁"
    assert sparkline([], 60) == ""
    assert len(sparkline([*map(float, range(1, 500))], 60)) == 60
    falling = [STARTED, *(candidate(number, latency_us=64.0 / 2**number) for number in range(4))]
    assert "8.00 us (estimated) 2.00x  █▆▃▁" in live(falling)


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (SpentSoFar(SearchBudget()), "left: at most about 30 s"),
        (SpentSoFar(SearchBudget(max_seconds=50), worked_s=25.0), "left: at most about 15 s"),
        (
            SpentSoFar(SearchBudget(max_seconds=9000), usd=0.5),
            "left: at most about 30 s; spent: 0.5000 US dollars",
        ),
        (
            SpentSoFar(SearchBudget(max_usd=2, max_tokens=5000), tokens=1200, usd=0.5),
            "left: at most about 30 s, 1.5000 of 2 US dollars, 3,800 of 5,000 tokens; spent: 0.5000 US dollars",
        ),
    ],
)
def test_what_is_left_of_time_and_money_is_said(standing: SpentSoFar, said: str) -> None:
    assert remaining(standing, judged=1, total=4, seconds=10.0) == said


def test_nothing_is_left_of_a_search_that_ended_and_its_baseline_is_at_work_before_it_is_judged() -> None:
    view = LiveProgress(
        Console(file=io.StringIO(), width=120, height=40), lambda run: SpentSoFar(SearchBudget())
    )
    for event in EVENTS[:-1]:
        view(event)
    assert "left: " in drawn(view)
    view(EVENTS[-1])
    assert "left: " not in drawn(view)
    assert "at work" in live(EVENTS[:1])
    assert "at work" not in live(EVENTS)


def test_nothing_is_said_to_be_left_while_nothing_is_known() -> None:
    assert remaining(SpentSoFar(SearchBudget()), judged=0, total=4, seconds=10.0) == ""
    assert "min" in remaining(SpentSoFar(SearchBudget()), judged=1, total=9, seconds=100.0)


def test_the_live_table_asks_what_was_spent_a_second_apart_at_most() -> None:
    asked: list[str] = []

    def standing(run: str) -> SpentSoFar:
        asked.append(run)
        return SpentSoFar(SearchBudget(max_usd=1), usd=0.25)

    console = Console(file=io.StringIO(), width=160, height=40, markup=False, highlight=False)
    view = LiveProgress(console, standing)
    for event in EVENTS[:-1]:
        view(event)
    console.print(view.render())
    assert asked == [RUN]
    assert "0.7500 of 1 US dollars" in console.file.getvalue()  # type: ignore[attr-defined]


def test_latencies_keep_the_digits_that_mean_something() -> None:
    assert [microseconds(value) for value in (1.234, 12.34, 123.4, 12345.6)] == [
        "1.23",
        "12.3",
        "123.4",
        "12,346",
    ]


def test_messages_are_cut_to_one_line() -> None:
    assert one_line("first\nsecond") == "first"
    assert len(one_line("x" * 500)) == 100
    assert clean("a\x1b[1mb\tc\n") == "a?[1mb\tc\n"
