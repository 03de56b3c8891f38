"""Where an output jumps within reach of a few roundings, by what it jumps; smooth outputs, however steep, do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from sandbox.device import Array
from sandbox.reference.jumps import answered, jumps
from sandbox.reference.magnitude import estimate

EPS = 2.0**-23
Function = Callable[[Array], Array]


def found(function: Function, x: Array) -> Array:
    """What `function` jumps by near `x`, where its scale is said to be as large as its values are."""

    def evaluate(given: Mapping[str, Array]) -> dict[str, Array]:
        return {"y": function(given["x"])}

    outputs = evaluate({"x": x})
    scale = {"y": np.abs(outputs["y"])}
    return jumps(evaluate, {"x": x}, outputs, scale, EPS, np.random.default_rng(0))["y"]


def place(x: Array) -> Array:
    """The nearest of places 0 to 99, as `(x + 1) * 50 - 0.5` rounds to it."""
    return np.rint((x + 1) * 50 - 0.5)


def test_a_step_in_reach_of_a_few_roundings_is_a_jump_and_one_beyond_is_none() -> None:
    x = np.array([0.02 + 2.0**-24, 0.02 - 2.0**-24, 0.02 + 2.0**-15, 0.501, -0.511, 0.703])
    np.testing.assert_array_equal(found(place, x), [1, 1, 0, 0, 0, 0])


@pytest.mark.parametrize("function", [np.exp, np.log, np.sqrt, np.reciprocal, np.cumsum])
def test_what_is_steep_and_smooth_does_not_jump(function: Function) -> None:
    x = np.array([1e-3, 1e-2, 0.1, 1.0, 2.0, 3.0])
    assert not found(function, x).any()


def test_an_order_that_two_roundings_turn_round_is_a_jump() -> None:
    near = np.array([1.0, 1.0 + 1e-8, 2.0, 3.0])
    carried = np.array([10.0, 20.0, 30.0, 40.0])
    near = np.tile(near, (40, 1))
    jumped = found(lambda x: carried[np.argsort(x * 1.7, axis=-1)], near)
    assert set(jumped[:, :2].flat) == {0.0, 10.0}  # half of the moves move both alike
    assert not jumped[:, 2:].any()


def test_what_a_reference_says_beside_its_inputs_is_left_out_where_it_has_no_answer() -> None:
    outputs = {"y": np.ones(3)}

    def refuses(given: Mapping[str, Array]) -> Mapping[str, Array]:
        raise IndexError("beyond")

    assert answered(refuses, {}, outputs) is outputs
    assert answered(lambda _: {"y": np.ones(2)}, {}, outputs) is outputs


def test_an_index_that_a_move_takes_beyond_its_table_leaves_the_scale_of_the_others() -> None:
    table = np.arange(1.0, 11.0)
    x = np.append(np.linspace(0.05, 0.9, 30), 1 - 2.0**-24).astype(np.float32)

    def evaluate(given: Mapping[str, Array]) -> dict[str, Array]:
        return {"y": table[(given["x"] * 10).astype(int)] * given["x"]}

    outputs = evaluate({"x": x.astype(np.float64)})
    scale = estimate(evaluate, {"x": x}, outputs, {"y": "float32"}, np.random.default_rng(0), 4)["y"]
    assert (scale >= np.abs(outputs["y"])).all()


def test_a_kernel_that_rounds_to_the_other_neighbour_is_within_the_scale() -> None:
    x = (0.02 + np.linspace(-40, 40, 81) * 2.0**-30).astype(np.float32)
    x = np.append(x, np.linspace(-1, 1, 120, dtype=np.float32))

    def evaluate(given: Mapping[str, Array]) -> dict[str, Array]:
        return {"y": place(given["x"])}

    outputs = evaluate({"x": x.astype(np.float64)})
    scale = estimate(evaluate, {"x": x}, outputs, {"y": "float32"}, np.random.default_rng(0), 2)["y"]
    single = np.float32
    for kernel in (
        np.rint(x * single(50) + single(49.5)),
        np.rint(((x + single(1)) * single(100) - single(1)) / single(2)),
    ):
        assert (np.abs(kernel - outputs["y"]) <= 8 * EPS * scale).all()
    assert np.count_nonzero(scale > 1000 * np.abs(outputs["y"]) + 1000) < 90
