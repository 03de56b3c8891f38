"""Each node of the graph alone."""

from __future__ import annotations

import dataclasses

import pytest
from langgraph.runtime import Runtime
from langgraph.types import Send

from agent.budget import SearchBudget
from agent.candidates import CandidatePlan
from agent.events import Event
from agent.home import Home
from agent.proposer import PlanContext, ProposalError
from agent.results import SearchRequest
from agent.search.baseline import judge_baseline
from agent.search.coder import coder
from agent.search.critic import critic
from agent.search.deps import Deps
from agent.search.evaluate import evaluate
from agent.search.interruption import Interruption
from agent.search.planner import fan_out, planner
from agent.search.round_spans import RoundSpans
from agent.search.state import CoderTask, EvaluateTask, SearchState, as_plain, first_state
from agent.store import NewRun, Store
from agent.strategies.targets import target_met, wanted
from agent.strategies.tree import Tree
from prompts import features
from sandbox.verdict import Verdict
from tests.agent.search_fakes import FakeToolbox, ScriptedProposer, fenced, kernel
from tools.tasks.task import Target, Task

PLAN = as_plain(CandidatePlan(None, ("loop_unrolling",)))


@pytest.fixture
async def deps(home: Home, task: Task, toolbox: FakeToolbox, heard: list[Event]) -> Deps:
    store = Store(home)
    request = SearchRequest(task="twice", candidates=2, depth=3)
    new = NewRun(request, task.name, task.folder, task.sha, "sim:fake", "none", "scripted", 7)
    run = store.create(new)
    return Deps(
        run=run,
        task=task,
        request=request,
        baseline=await judge_baseline(store, run, task, toolbox),
        toolbox=toolbox,
        proposer=ScriptedProposer(),
        strategy=Tree(),
        library=features(),
        credit=(),
        store=store,
        say=heard.append,
        interruption=Interruption(),
        ledger=store.ledger(run, SearchBudget()),
        seed=7,
        rounds=RoundSpans(run),
    )


def with_proposer(deps: Deps, proposer: object) -> Runtime[Deps]:
    return Runtime(context=dataclasses.replace(deps, proposer=proposer))


async def write(deps: Deps, *replies: str | Exception, number: int = 1) -> None:
    runtime = with_proposer(deps, ScriptedProposer(*replies))
    for candidate in range(1, len(replies) + 1):
        await coder(CoderTask(round=number, candidate=candidate, plan=PLAN, critique=None), runtime)


async def judge(deps: Deps, candidate: int = 1, number: int = 1) -> str:
    await evaluate(EvaluateTask(round=number, candidate=candidate), Runtime(context=deps))
    trial = deps.store.candidates.trial(deps.run, (number, candidate))
    return "waits" if trial is None else trial.verdict.value


def state(**changes: object) -> SearchState:
    return SearchState(**{**first_state(), "round": 1, **changes})


async def test_the_planner_starts_the_next_round_with_a_plan_for_each_candidate(deps: Deps):
    update = await planner(first_state(), Runtime(context=deps))
    assert update["round"] == 1
    assert [plan["features"] for plan in update["plans"]] == [["vectorized_loads"], ["grid_stride_loop"]]


async def test_the_planner_fills_up_too_few_plans_and_mends_unknown_parents(deps: Deps):
    class Stubborn(ScriptedProposer):
        async def plan(self, context: PlanContext) -> list[CandidatePlan]:
            return [CandidatePlan("no such kernel", ("register_blocking",), "mine")]

    update = await planner(first_state(), with_proposer(deps, Stubborn()))
    first, second = update["plans"]
    assert first["features"] == ["register_blocking"]
    assert first["parent"] == second["parent"] is not None


async def test_the_planner_goes_on_without_the_model(deps: Deps):
    class Down(ScriptedProposer):
        async def plan(self, context: PlanContext) -> list[CandidatePlan]:
            raise ProposalError("down")

    update = await planner(first_state(), with_proposer(deps, Down()))
    assert len(update["plans"]) == 2


def test_each_plan_is_sent_to_a_coder_of_its_own():
    sends = fan_out(state(plans=[PLAN, PLAN]))
    assert [(send.node, send.arg["candidate"]) for send in sends] == [("coder", 1), ("coder", 2)]


async def test_the_coder_sends_its_own_candidate_on(deps: Deps):
    runtime = with_proposer(deps, ScriptedProposer(fenced(kernel("LATENCY 5"))))
    command = await coder(CoderTask(round=1, candidate=2, plan=PLAN, critique=None), runtime)
    assert command.goto == Send("evaluate", {"round": 1, "candidate": 2})
    submission = deps.store.candidates.submission(deps.run, (1, 2))
    assert submission is not None
    assert submission.sha is not None
    assert deps.store.kernels.read(deps.run, submission.sha) == kernel("LATENCY 5")


