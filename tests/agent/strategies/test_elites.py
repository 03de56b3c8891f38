from __future__ import annotations

from collections import Counter

from agent.strategies.elites import PATIENCE, Elites, archive
from sandbox.device import Bottleneck
from sandbox.verdict import Verdict
from tests.agent.strategies.histories import niche, right, view, wrong

FAST = right(1, 1, 10.0, "vectorized_loads")
SLOWER = right(1, 2, 12.0, "loop_unrolling", niche=niche(Bottleneck.LATENCY, promise_us=12.0))
HOPELESS = right(1, 3, 90.0, "read_only_cache", niche=niche(Bottleneck.XU, promise_us=90.0))


def test_the_archive_keeps_the_fastest_of_each_cell():
    cells = archive(view(FAST, SLOWER, right(2, 1, 9.0, "grid_stride_loop", on="1.1")))
    assert {line.sha for line in cells.values()} == {"2.1", "1.2"}


def test_a_repeated_kernel_is_in_the_archive_once():
    assert len(archive(view(FAST, right(1, 2, 10.0, sha="1.1", duplicate=True)))) == 1


def test_the_best_kernel_is_always_built_on_and_slower_ones_of_other_kinds_are_too():
    drawn: Counter[tuple[str, ...]] = Counter()
    for seed in range(30):
        slots = Elites().slots(view(FAST, SLOWER, HOPELESS, seed=seed), 4)
        assert slots[0].parents == ("1.1",)
        drawn.update(slot.parents for slot in slots[2:])
    assert drawn["1.1",] > 0
    assert drawn["1.2",] > drawn["1.3",], "promise counts"


def test_an_elite_with_many_children_is_drawn_less_often():
    children = tuple(right(2, number, 30.0, on="1.2") for number in range(1, 25))
    fresh = sum(slot.parents == ("1.2",) for seed in range(40) for slot in _drawn(seed))
    tired = sum(slot.parents == ("1.2",) for seed in range(40) for slot in _drawn(seed, *children))
    assert tired < fresh


def _drawn(seed, *more):
    return Elites().slots(view(FAST, SLOWER, *more, seed=seed), 6)[2:]


def test_what_a_cure_promises_makes_an_elite_worth_more():
    curable = right(1, 2, 12.0, "loop_unrolling", niche=niche(Bottleneck.LATENCY, promise_us=3.0))
    plain = sum(slot.parents == ("1.2",) for seed in range(40) for slot in _drawn(seed))
    cured = sum(
        slot.parents == ("1.2",)
        for seed in range(40)
        for slot in Elites().slots(view(FAST, curable, seed=seed), 6)[2:]
    )
    assert cured > plain


def test_two_elites_are_merged_in_one_candidate():
    merged = [slot for slot in Elites().slots(view(FAST, SLOWER), 4) if len(slot.parents) == 2]
    assert [slot.parents for slot in merged] == [("1.1", "1.2")]
    assert merged[0].origin == "merge 1/1 + 1/2"


def test_a_failed_kernel_that_came_far_stays_reachable_beside_correct_ones_until_it_was_repaired_twice():
    broken = wrong(1, 4, Verdict.WRONG_RESULT, "warp_shuffle_reduction")
    (slot,) = [slot for slot in Elites().slots(view(FAST, broken), 4) if slot.keep]
    assert (slot.parents, slot.features) == (("1.4",), ("warp_shuffle_reduction",))
    again = [
        wrong(number, 1, Verdict.REJECTED, "warp_shuffle_reduction", on="1.4", sha=None) for number in (2, 3)
    ]
    assert not [slot for slot in Elites().slots(view(FAST, broken, *again), 4) if slot.parents == ("1.4",)]


def test_a_failed_kernel_whose_repair_passed_is_left_in_peace():
    broken = wrong(1, 4, Verdict.WRONG_RESULT, "warp_shuffle_reduction")
    mended = right(2, 1, 8.0, "warp_shuffle_reduction", on="1.4")
    assert not [slot for slot in Elites().slots(view(FAST, broken, mended), 4) if slot.keep]


def test_where_nothing_is_correct_repairs_come_first_and_one_slot_in_four_begins_afresh():
    history = view(*(wrong(1, number, Verdict.RACE, "loop_unrolling") for number in range(1, 5)))
    slots = Elites().slots(history, 4)
    assert [slot.keep for slot in slots] == [True, True, True, False]
    assert slots[3].parents == ("base",)


def test_the_first_round_tries_different_things_on_the_baseline():
    slots = Elites().slots(view(), 4)
    assert {slot.parents for slot in slots} == {("base",)}
    assert len({slot.features for slot in slots}) == 4


def test_it_stops_after_its_patience():
    stale = (FAST, *(right(number, 1, 11.0) for number in range(2, 2 + PATIENCE)))
    assert Elites().stalled(view(*stale))
    assert not Elites().stalled(view(*stale[:-1]))
    assert not Elites().stalled(view(*stale, right(2 + PATIENCE, 1, 9.0)))


def test_the_same_view_gives_the_same_slots():
    assert Elites().slots(view(FAST, SLOWER), 6) == Elites().slots(view(FAST, SLOWER), 6)
