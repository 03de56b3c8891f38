"""One candidate in four has nothing to do with what is best so far."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from agent.candidates import Slot
from agent.strategies.elites import Elites
from agent.strategies.exploring import exploring
from agent.strategies.suggesting import Suggestions
from agent.strategies.tree import Tree
from prompts import features
from sandbox.verdict import Verdict
from tests.agent.strategies.histories import right, view, wrong

NAMES = ("shared_memory_tiling", "register_blocking", "loop_unrolling", "vectorized_loads", "read_only_cache")
PAGES = tuple(page for page in features() if page.name in NAMES)
BEST = right(1, 1, 10.0, "shared_memory_tiling", "register_blocking", "loop_unrolling")


def settled(asked: Iterable[str]) -> tuple[str, ...]:
    """Registers are blocked in tiles alone."""
    wanted = set(asked)
    return tuple(sorted(wanted | ({"shared_memory_tiling"} if "register_blocking" in wanted else set())))


def result(slot: Slot, used: Iterable[str]) -> frozenset[str]:
    return frozenset(settled({*(set(used) - set(slot.without)), *slot.features}))


@pytest.mark.parametrize("strategy", [Tree(), Elites()], ids=["tree", "elites"])
def test_where_features_are_switches_a_first_round_is_left_to_the_writer(strategy: Tree | Elites):
    slots = strategy.slots(view(pages=PAGES, settle=settled), 4)
    assert [(slot.parents, slot.features) for slot in slots] == [(("base",), ())] * 4
    assert any(slot.features for slot in strategy.slots(view(pages=PAGES), 4))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
def test_a_quarter_of_all_candidates_explores_however_many_a_round_has(count: int):
    found = 0
    for number in range(1, 9):
        before = view(BEST, round=number, pages=PAGES, settle=settled)
        found += len(exploring(before, Suggestions(before, random.Random(number)), count, count))
    assert found == 8 * count // 4


@pytest.mark.parametrize("strategy", [Tree(), Elites()])
def test_a_round_of_four_explores_once_and_last(strategy: Tree | Elites):
    slots = strategy.slots(view(BEST, pages=PAGES, settle=settled), 4)
    assert [slot.origin == "elsewhere" for slot in slots] == [False, False, False, True]


def test_a_switch_may_be_turned_off_and_no_two_slots_lead_to_the_same_kernel():
    tried = {frozenset(BEST.used), frozenset[str]()}
    shas = {"base": (), "1.1": BEST.used}
    turned_off = 0
    for seed in range(20):
        slots = Tree().slots(view(BEST, pages=PAGES, settle=settled, seed=seed), 4)
        made = [result(slot, shas[slot.parents[0]]) for slot in slots]
        assert len({*made, *tried}) == 4 + 2
        turned_off += any(slot.without for slot in slots)
    assert turned_off > 10


def test_an_exploring_slot_builds_on_the_kernel_it_is_nearest_to():
    for seed in range(20):
        before = view(BEST, pages=PAGES, settle=settled, seed=seed)
        (slot,) = exploring(before, Suggestions(before, random.Random(seed)), 4, 4)
        made = result(slot, {"base": (), "1.1": BEST.used}[slot.parents[0]])
        apart = {"base": len(made), "1.1": len(made ^ set(BEST.used))}
        assert apart[slot.parents[0]] == min(apart.values())


def test_after_a_round_without_a_gain_what_is_believed_has_no_say():
    costly = [right(1, 4 + number, 20.0, *BEST.used[:number], "read_only_cache") for number in (1, 2, 3)]

    def tries(us: float) -> int:
        last = right(2, 1, us, *BEST.used[:2], on="1.1")
        lines = [BEST, *costly, right(1, 4, 10.6, *BEST.used[:1]), last]
        used = {"base": (), **{line.sha: line.used for line in lines}}
        found = 0
        for seed in range(60):
            before = view(*lines, pages=PAGES, settle=settled, seed=seed)
            (slot,) = exploring(before, Suggestions(before, random.Random(seed)), 4, 4)
            found += "read_only_cache" in result(slot, used[slot.parents[0]])
        return found

    assert tries(10.0) > 2 * tries(9.0), "no gain, and a gain"


def test_a_models_kernel_is_no_set_of_switches():
    for seed in range(20):
        slots = Tree().slots(view(BEST, seed=seed), 4)
        assert not any(slot.without and slot.features for slot in slots)
        (far,) = [slot for slot in slots if slot.origin == "elsewhere"]
        assert far.parents == ("base",)
        assert 1 <= len(far.features) <= 3


def test_where_everything_was_tried_nothing_explores():
    page = tuple(page for page in features() if page.name == "loop_unrolling")
    before = view(right(1, 1, 10.0, "loop_unrolling"), pages=page, settle=settled)
    assert exploring(before, Suggestions(before, random.Random(1)), 4, 4) == []


def test_nothing_explores_where_repairs_fill_the_round():
    broken = [wrong(1, number, Verdict.RACE, NAMES[number]) for number in range(4)]
    origins = [slot.origin for slot in Tree().slots(view(*broken), 4)]
    assert origins.count("elsewhere") == 0
