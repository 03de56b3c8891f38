from __future__ import annotations

from agent.strategies.arms import ArmTally, choose_arm


def share(arm: str, tallies: dict[str, ArmTally]) -> float:
    return sum(choose_arm(("a", "b"), tallies, seed) == arm for seed in range(400)) / 400


def test_untried_arms_are_chosen_alike_and_a_better_one_more_often():
    assert 0.4 < share("a", {}) < 0.6
    assert share("a", {"a": ArmTally(10, 6), "b": ArmTally(10, 1)}) > 0.9
    assert share("a", {"a": ArmTally(10, 1)}) < 0.3, "what was not tried yet may be better"


def test_the_bandit_gains_more_than_uniform_choice():
    import random

    chances, won = {"a": 0.15, "b": 0.5, "c": 0.2}, 0
    for run in range(20):
        tallies: dict[str, ArmTally] = {}
        for number in range(60):
            arm = choose_arm(tuple(chances), tallies, 1000 * run + number)
            lucky = random.Random(f"{run} {number}").random() < chances[arm]
            before = tallies.get(arm, ArmTally())
            tallies[arm] = ArmTally(before.tried + 1, before.won + lucky)
            won += lucky
    uniform = 20 * 60 * sum(chances.values()) / 3
    assert won > 1.3 * uniform
