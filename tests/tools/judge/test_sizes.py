"""Fresh sizes: what the cases of a task allow, spread over residues and aspects, and the same for one seed."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import pytest

from tools.judge.sizes import COUNT, fresh_cases, large_case
from tools.tasks.folder import find
from tools.tasks.task import Case, DimLimits, Task, argument_size

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
def test_fresh_sizes_cost_no_more_than_the_largest_case_or_one_of_them_twice_as_much(name: str) -> None:
    task = find(name)

    def elements(dims: dict[str, int]) -> int:
        return sum(math.prod(argument_size(argument, dims)) for argument in task.arguments)

    most = max(elements(case.dims) for case in task.tests)
    work = max(math.prod(case.dims.values()) for case in task.tests)
    for seed in SEEDS:
        for number, case in enumerate(fresh_cases(task, seed)):
            assert elements(case.dims) <= max(most, min(2 * most, 1 << 17) if number == 0 else 0)
            assert math.prod(case.dims.values()) <= 4 * work


@pytest.mark.parametrize(
    ("name", "dim"), [("vector_add", "n"), ("softmax", "cols"), ("matmul", "k"), ("matmul", "n")]
)
def test_each_judgement_has_every_residue_modulo_four_and_a_few_have_all_modulo_32(
    name: str, dim: str
) -> None:
    task = find(name)
    residues = [{size % 8 for size in sizes_of(task, dim, range(s, s + 1))} for s in SEEDS]
    assert sum(len({one % 4 for one in each}) == 4 for each in residues) >= 0.9 * len(SEEDS)
    assert sum(map(len, residues)) >= 6 * len(SEEDS)
    sizes = sizes_of(task, dim, range(120))
    assert {size % 32 for size in sizes} == set(range(32))
    beside = {size - (1 << round(math.log2(size))) for size in sizes if size > 8}
    assert {-2, -1, 0, 1, 2} <= beside
    assert {8, 16, 32} <= {size & -size for size in sizes}
    primes = [size for size in sizes if size > 8 and all(size % k for k in range(2, math.isqrt(size) + 1))]
    assert len(primes) > len(sizes) / 8


@pytest.mark.parametrize("name", ["transpose", "matmul", "softmax"])
def test_one_comes_up_in_every_dim_and_many_blocks_do(name: str) -> None:
    task = find(name)
    cases = [case.dims for seed in SEEDS for case in fresh_cases(task, seed)]
    for dim in task.dims:
        assert sum(case[dim] == 1 for case in cases) >= 0.1 * len(SEEDS)
    assert max(math.prod(case.values()) for case in cases) > 1 << 14


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


def test_limits_say_which_sizes_there_are_whatever_the_cases_share() -> None:
    task = with_cases(find("vector_add"), [{"n": 64}, {"n": 4096}], [{"n": 1 << 20}])
    limited = replace(task, limits={"n": DimLimits(min=8, max=5000, multiple_of=4)})
    sizes = sizes_of(limited, "n")
    assert all(8 <= size <= 5000 and size % 4 == 0 for size in sizes)
    assert {size % 32 for size in sizes} == set(range(0, 32, 4))
    assert {size & (size - 1) == 0 for size in sizes_of(task, "n")} == {True}
    anything = replace(task, limits={"n": DimLimits(min=1, multiple_of=1)})
    assert {size % 32 for size in sizes_of(anything, "n")} == set(range(32))


def test_dims_that_are_always_equal_keep_the_limits_of_each() -> None:
    square = with_cases(find("transpose"), [{"rows": 60, "cols": 60}], [{"rows": 96, "cols": 96}])
    limits = {"rows": DimLimits(min=1, multiple_of=4), "cols": DimLimits(max=64, multiple_of=6)}
    drawn = [case.dims for seed in SEEDS for case in fresh_cases(replace(square, limits=limits), seed)]
    assert drawn
    assert all(one["rows"] == one["cols"] <= 64 and one["rows"] % 12 == 0 for one in drawn)


def test_a_limit_beyond_every_case_is_tried_from_half_of_it_up() -> None:
    task = replace(
        with_cases(find("vector_add"), [{"n": 63}], [{"n": 4096}]), limits={"n": DimLimits(max=1 << 20)}
    )
    drawn = [large_case(task, seed) for seed in SEEDS]
    assert drawn == [large_case(task, seed) for seed in SEEDS]
    sizes = [case.dims["n"] for case in drawn if case is not None]
    assert len(sizes) == len(SEEDS)
    assert min(sizes) > 500_000
    assert max(sizes) <= 1 << 20
    assert len({size % 8 for size in sizes}) == 8


def test_a_judgement_is_not_a_size_short_where_there_are_others() -> None:
    task = with_cases(find("vector_add"), [{"n": 33}, {"n": 300}], [{"n": 4096}, {"n": 8192}])
    assert {len(fresh_cases(task, seed)) for seed in range(500)} == {COUNT}


@pytest.mark.parametrize("most", [(1 << 18) + 64, 1 << 19, 1 << 22])
def test_a_size_beyond_every_case_is_larger_than_all_of_them(most: int) -> None:
    cases = with_cases(find("vector_add"), [{"n": 63}], [{"n": 1 << 18}])
    task = replace(cases, limits={"n": DimLimits(max=most)})
    drawn = [large_case(task, seed) for seed in SEEDS]
    sizes = [case.dims["n"] for case in drawn if case is not None]
    assert len(sizes) > len(SEEDS) / 2
    assert min(sizes) > 1 << 18


def test_what_no_limit_allows_or_costs_too_much_is_not_tried() -> None:
    task = with_cases(find("vector_add"), [{"n": 64}], [{"n": 4096}])
    assert large_case(task, 1) is None
    assert large_case(replace(task, limits={"n": DimLimits(min=1, max=4096)}), 1) is None
    assert large_case(replace(task, limits={"n": DimLimits(max=1 << 30)}), 1) is None


@pytest.mark.parametrize("name", ["transpose", "softmax", "matmul"])
def test_some_judgements_have_dims_that_are_equal_by_pairs_and_all(name: str) -> None:
    task = find(name)
    drawn = [case.dims for seed in SEEDS for case in fresh_cases(task, seed)]
    square = [one for one in drawn if len(set(one.values())) == 1 and max(one.values()) > 16]
    assert len(square) > len(SEEDS) / 5
    pairs = {
        frozenset(pair) for one in drawn for pair in combinations(one, 2) if len({one[k] for k in pair}) == 1
    }
    assert pairs == {frozenset(pair) for pair in combinations(task.dims, 2)}
