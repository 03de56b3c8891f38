from __future__ import annotations

import sys
import tomllib
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandbox.dtypes import FLOATS
from sandbox.reference.running_error.precision import Untraceable, precision_of
from sandbox.reference.running_error.trace import Trace, load, trace
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
