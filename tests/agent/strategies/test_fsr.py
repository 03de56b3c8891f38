from __future__ import annotations

from agent.strategies.fsr import Fsr
from sandbox.verdict import Verdict
from tests.agent.strategies.histories import right, view, wrong


def test_the_first_round_begins_at_the_baseline():
    slots = Fsr().slots(view(), 3)
    assert [slot.parents for slot in slots] == [("base",)] * 3


def test_every_candidate_builds_on_the_fastest_of_the_last_round_even_where_an_earlier_one_was_faster():
    slots = Fsr().slots(view(right(1, 1, 10.0), right(2, 1, 30.0, on="1.1"), right(2, 2, 20.0, on="1.1")), 4)
    assert [slot.parents for slot in slots] == [("2.2",)] * 4
    assert all(slot.features == () for slot in slots), "the planner chooses"


def test_where_none_of_the_last_round_is_correct_its_kernels_are_repaired_in_turn():
    history = view(
        right(1, 1, 10.0),
        wrong(2, 1, Verdict.COMPILE_ERROR, "loop_unrolling", on="1.1"),
        wrong(2, 2, Verdict.WRONG_RESULT, "vectorized_loads", on="1.1"),
    )
    slots = Fsr().slots(history, 3)
    assert [slot.parents for slot in slots] == [("2.2",), ("2.1",), ("2.2",)]
    assert slots[0].keep
    assert slots[0].features == ("vectorized_loads",)


def test_a_round_in_which_nothing_answered_does_not_count():
    lost = wrong(2, 1, Verdict.REJECTED, lost=True, sha=None)
    assert Fsr().slots(view(right(1, 1, 10.0), lost), 1)[0].parents == ("1.1",)


def test_replies_without_a_kernel_lead_back_to_the_baseline():
    assert Fsr().slots(view(wrong(1, 1, Verdict.REJECTED, sha=None)), 1)[0].parents == ("base",)


def test_it_stops_at_its_depth_alone_unless_patience_is_asked_for():
    stale = (right(1, 1, 10.0), *(right(number, 1, 11.0) for number in range(2, 8)))
    assert not Fsr().stalled(view(*stale))
    assert Fsr().stalled(view(*stale, patience=6))
    assert not Fsr().stalled(view(*stale, patience=7))
