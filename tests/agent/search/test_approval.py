"""A search that waits before each round until someone has seen its plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from agent.candidates import CandidatePlan
from agent.events import Noticed, RoundPlanned
from agent.home import Home
from agent.results import RunState, Stop
from agent.search.planned import PlannedRound
from agent.search.starting import resume_search, start_search
from agent.store import Store
from sandbox.errors import UsageError
from tests.agent.search_fakes import FakeToolbox, ScriptedProposer, fenced, kernel

FAST, FASTER = kernel("LATENCY 20"), kernel("LATENCY 10")
PLAN = CandidatePlan("a" * 64, ("vectorized_loads",), "why")
PLANNED = PlannedRound("run", 2, (PLAN,), {"baseline": "a" * 64, "1/1": "b" * 64})


class Person:
    """Answers what it is told to, and remembers what it saw."""

    def __init__(self, *answers: str) -> None:
        self.seen: list[PlannedRound] = []
        self._answers = list(answers)

    async def __call__(self, planned: PlannedRound) -> Sequence[CandidatePlan] | None:
        self.seen.append(planned)
        match self._answers.pop(0):
            case "yes":
                return planned.plans
            case "stop":
                return None
            case feature:
                return [replace(planned.plans[0], features=(feature,), why="mine")]


async def test_nothing_is_written_before_a_person_has_seen_the_plans(
    home: Home, toolbox: FakeToolbox, request_of
):
    proposer, written = ScriptedProposer(fenced(FAST), fenced(FASTER)), list[int]()

    async def person(planned: PlannedRound) -> Sequence[CandidatePlan]:
        written.append(len(proposer.writes))
        return planned.plans

    request = request_of(depth=2, approve=True)
    result = await start_search(request, home=home, toolbox=toolbox, proposer=proposer, approver=person)
    assert written == [0, 1]
    assert result.best is not None
    assert result.best.latency_us == 10.0


async def test_what_a_person_changes_is_what_is_written_and_everyone_hears_of_it(
    home: Home, toolbox: FakeToolbox, request_of, heard
):
    proposer, person = ScriptedProposer(fenced(FAST), fenced(FASTER)), Person("yes", "row_packing")
    await start_search(
        request_of(depth=2, approve=True),
        home=home, toolbox=toolbox, proposer=proposer, approver=person, on_event=heard.append,
    )  # fmt: skip
    assert [write.plan.why for write in proposer.writes][1] == "mine"
    assert [event.features for event in heard if isinstance(event, RoundPlanned)][-1] == [["row_packing"]]
    assert any("changed by hand" in event.message for event in heard if isinstance(event, Noticed))
    assert person.seen[1].kernels.keys() == {"baseline", "1/1"}


async def test_a_search_that_was_stopped_before_a_round_asks_again_and_plans_nothing_twice(
    home: Home, toolbox: FakeToolbox, request_of
):
    proposer, person = ScriptedProposer(fenced(FAST), fenced(FASTER)), Person("yes", "stop", "yes")
    request = request_of(depth=2, approve=True)
    stopped = await start_search(request, home=home, toolbox=toolbox, proposer=proposer, approver=person)
    assert stopped.stopped is Stop.CANCELLED
    assert len(proposer.writes) == 1
    ended = await resume_search(stopped.run, home=home, toolbox=toolbox, proposer=proposer, approver=person)
    assert Store(home).get_run(ended.run).state is RunState.COMPLETED
    assert len(proposer.plans) == 2
    assert person.seen[1] == person.seen[2]


async def test_where_nobody_is_there_to_ask_no_search_begins(home: Home, toolbox: FakeToolbox, request_of):
    with pytest.raises(UsageError, match="nobody is there to approve"):
        await start_search(request_of(approve=True), home=home, toolbox=toolbox, proposer=ScriptedProposer())
    assert Store(home).list_runs(9) == []


async def test_time_that_a_person_takes_is_not_the_searchs(
    home: Home, toolbox: FakeToolbox, request_of, monkeypatch: pytest.MonkeyPatch
):
    clock = [0.0]
    monkeypatch.setattr("agent.search.work_time.time.monotonic", lambda: clock[0])

    async def slow(planned: PlannedRound) -> Sequence[CandidatePlan]:
        clock[0] += 3600.0
        return planned.plans

    proposer = ScriptedProposer(fenced(FAST))
    request = request_of(depth=1, approve=True)
    found = await start_search(request, home=home, toolbox=toolbox, proposer=proposer, approver=slow)
    assert found.seconds < 60.0


@pytest.mark.parametrize(
    ("plans", "said"),
    [
        ([], "there may be 1 to 1"),
        ([PLAN, PLAN], "there may be 1 to 1"),
        ([replace(PLAN, features=())], "neither tries nor leaves out"),
        ([replace(PLAN, features=(" ",))], "without a name"),
        ([replace(PLAN, parent="c" * 64)], "a kernel that this run does not have"),
    ],
)
def test_plans_that_cannot_be_carried_out_are_refused(plans: list[CandidatePlan], said: str):
    with pytest.raises(UsageError, match=said):
        PLANNED.checked(plans)


def test_a_writer_that_knows_some_features_is_asked_for_no_other():
    planned = replace(PLANNED, features=("vectorized_loads",))
    assert planned.checked([PLAN]) == (PLAN,)
    with pytest.raises(UsageError, match="knows no feature row_packing; it knows vectorized_loads"):
        planned.checked([replace(PLAN, features=("row_packing",))])


def test_kernels_that_a_search_was_given_stay_in_their_places():
    given = CandidatePlan(why="a kernel that the search was given", origin="start")
    planned = replace(PLANNED, plans=(given, PLAN))
    assert planned.checked([given]) == (given,)
    with pytest.raises(UsageError, match="stay as they are"):
        planned.checked([PLAN])
