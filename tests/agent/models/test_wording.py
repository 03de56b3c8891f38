"""What models are asked: what stays the same comes first, nothing is said twice, and nothing that is needed lacks."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile

import pytest

from agent.candidates import CandidatePlan, Parent, Slot, Trial
from agent.models.wording import critique_request, difference, plan_request, write_request
from agent.proposer import Critique, CritiqueContext, PlanContext, WriteContext
from prompts import features, load_role
from sandbox.verdict import Provenance
from tests.agent.search_fakes import FakeToolbox, kernel
from tools.reports import CheckReport
from tools.tasks.folder import find
from tools.tasks.task import Task
from tools.toolbox import CheckOrder

LIBRARY = tuple(one for one in features() if one.fits("reduction", "sm_90"))


def check(task: Task, text: str) -> CheckReport:
    report = FakeToolbox().report(CheckOrder(task, text, sweep=True))
    assert isinstance(report, CheckReport)
    return report


def trial(task: Task, number: int, text: str) -> Trial:
    report = check(task, text)
    return Trial(
        round=number, candidate=1, features=["loop_unrolling"], verdict=report.verdict, message=report.message,
        latency_us=None if report.profile is None else report.profile.latency_us,
        provenance=Provenance.ESTIMATED, sha=f"{number:064x}", report=report,
    )  # fmt: skip


def writing(task: Task, number: int, text: str, why: str) -> WriteContext:
    history = tuple(trial(task, one, kernel(f"LATENCY {90 - one}")) for one in range(1, number))
    return WriteContext(
        task, "sim:h200", number, 1, CandidatePlan("a" * 64, (LIBRARY[number].name,), why),
        Parent("a" * 64, text, history[-1] if history else None), f"Latency {number} us.\n" * 12,
        check(task, task.baseline), history, Critique(f"the loads of line {number} wait"), number, library=LIBRARY,
    )  # fmt: skip


def common(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


@pytest.mark.parametrize("name", ["softmax", "dot_product", "matmul"])
def test_most_of_a_coders_prompt_is_common_with_that_of_the_call_before(name: str):
    task = find(name)
    calls = [
        writing(task, number, kernel(f"a kernel of round {number}") * 4, f"idea {number}")
        for number in (2, 3)
    ]
    second = replace(calls[1], candidate=2, plan=CandidatePlan(None, (LIBRARY[7].name,), "another idea"))
    before, after, sibling = (load_role("coder") + write_request(one) for one in (*calls, second))
    for one, other in ((before, after), (after, sibling)):
        assert common(one, other) >= 0.7 * len(other)


def test_a_coder_is_told_of_the_device_the_judge_and_the_cap_of_a_sweep(task: Task):
    text = write_request(writing(task, 2, kernel("x"), "why"))
    for fact in (
        "sm_90",
        "132 SMs",
        "4800 GB/s",
        "at most 12 settings",
        "`wgmma`",
        "does not see",
        "*estimated*",
    ):
        assert fact in text, fact


def test_a_coder_reads_the_page_of_every_feature_of_its_plan_once(task: Task):
    named = (LIBRARY[0].name, LIBRARY[-1].name)
    context = replace(
        writing(task, 2, kernel("x"), "why"),
        plan=CandidatePlan(None, named, "both"),
        pages=(LIBRARY[0], LIBRARY[-1]),
    )
    for name in named:
        assert write_request(context).count(f"# {name}\n\n") == 1


def test_the_baseline_is_shown_once(task: Task):
    text = write_request(replace(writing(task, 1, task.baseline, "why"), history=()))
    assert text.count(task.baseline.strip()) == 1
    assert "The task's baseline, above." in text


def planning(task: Task, **more: object) -> PlanContext:
    first, second = (kernel(mark) + "// more\n" * 40 for mark in ("LATENCY 9", "LATENCY 8"))
    parents = tuple(
        Parent(f"{number}" * 64, text, trial(task, number, text))
        for number, text in ((1, first), (2, second))
    )
    context = PlanContext(
        task, "sim:h200", 2, 2, check(task, task.baseline), (), parents, None, 7, library=LIBRARY
    )
    return replace(context, **more)


def test_a_planner_knows_how_many_rounds_are_left_and_what_the_strategy_offers(task: Task):
    slot = Slot(("1" * 64,), ("loop_unrolling",), "the best of its kind")
    text = plan_request(planning(task, rounds=5, slots=(slot,)))
    assert "# Round 2 of at most 5" in text
    assert "3 more may follow" in text
    assert "1. from 11111111, features loop_unrolling: the best of its kind" in text
    assert "This is the last round" in plan_request(planning(task, rounds=2))


def test_of_two_kernels_much_alike_the_second_is_shown_as_what_differs(task: Task):
    text = plan_request(planning(task))
    assert text.count("// more\n" * 40) == 1
    assert "-    // LATENCY 9\n+    // LATENCY 8" in text
    assert difference("a\n" * 9, "b\n" * 9, "b") is None, "a difference as long as the kernel says less"


def criticising(task: Task, *texts: str, best: str | None = None) -> CritiqueContext:
    trials = tuple(replace_sha(trial(task, 1, text), number) for number, text in enumerate(texts))
    sources = {one.sha or "": text for one, text in zip(trials, texts, strict=True)}
    parent = None if best is None else Parent("b" * 64, best, trial(task, 1, best))
    return CritiqueContext(
        task, "sim:h200", 1, check(task, task.baseline), trials, trials, parent, 7, sources, LIBRARY
    )


def replace_sha(one: Trial, number: int) -> Trial:
    return one.model_copy(update={"sha": f"{number}" * 64, "candidate": number})


def test_where_nothing_is_correct_the_critic_of_failures_reads_the_sources(task: Task):
    role, text = critique_request(criticising(task, kernel("WRONG one"), kernel("BROKEN")))
    assert role == "failure_critic"
    assert "// WRONG one" in text
    assert "// BROKEN" in text
    assert "y[3] is 1.5, expected 2.0" in text


def test_where_something_is_correct_the_critic_of_speed_reads_the_best_once(task: Task):
    role, text = critique_request(
        criticising(task, kernel("LATENCY 9"), kernel("WRONG"), best=kernel("LATENCY 7"))
    )
    assert role == "speed_critic"
    assert text.count("// LATENCY 7") == 1
    assert "Latency 7 us (estimated)" in text
    assert load_role("speed_critic") != load_role("failure_critic")


def test_history_only_grows_at_its_end(task: Task):
    context = writing(task, 2, kernel("x"), "why")
    many = tuple(trial(task, number, kernel(f"LATENCY {number}")) for number in range(1, 75))
    told = [write_request(replace(context, history=many[:length])) for length in (65, 70)]
    history = [text.partition("# History\n\n")[2].partition("\n\n# The critic")[0] for text in told]
    assert history[1].startswith(history[0])
    assert history[0].startswith("(30 earlier ones left out)")
