from __future__ import annotations

import math
import random

import pytest

from agent.store.credits import Earned
from agent.strategies.credit import FAILED, FAR, Effects, beliefs, observed
from agent.strategies.suggesting import Suggestions
from prompts import features
from sandbox.device import Bottleneck
from sandbox.verdict import Provenance, Verdict
from tests.agent.strategies.histories import BASE, niche, right, view, wrong

LIBRARY = features()
PAGE = {page.name: page for page in LIBRARY}


def earned(
    name: str, gain: float, *, tries: int = 4, correct: int = 4, kind: str = "row_reduction"
) -> Earned:
    return Earned(
        name, kind, "sm_90", Provenance.ESTIMATED, tries, correct, correct, correct * math.log(gain)
    )


def test_a_page_is_what_is_believed_of_a_feature_that_nobody_tried():
    found = beliefs(LIBRARY, (), "row_reduction", "sm_90")
    assert math.exp(found["vectorized_loads"].mean) == pytest.approx(PAGE["vectorized_loads"].gain)


def test_a_page_promises_nothing_of_kinds_of_task_that_it_does_not_name():
    assert PAGE["two_pass_reduction"].applies_to == ("reduction",)
    assert beliefs(LIBRARY, (), "reduction", "sm_90")["two_pass_reduction"].mean > 0
    found = beliefs(LIBRARY, (earned("two_pass_reduction", 2.0),), "row_reduction", "sm_90")
    assert beliefs(LIBRARY, (), "row_reduction", "sm_90")["two_pass_reduction"].mean == 0
    assert found["two_pass_reduction"].mean > 0, "what it earns there counts all the same"


def test_gains_of_earlier_runs_move_a_belief_and_those_of_the_like_move_it_most():
    before = beliefs(LIBRARY, (), "row_reduction", "sm_90")["loop_unrolling"]
    like = beliefs(LIBRARY, (earned("loop_unrolling", 3.0),), "row_reduction", "sm_90")["loop_unrolling"]
    other = beliefs(LIBRARY, (earned("loop_unrolling", 3.0),), "transpose", "sm_90")["loop_unrolling"]
    elsewhere = beliefs(LIBRARY, (earned("loop_unrolling", 3.0),), "row_reduction", "sm_75")["loop_unrolling"]
    assert before.mean < other.mean < elsewhere.mean < like.mean < math.log(3.0)
    assert like.sd < elsewhere.sd < other.sd < before.sd


def test_failures_count_against_a_feature():
    found = beliefs(LIBRARY, (earned("loop_unrolling", 1.0, correct=0),), "row_reduction", "sm_90")
    assert found["loop_unrolling"].mean < 0


def test_a_feature_of_a_planners_own_is_believed_in_once_it_has_earned_something():
    found = beliefs(LIBRARY, (earned("row_packing", 2.0),), "row_reduction", "sm_90")
    assert found["row_packing"].mean > 0


def test_what_a_run_shows_overrules_what_was_believed():
    prior = beliefs(LIBRARY, (earned("loop_unrolling", 2.0),), "row_reduction", "sm_90")
    others = ("grid_stride_loop", "read_only_cache", "block_size_tuning", "vectorized_loads")
    lines = [right(1, 0, 100.0), *(right(1, number, 100.0, name) for number, name in enumerate(others, 1))]
    lines += [right(2, number, 150.0, name, "loop_unrolling") for number, name in enumerate(others, 1)]
    model = Effects(["loop_unrolling", *others], observed(lines, BASE), prior)
    assert model.effect("loop_unrolling") > 0 > -prior["loop_unrolling"].mean


def test_failed_kernels_count_as_far_from_the_best_unless_a_machine_is_to_blame():
    lines = [
        wrong(1, 1, Verdict.RACE, "loop_unrolling"),
        wrong(1, 2, Verdict.REJECTED, "grid_stride_loop", lost=True),
        wrong(1, 3, Verdict.REJECTED, "read_only_cache", sha=None),
    ]
    assert observed(lines, BASE) == {frozenset(): 0.0, frozenset({"loop_unrolling"}): FAILED}


def test_what_is_far_from_the_best_is_far_be_it_twice_or_a_thousand_times():
    lines = [right(1, 1, 1.0, "a"), right(1, 2, 1.1, "b"), right(1, 3, 2.5, "c")]
    found = observed(lines, BASE)
    assert found[frozenset("a")] == 0.0
    assert found[frozenset("b")] == pytest.approx(math.log(1.1))
    assert found[frozenset("c")] == found[frozenset()] == FAR < FAILED


