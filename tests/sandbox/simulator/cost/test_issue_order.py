"""In which order a warp's instructions issue, and what they wait for."""

from __future__ import annotations

from sandbox.simulator.cost.constants import USED
from sandbox.simulator.cost.issue_order import IssueOrder
from sandbox.simulator.ptx.parser import parse
from sandbox.simulator.ptx.syntax import Instruction

LATENCY = 100.0


def instructions(text: str) -> list[Instruction]:
    head = ".version 9.0\n.target sm_90\n.address_size 64\n.visible .entry k()\n{\n"
    registers = ".reg .f32 %f<99>;\n.reg .b64 %rd<99>;\n"
    return list(parse(f"{head}{registers}{text}\n}}\n").functions["k"].body)


def clocks(text: str, ready: dict[str, float] | None = None) -> float:
    return IssueOrder(instructions(text)).issue(
        ready or {}, lambda one: LATENCY if one.opcode == "ld" else 0.0
    )[0]


def test_loads_that_do_not_need_each_other_overlap():
    together = clocks("""
        ld.global.f32 %f1, [%rd1];
        add.f32 %f2, %f1, %f1;
        ld.global.f32 %f3, [%rd2];
        add.f32 %f4, %f3, %f3;
    """)
    in_turn = clocks("""
        ld.global.b64 %rd2, [%rd1];
        ld.global.f32 %f1, [%rd2];
        add.f32 %f2, %f1, %f1;
    """)
    assert LATENCY < together < 1.1 * LATENCY
    assert 2 * LATENCY < in_turn < 2.1 * LATENCY


def test_a_load_stays_behind_a_store_that_may_touch_the_same_memory():
    text = """
        ld.global.f32 %f1, [%rd1];
        st.{space}.f32 [%rd2], %f1;
        ld.{load}.f32 %f2, [%rd3];
        add.f32 %f3, %f2, %f2;
    """
    assert clocks(text.format(space="global", load="global")) > 2 * LATENCY
    assert clocks(text.format(space="global", load="global.nc")) < 1.1 * LATENCY
    assert clocks(text.format(space="shared", load="global")) < 1.1 * LATENCY
    assert clocks(text.format(space="shared", load="shared")) > 2 * LATENCY


def test_nothing_moves_over_a_barrier():
    text = """
        ld.global.f32 %f1, [%rd1];
        add.f32 %f2, %f1, %f1;
        bar.sync 0;
        ld.global.f32 %f3, [%rd2];
        add.f32 %f4, %f3, %f3;
    """
    assert clocks(text) > 2 * LATENCY + USED.barrier_clocks


def test_what_is_on_its_way_at_the_end_is_waited_for_by_the_next_block():
    listed = instructions("ld.global.f32 %f1, [%rd1];\nadd.f32 %f2, %f3, %f3;")
    now, ready = IssueOrder(listed).issue({}, lambda one: LATENCY if one.opcode == "ld" else 0.0)
    assert now == 2
    assert ready["%f1"] == LATENCY - 2
    assert clocks("add.f32 %f4, %f1, %f1;", ready) == LATENCY - 2 + 1


def test_what_was_issued_once_issues_again_as_if_it_had_not():
    order = IssueOrder(instructions("ld.global.f32 %f1, [%rd1];\nbar.sync 0;\nadd.f32 %f2, %f1, %f1;"))

    def taken(clocks: float) -> float:
        return order.issue({}, lambda one: clocks if one.opcode == "ld" else 0.0)[0]

    slow = taken(200.0)
    assert slow - taken(50.0) == 150.0
    assert taken(200.0) == slow


def test_a_register_that_is_written_again_is_another():
    text = """
        ld.global.f32 %f1, [%rd1];
        add.f32 %f2, %f1, %f1;
        ld.global.f32 %f1, [%rd2];
        add.f32 %f3, %f1, %f1;
    """
    assert clocks(text) < 1.1 * LATENCY
    twice = instructions("ld.global.f32 %f1, [%rd1];\nld.global.f32 %f1, [%rd2];")
    assert IssueOrder(twice).issue({}, lambda one: LATENCY) == (2, {"%f1": 1 + LATENCY - 2})


COPY = "cp.async.cg.shared.global [%rd1], [%rd2], 16;\ncp.async.commit_group;\n"


def copied(text: str) -> float:
    return IssueOrder(instructions(text)).issue({}, lambda one: LATENCY if one.opcode == "cp" else 0.0)[0]


def test_a_group_of_copies_is_waited_for_and_those_begun_later_are_not():
    assert copied(COPY) < 10
    assert copied(COPY + "cp.async.wait_group 0;") >= LATENCY
    assert copied(COPY + COPY + "cp.async.wait_group 2;") < 10
    late = "add.f32 %f1, %f2, %f3;\n" * 20
    first = copied(COPY + late + COPY + "cp.async.wait_group 1;")
    both = copied(COPY + late + COPY + "cp.async.wait_group 0;")
    assert first < both
    assert copied("cp.async.cg.shared.global [%rd1], [%rd2], 16;\ncp.async.wait_all;") >= LATENCY
