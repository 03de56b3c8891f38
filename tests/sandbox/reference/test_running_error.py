from __future__ import annotations

import sys
import tomllib
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandbox.dtypes import FLOATS
from sandbox.reference.role import ReferenceRole
from sandbox.reference.running_error.precision import Untraceable, precision_of
from sandbox.reference.running_error.trace import Trace, load, trace
from sandbox.worker.messages import Expected, ReferenceCall
from tools.tasks.generators import generate

STYLES: dict[str, Any] = tomllib.loads((Path(__file__).parent / "styles.toml").read_text())
TRACED = [name for name, style in STYLES.items() if not style.get("untraced")]


def inputs_of(name: str, seed: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for argument, text in STYLES[name]["inputs"].items():
        dtype, *rest = text.split()
        shape = tuple(int(side) for side in rest[0].split(",")) if rest else ()
        data = rest[1] if len(rest) > 1 else "normal(0, 1)"
        random = np.random.default_rng([seed, zlib.crc32(argument.encode())])
        found[argument] = generate(data, shape, dtype, random)
    return found


def computed(name: str, inputs: dict[str, Any], dtype: Any) -> dict[str, Any]:
    """What the reference computes in plain NumPy, on floats of this dtype."""
    floats = {k: v.astype(dtype) if "float" in v.dtype.name else v.copy() for k, v in inputs.items()}
    plain = {k: v[()] if v.ndim == 0 else v for k, v in floats.items()}
    with np.errstate(all="ignore"):
        return load(STYLES[name]["text"]).__dict__["reference"](**plain)


def traced(name: str, inputs: dict[str, Any], dtype: str = "float32") -> dict[str, Trace]:
    with np.errstate(all="ignore"):
        return trace(STYLES[name]["text"], inputs, {}, precision_of(dtype))


@pytest.mark.parametrize("name", TRACED)
def test_a_reference_is_traced_and_float32_arithmetic_stays_within_its_scale(name: str) -> None:
    for seed in range(3):
        inputs = inputs_of(name, seed)
        exact, single, found = (
            computed(name, inputs, np.float64),
            computed(name, inputs, np.float32),
            traced(name, inputs),
        )
        assert found.keys() == exact.keys()
        for output, values in exact.items():
            np.testing.assert_allclose(found[output].values, values, rtol=1e-12, atol=0, equal_nan=True)
            if np.asarray(values).dtype.kind != "f":
                continue
            bound = 4 * FLOATS["float32"].epsilon * np.maximum(found[output].scale, np.abs(values))
            assert (np.abs(single[output] - values) <= bound).all()


@pytest.mark.parametrize("name", TRACED)
def test_the_scale_does_not_let_zeros_pass(name: str) -> None:
    inputs = inputs_of(name)
    for output, values in computed(name, inputs, np.float64).items():
        if np.asarray(values).dtype.kind == "f":
            scale = np.maximum(traced(name, inputs)[output].scale, np.abs(values))
            assert (np.abs(values) > 64 * FLOATS["float32"].epsilon * scale).any()


@pytest.mark.parametrize("name", [name for name in STYLES if name not in TRACED])
def test_what_has_no_rule_says_so(name: str) -> None:
    with pytest.raises(Untraceable, match="no rule for np"):
        traced(name, inputs_of(name))


def test_more_than_nine_in_ten_references_are_traced(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\nreferences traced: {len(TRACED)} / {len(STYLES)}\n")
    assert len(TRACED) > 0.9 * len(STYLES) > 36


def scale_of(expression: str, inputs: dict[str, Any], dtype: str = "float32") -> Trace:
    """What an expression in NumPy of the inputs, and `a` and `b` that cancel to 0, is traced as."""
    text = (
        "import numpy as np\n\n\ndef reference(x, **more):\n"
        "    a, b = x + 2 * x - 3 * x, 5 * x - (4 * x + x)\n"
        f"    return {{'y': {expression}}}\n"
    )
    with np.errstate(all="ignore"):
        return trace(text, inputs, {}, precision_of(dtype))["y"]


@pytest.mark.parametrize(
    "expression",
    [
        "np.hypot(a, b)",
        "np.sqrt(a * a + np.square(b))",
        "(a**2 + b**2) ** 0.5",
        "np.linalg.norm(np.stack([a, b]), axis=0)",
        "np.sqrt([d @ d for d in np.stack([a, b]).T])",
        "np.sqrt((lambda d: np.einsum('in,in->n', d, d))(np.stack([a, b])))",
    ],
)
def test_the_length_of_what_cancels_has_the_scale_of_the_terms_that_cancel(expression: str) -> None:
    x = np.array([1.5, 200.25, 0.125], np.float32)
    found = scale_of(expression, {"x": x})
    assert not found.values.any()
    assert (found.scale > 3 * x).all()
    assert (found.scale < 200 * x).all()


@pytest.mark.parametrize("expression", ["np.arctan2(a, b)", "np.angle(a + 1j * b)", "np.arctan2(a, -x)"])
def test_an_angle_that_has_no_value_or_jumps_may_be_any(expression: str) -> None:
    x = np.array([1.5, 200.25], np.float32)
    assert (scale_of(expression, {"x": x}).scale * FLOATS["float32"].epsilon * 8 > 3).all()
    assert (scale_of("np.arctan2(x, x + b)", {"x": x}).scale < 100).all()


def test_an_angle_from_a_cosine_near_1_has_the_root_of_its_error() -> None:
    scale = scale_of("np.arccos(1 - a)", {"x": np.array([1.0], np.float32)}).scale
    assert 1e2 < scale[0] < 1e5


def test_a_mean_may_be_rounded_to_half_precision_before_it_is_subtracted_but_not_summed_in_it() -> None:
    x = np.random.default_rng(5).normal(30, 1, (4, 1000)).astype(np.float16)
    mean = x.mean(axis=1, dtype=np.float64, keepdims=True)
    precision = precision_of("float16")
    text = "def reference(x):\n    return {'y': %s}\n"

    def bound(expression: str) -> Any:
        return trace(text % expression, {"x": x}, {}, precision)["y"].scale * precision.epsilon

    centred = bound("x - x.mean(axis=1, keepdims=True)")
    assert (centred >= np.abs(mean - mean.astype(np.float16))).all()
    summed = np.cumsum(x, axis=1, dtype=np.float16)[:, -1:].astype(np.float64) / 1000
    assert np.median(np.abs(mean - summed)) > 2 * np.median(centred)
    assert (bound("x.mean(axis=1, keepdims=True)") < np.abs(mean) * 2**-12).all()


BIASED = [
    "x @ w + bias",
    "np.einsum('mk,kn->mn', x, w) + bias",
    "(x[:, :, None] * w).sum(axis=1).reshape(5, 6) + bias",
    "np.add(x @ w, bias, out=np.zeros((5, 6)))",
]


@pytest.mark.parametrize("expression", BIASED)
def test_a_product_may_be_stored_in_half_precision_before_a_bias_but_not_summed_in_it(
    expression: str,
) -> None:
    draw = np.random.default_rng(3)
    x, w = draw.normal(0, 1, (5, 400)).astype(np.float16), draw.normal(0, 1, (400, 6)).astype(np.float16)
    product = x.astype(np.float64) @ w.astype(np.float64)
    inputs = {"x": x, "w": w, "bias": -product.astype(np.float16)}

    def bound(formula: str) -> Any:
        text = f"import numpy as np\n\n\ndef reference(x, w, bias):\n    return {{'y': {formula}}}\n"
        precision = precision_of("float16")
        return precision.epsilon * trace(text, inputs, {}, precision)["y"].scale

    stored, summed = np.abs(product) * 2**-11, 2**-11 * np.sqrt(400 / 3) * 20 / np.sqrt(3)
    assert (bound(expression) >= stored).all()
    assert np.median(bound(expression)) < summed / 3
    assert np.median(bound("x @ w")) < np.median(stored) / 3


@pytest.mark.parametrize(
    "returned",
    ["x.sum()", "[x.sum()]", "(np.sum(x),)", "np.array(x.sum())", "np.array([sum(x)])", "x.sum()[None]"],
)
def test_an_output_of_one_element_is_traced_however_it_is_returned(returned: str) -> None:
    text = f"import numpy as np\n\n\ndef reference(x):\n    return {{'y': {returned}}}\n"
    x = np.array([3.0, -2.5, 0.125], np.float32)
    answer = ReferenceRole().answer(ReferenceCall(text, {"x": x}, {}, {"y": "float32"}, 4, 0, None))
    assert isinstance(answer, Expected), answer
    assert answer.scales == {"y": "traced"}, answer.untraced
    assert answer.magnitude["y"].size == 1
    assert answer.magnitude["y"].max() > 1  # the partial sums at least


@pytest.mark.parametrize(
    "formula", ["x.sum(1)", "x - x.mean(1, keepdims=True)", "np.average(x, axis=1)", "x.var(1)"]
)
def test_a_sum_of_one_exact_term_is_exact(formula: str) -> None:
    found = scale_of(formula, {"x": np.ones((3, 1), np.float32)})
    assert (found.scale <= np.maximum(np.abs(found.values), 1)).all()