async def test_the_coder_does_not_write_a_candidate_twice(deps: Deps):
    await write(deps, fenced(kernel("LATENCY 5")))
    await write(deps, ProposalError("must not be asked"))
    assert await judge(deps) == "pass"


async def test_an_evaluation_is_not_repeated(deps: Deps, toolbox: FakeToolbox):
    await write(deps, fenced(kernel("LATENCY 5")))
    assert [await judge(deps), await judge(deps)] == ["pass", "pass"]
    assert toolbox.checked.count(kernel("LATENCY 5")) == 1


async def test_a_model_that_gave_no_answer_leaves_a_failed_candidate(deps: Deps):
    await write(deps, ProposalError("rate limit"))
    assert await judge(deps) == "rejected"
    assert deps.store.candidates.all_lost(deps.run, 1)


async def test_the_critic_settles_a_duplicate_that_was_there_before_its_original(deps: Deps):
    await write(deps, fenced(kernel("LATENCY 5")), fenced(kernel("LATENCY 5")))
    assert await judge(deps, 2) == "waits"
    assert await judge(deps, 1) == "pass"
    await critic(state(), Runtime(context=deps))
    trials = deps.store.candidates.trials(deps.run)
    assert [(trial.place, trial.verdict, trial.duplicate_of) for trial in trials] == [
        ((1, 1), Verdict.PASS, None),
        ((1, 2), Verdict.PASS, "1/1"),
    ]


async def test_the_critic_goes_on_while_there_is_depth(deps: Deps):
    await write(deps, fenced(kernel("LATENCY 5")))
    await judge(deps)
    command = await critic(state(), Runtime(context=deps))
    assert command.goto == "planner"
    assert command.update["lost"] == 0
    assert "bound by dram" in command.update["critique"]["text"]


@pytest.mark.parametrize(
    ("marks", "ending"),
    [
        (["LATENCY 9", "LATENCY 8", "LATENCY 7"], "depth"),
        (["LATENCY 5", "LATENCY 6"], "no_gain"),
        (["LATENCY 6", "LATENCY 5"], None),
        (["WRONG 1", "WRONG 2"], None),
    ],
)
async def test_the_critic_ends_a_search_for_a_reason(deps: Deps, marks: list[str], ending: str | None):
    deps = dataclasses.replace(deps, request=deps.request.model_copy(update={"patience": 1}))
    for number, mark in enumerate(marks, start=1):
        await write(deps, fenced(kernel(mark)), number=number)
        await judge(deps, number=number)
    where = state(round=len(marks))
    proposer = ScriptedProposer()
    command = await critic(where, with_proposer(deps, proposer))
    assert command.update["ending"] == ending
    assert command.goto == ("planner" if ending is None else "__end__")
    assert len(proposer.critiques) == (ending is None), "no model is asked for what nobody will read"


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target(), False),
        (Target(speedup=20), True),
        (Target(speedup=21), False),
        (Target(latency_us=5), True),
        (Target(latency_us=4.9), False),
        (Target(speedup=20, roofline=0.9), False),
    ],
)
async def test_a_target_is_met_in_all_its_parts(deps: Deps, target: Target, met: bool):
    await write(deps, fenced(kernel("LATENCY 5")))
    await judge(deps)
    assert target_met(target, deps.best()) is met


def test_what_is_asked_of_a_search_takes_the_place_of_its_tasks_own_target(task: Task):
    aimed = dataclasses.replace(task, target=Target(speedup=5, roofline=0.5))
    request = SearchRequest(task="twice", target_speedup=2, target_us=9)
    assert wanted(request, aimed) == Target(latency_us=9, speedup=2, roofline=0.5)
    assert wanted(SearchRequest(task="twice"), aimed) == aimed.target


async def test_a_correct_kernel_is_a_parent_before_a_failed_one(deps: Deps):
    await write(deps, fenced(kernel("WRONG")), fenced(kernel("LATENCY 5")))
    assert [await judge(deps, 1), await judge(deps, 2)] == [Verdict.WRONG_RESULT, Verdict.PASS]
    proposer = ScriptedProposer()
    await planner(state(), with_proposer(deps, proposer))
    first, *others = proposer.plans[0].parents
    assert first.kernel == kernel("LATENCY 5")
    assert kernel("WRONG") not in [parent.kernel for parent in others]


async def test_of_failed_kernels_the_one_that_came_furthest_is_repaired_first(deps: Deps):
    await write(deps, fenced(kernel("BROKEN")), fenced(kernel("WRONG")), "no kernel at all")
    for candidate in (1, 2, 3):
        await judge(deps, candidate)
    proposer = ScriptedProposer()
    update = await planner(state(), with_proposer(deps, proposer))
    assert [parent.kernel for parent in proposer.plans[0].parents] == [kernel("WRONG"), kernel("BROKEN")]
    assert update["plans"][0]["features"] == PLAN["features"], "a repair keeps the features"
