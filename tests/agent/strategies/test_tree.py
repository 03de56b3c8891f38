from __future__ import annotations

from agent.strategies.tree import ATTEMPTS, PATIENCE, STAGNATION, Tree, intents
from sandbox.device import Bottleneck
from sandbox.verdict import Verdict
from tests.agent.strategies.histories import PAGES, niche, right, view, wrong

FAST = right(1, 1, 10.0, "vectorized_loads")
SECOND = right(1, 2, 11.0, "loop_unrolling")


def parents(*lines, count: int = 4, **more) -> list[tuple[str, ...]]:
    return [slot.parents for slot in Tree().slots(view(*lines, **more), count)]


def origins(*lines, count: int = 4, **more) -> list[str]:
    return [slot.origin for slot in Tree().slots(view(*lines, **more), count)]


def test_the_root_is_the_baseline_and_its_first_intents_differ():
    slots = Tree().slots(view(), 4)
    assert {slot.parents for slot in slots} == {("base",)}
    assert len({slot.features for slot in slots}) == 4


def test_the_best_node_is_expanded_first():
    assert parents(FAST, right(1, 2, 60.0, "read_only_cache"), count=1) == [("1.1",)]


def test_a_repair_is_another_attempt_at_the_same_intent():
    failing = wrong(1, 1, Verdict.COMPILE_ERROR, "loop_unrolling")
    repaired = right(2, 1, 9.0, "loop_unrolling", on="1.1")
    (intent,) = intents(view(failing, repaired))
    assert [line.place for line in intent.attempts] == [(1, 1), (2, 1)]
    assert intent.correct == repaired


def test_one_idea_gets_several_attempts_before_it_is_judged():
    lines = [FAST, wrong(2, 1, Verdict.COMPILE_ERROR, "loop_unrolling", on="1.1")]
    for number in range(3, 2 + ATTEMPTS):
        (slot,) = [slot for slot in Tree().slots(view(*lines), 4) if slot.keep]
        assert slot.features == ("loop_unrolling",)
        lines.append(wrong(number, 1, Verdict.COMPILE_ERROR, "loop_unrolling", on=slot.parents[0]))
    assert not [slot for slot in Tree().slots(view(*lines), 4) if slot.keep], "its attempts are used up"
    assert [intent.judged for intent in intents(view(*lines))] == [True, True]


def test_further_attempts_take_half_of_a_round_at_most():
    broken = [wrong(2, number, Verdict.RACE, PAGES[number].name, on="1.1") for number in range(1, 5)]
    assert sum(slot.keep for slot in Tree().slots(view(FAST, *broken), 4)) == 2


def test_a_branch_that_stagnates_is_left_and_the_next_best_node_is_expanded():
    stale = [
        right(2, number, 12.0, PAGES[number].name, on="1.1", used=("vectorized_loads", f"tried {number}"))
        for number in range(1, 1 + STAGNATION)
    ]
    assert "node 1/1" in origins(FAST, SECOND, *stale[:-1], count=8)
    assert "node 1/1" not in origins(FAST, SECOND, *stale, count=8), "backtracked"


def test_what_seems_to_help_least_is_taken_out_of_the_best_kernel():
    best = right(1, 1, 10.0, "vectorized_loads", "loop_unrolling", "grid_stride_loop")
    (slot,) = [slot for slot in Tree().slots(view(best), 4) if slot.without]
    assert (slot.parents, slot.features, slot.origin) == (("1.1",), (), f"1/1 without {slot.without[0]}")
    assert slot.without[0] in best.used


def test_a_node_on_which_everything_was_tried_is_passed_over():
    pages = tuple(page for page in PAGES if page.name in {"vectorized_loads", "loop_unrolling"})
    full = right(1, 1, 10.0, "vectorized_loads", "loop_unrolling")
    assert origins(full, pages=pages, count=1) == ["node the baseline"]


def test_a_gain_keeps_a_branch_open():
    lines = [
        right(2, number, 9.0 if number == 2 else 12.0, PAGES[number].name, on="1.1")
        for number in range(1, 1 + STAGNATION)
    ]
    assert {("1.1",), ("2.2",)} & set(parents(FAST, *lines, count=6))


def test_where_every_branch_was_left_the_best_are_tried_again():
    stale = [
        right(2, number, 100.0 + number, PAGES[number].name, on=on, used=())
        for on in ("base", "1.1")
        for number in range(1, 1 + STAGNATION)
    ]
    dead = [
        right(3, number, 200.0, PAGES[number].name, on=f"2.{one}", used=())
        for one in range(1, 1 + STAGNATION)
        for number in range(1, 1 + STAGNATION)
    ]
    assert len(parents(FAST, *stale, *dead)) == 4


def test_what_a_cure_promises_and_what_the_critic_names_make_a_node_worth_more():
    curable = right(1, 2, 11.0, "loop_unrolling", niche=niche(Bottleneck.DRAM, promise_us=4.0))
    assert parents(FAST, SECOND, count=1) == [("1.1",)]
    assert parents(FAST, curable, count=1) == [("1.2",)]
    close = right(1, 2, 10.1, "loop_unrolling")
    assert parents(FAST, close, count=1, hints=("vectorized_loads",)) == [("1.2",)]


def test_the_best_kernels_of_two_branches_are_merged_once():
    assert ("1.1", "1.2") in parents(FAST, SECOND)
    merged = right(2, 1, 9.5, on="1.1+1.2", used=("vectorized_loads", "loop_unrolling"))
    assert ("1.1", "1.2") not in parents(FAST, SECOND, merged)


def test_a_kernel_is_not_merged_with_what_it_comes_from():
    child = right(2, 1, 9.0, "register_blocking", on="1.1", used=("register_blocking",))
    assert all(len(pair) == 1 for pair in parents(FAST, child))


def test_where_nothing_is_correct_even_given_up_intents_are_repaired():
    lines = [wrong(1, number, Verdict.WRONG_RESULT, "loop_unrolling") for number in range(1, 1 + ATTEMPTS)]
    slots = Tree().slots(view(*lines), 4)
    assert [slot.keep for slot in slots] == [True, True, True, False]


def test_replies_that_were_lost_are_no_attempts():
    lost = wrong(1, 1, Verdict.REJECTED, "loop_unrolling", sha=None, lost=True)
    assert intents(view(lost)) == []


def test_it_stops_after_its_patience():
    stale = (FAST, *(right(number, 1, 11.0) for number in range(2, 2 + PATIENCE)))
    assert Tree().stalled(view(*stale))
    assert not Tree().stalled(view(*stale, patience=PATIENCE + 1))
