"""Rewards: a wrong kernel never gets more than a right one, a slower one never more than a faster one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.trajectories.rewards import Rewarded, out_of_order, reward
from sandbox.verdict import Verdict

UNJUDGED = (Verdict.UNSUPPORTED, Verdict.UNDECIDED)
JUDGED = [verdict for verdict in Verdict if verdict not in UNJUDGED]


@st.composite
def rewarded(draw: st.DrawFn) -> Rewarded:
    verdict = draw(st.sampled_from(JUDGED))
    timed = st.none() | st.floats(1e-6, 1e6)
    speedup = draw(timed) if verdict is Verdict.PASS else None
    worth = reward(verdict, speedup)
    assert worth is not None
    return Rewarded(verdict, speedup, worth)


@given(st.lists(rewarded(), max_size=12))
def test_rewards_order_as_verdicts_do(judged: list[Rewarded]):
    assert out_of_order(judged) == []


def test_a_failure_is_worth_more_the_further_it_came():
    failures = (
        Verdict.REJECTED,
        Verdict.COMPILE_ERROR,
        Verdict.LAUNCH_ERROR,
        Verdict.RACE,
        Verdict.WRONG_RESULT,
    )
    worth = [reward(verdict, None) for verdict in failures]
    assert worth == sorted(worth, key=float)
    assert len(set(worth)) == len(worth)


def test_what_no_machine_could_judge_has_no_reward():
    assert [reward(verdict, None) for verdict in UNJUDGED] == [None, None]


def test_a_wrong_kernel_that_gets_more_than_a_right_one_is_found():
    wrong, right = Rewarded(Verdict.RACE, None, 1.5), Rewarded(Verdict.PASS, 0.1, 1.1)
    assert out_of_order([right, wrong]) == [(wrong, right)]
    slow, fast = Rewarded(Verdict.PASS, 1.0, 3.0), Rewarded(Verdict.PASS, 2.0, 2.0)
    assert out_of_order([fast, slow]) == [(slow, fast)]