def test_two_features_may_do_together_what_neither_does_alone():
    lines = [
        right(1, 1, 100.0, "loop_unrolling"),
        right(1, 2, 100.0, "grid_stride_loop"),
        *(right(2, number, 55.0, "loop_unrolling", "grid_stride_loop", f"x{number}") for number in range(3)),
    ]
    model = Effects(["loop_unrolling", "grid_stride_loop"], observed(lines, BASE), {})
    together, _ = model.predict(("loop_unrolling", "grid_stride_loop"))
    alone = [model.predict((name,))[0] for name in ("loop_unrolling", "grid_stride_loop")]
    assert together < 0.2 < min(alone)


def test_draws_spread_as_far_as_is_unknown():
    prior = beliefs(LIBRARY, (), "row_reduction", "sm_90")
    known = Effects(
        ["loop_unrolling"],
        {frozenset({"loop_unrolling"}): -0.2, frozenset(): 0.0},
        prior,
    )
    unknown = Effects(["loop_unrolling"], {}, prior)

    def spread(model: Effects) -> float:
        rng = random.Random(1)
        drawn = [model.draw(rng).change("loop_unrolling", ()) for _ in range(400)]
        mean = sum(drawn) / len(drawn)
        return math.sqrt(sum((one - mean) ** 2 for one in drawn) / len(drawn))

    assert spread(known) < spread(unknown)
    assert spread(unknown) == pytest.approx(prior["loop_unrolling"].sd, rel=0.15)


def suggested(*lines, on=BASE, seeds: int = 60, **more) -> list[tuple[str, ...]]:
    history = view(*lines, **more)
    return [Suggestions(history, random.Random(seed)).on((on,)).added for seed in range(seeds)]


def test_at_most_three_features_are_suggested_none_of_them_in_use():
    on = right(1, 1, 10.0, "vectorized_loads", "loop_unrolling")
    for names in suggested(on, on=on):
        assert 1 <= len(names) <= 3
        assert not {"vectorized_loads", "loop_unrolling"} & set(names)


def test_a_feature_brings_what_it_needs_and_leaves_out_what_it_excludes():
    pages = tuple(page for page in LIBRARY if "shared_memory" in page.name or "bank" in page.name)
    chosen = [set(names) for names in suggested(pages=pages, seeds=200)]
    assert any("bank_conflict_padding" in names for names in chosen)
    for names in chosen:
        assert "bank_conflict_padding" not in names or "shared_memory_tiling" in names
        for name in names:
            assert not set(PAGE[name].conflicts) & names


def test_features_that_cure_the_bottleneck_are_suggested_more_often():
    def count(bottleneck: Bottleneck) -> int:
        on = right(1, 1, 10.0, niche=niche(bottleneck))
        return sum("online_softmax" in names for names in suggested(on, on=on, seeds=200))

    assert count(Bottleneck.DRAM) > count(Bottleneck.ATOMICS)


def test_features_that_gained_are_suggested_more_often_than_those_that_cost():
    lines = [
        *(right(1, number, 50.0, "loop_unrolling") for number in range(1, 4)),
        *(right(2, number, 300.0, "grid_stride_loop") for number in range(1, 4)),
    ]
    names = [name for one in suggested(*lines, seeds=100) for name in one]
    assert names.count("loop_unrolling") > 2 * names.count("grid_stride_loop")


def test_the_critics_word_is_heard():
    heard = sum("read_only_cache" in names for names in suggested(hints=("read_only_cache",), seeds=200))
    assert heard > sum("read_only_cache" in names for names in suggested(seeds=200))


def test_the_same_is_not_suggested_twice_for_the_same_kernel_in_a_round():
    suggestions = Suggestions(view(), random.Random(1))
    drawn = [frozenset(suggestions.on((BASE,)).added) for _ in range(8)]
    assert len(set(drawn)) == 8


def test_a_feature_of_a_planners_own_that_passed_is_tried_on_other_kernels_too():
    own = right(1, 1, 20.0, "row_packing")
    assert any("row_packing" in names for names in suggested(own, seeds=100))


def test_what_seems_to_help_least_is_left_out_first_with_what_needs_it_and_each_once():
    best = right(2, 1, 10.0, "shared_memory_tiling", "bank_conflict_padding", "loop_unrolling")
    lines = [
        right(1, 1, 20.0, "shared_memory_tiling", "bank_conflict_padding"),
        right(1, 2, 60.0, "loop_unrolling"),
        best,
    ]
    suggestions = Suggestions(view(*lines, pages=LIBRARY), random.Random(5))
    out = {suggestions.leave_out(best) for _ in range(4)}
    assert ("bank_conflict_padding",) in out
    assert () in out, "what is left of it was tried already, or is nothing"
    assert ("loop_unrolling",) not in out
    assert not any("shared_memory_tiling" in names and len(names) == 1 for names in out)


def test_where_everything_was_tried_nothing_is_suggested():
    page = (PAGE["loop_unrolling"],)
    assert set(suggested(right(1, 1, 10.0, "loop_unrolling"), pages=page, seeds=3)) == {()}
