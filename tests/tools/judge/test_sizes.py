"""Fresh sizes: what the cases of a task allow, spread over residues and aspects, and the same for one seed."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tools.judge.sizes import COUNT, fresh_cases
from tools.tasks.folder import find
from tools.tasks.task import Case, Task, argument_size

BUNDLED = ("dot_product", "matmul", "reduction", "relu", "sigmoid", "softmax", "transpose", "vector_add")
SEEDS = range(60)


def sizes_of(task: Task, dim: str, seeds: range = SEEDS) -> list[int]:
    return [case.dims[dim] for seed in seeds for case in fresh_cases(task, seed)]


def with_cases(task: Task, tests: list[dict[str, int]], benches: list[dict[str, int]]) -> Task:
    return replace(task, tests=tuple(map(Case, tests)), benches=tuple(map(Case, benches)))


@pytest.mark.parametrize("name", BUNDLED)
def test_a_seed_draws_its_own_new_sizes_and_repeats_them(name: str) -> None:
    task = find(name)
    own = [case.dims for case in task.tests]
    drawn = [fresh_cases(task, seed) for seed in SEEDS]
    for seed, cases in zip(SEEDS, drawn, strict=True):
        assert cases == fresh_cases(task, seed)
        assert len(cases) == COUNT
        assert all(case.dims not in own and not case.data for case in cases)
        assert len({repr(case.dims) for case in cases}) == COUNT
    assert len({repr(cases) for cases in drawn}) == len(SEEDS)


@pytest.mark.parametrize("name", BUNDLED)
def test_fresh_sizes_cost_no_more_than_the_largest_case(name: str) -> None:
    task = find(name)

    def elements(dims: dict[str, int]) -> int:
        return sum(math.prod(argument_size(argument, dims)) for argument in task.arguments)

    most = max(elements(case.dims) for case in task.tests)
    work = max(math.prod(case.dims.values()) for case in task.tests)
    for seed in SEEDS:
        for case in fresh_cases(task, seed):
            assert elements(case.dims) <= most
            assert math.prod(case.dims.values()) <= 4 * work


@pytest.mark.parametrize(
    ("name", "dim"), [("vector_add", "n"), ("softmax", "cols"), ("matmul", "k"), ("matmul", "n")]
)
def test_each_judgement_has_every_residue_modulo_four_and_many_have_all_modulo_32(
    name: str, dim: str
) -> None:
    task = find(name)
    complete = [len({size % 4 for size in sizes_of(task, dim, range(s, s + 1))}) == 4 for s in SEEDS]
    assert sum(complete) >= 0.9 * len(SEEDS)
    sizes = sizes_of(task, dim, range(400))
    assert {size % 32 for size in sizes} == set(range(32))
    beside = {size - (1 << round(math.log2(size))) for size in sizes if size > 8}
    assert {-2, -1, 0, 1, 2} <= beside


@pytest.mark.parametrize(("name", "first", "second"), [("transpose", "rows", "cols"), ("matmul", "m", "n")])
def test_each_judgement_has_a_wide_case_and_a_high_one(name: str, first: str, second: str) -> None:
    task = find(name)
    for seed in SEEDS:
        wide, high = fresh_cases(task, seed)[:2]
        assert wide.dims[second] > wide.dims[first]
        assert high.dims[first] > high.dims[second]
    ratios = [case.dims[second] / case.dims[first] for s in SEEDS for case in fresh_cases(task, s)]
    assert min(ratios) < 0.3
    assert max(ratios) > 3


def test_what_all_cases_share_is_a_rule_of_the_task() -> None:
    task = find("matmul")
    tests = [{"m": 16, "n": 128, "k": 48}, {"m": 64, "n": 128, "k": 96}, {"m": 32, "n": 128, "k": 144}]
    shared = with_cases(task, tests, [{"m": 1024, "n": 128, "k": 1008}])
    assert set(sizes_of(shared, "n")) == {128}
    assert all(size % 48 == 0 for size in sizes_of(shared, "k"))
    powers = sizes_of(shared, "m")
    assert all(size & (size - 1) == 0 for size in powers)
    assert len(set(powers)) > 2
    square = with_cases(
        task, [{"m": 3, "n": 3, "k": 5}, {"m": 40, "n": 40, "k": 9}], [{"m": 99, "n": 99, "k": 70}]
    )
    assert all(case.dims["m"] == case.dims["n"] for seed in SEEDS for case in fresh_cases(square, seed))


def test_a_task_of_one_size_has_no_fresh_ones() -> None:
    task = find("vector_add")
    assert fresh_cases(with_cases(task, [{"n": 64}], [{"n": 64}]), 1) == []
