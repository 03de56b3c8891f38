"""Generated NumPy expressions become kernels that compile and compute the same."""

from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.composer.space import Space

LEAVES = st.sampled_from(["x", "w", "2", "0.5", "n", "np.pi"])


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner),
        st.builds("{}({})".format, st.sampled_from(["np.tanh", "np.abs", "-", "np.square", "np.cos"]), inner),
        st.builds("np.{}({}, {})".format, st.sampled_from(["maximum", "minimum"]), inner, inner),
        st.builds(
            "np.where({} {} {}, {}, {})".format, inner, st.sampled_from(["<", ">="]), inner, inner, inner
        ),
        st.builds("({} / (1 + np.abs({})))".format, inner, inner),
    )


EXPRESSIONS = st.recursive(LEAVES, _grown, max_leaves=8).map(lambda text: f"np.tanh({text}) + x * w")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(expression=EXPRESSIONS, vector=st.booleans())
def test_any_elementwise_expression_compiles(bench: Any, expression: str, vector: bool) -> None:
    body = f"    t = {expression}\n    return {{'y': t + t * x}}\n"
    reference = f"import numpy as np\n\ndef reference(x, w, n):\n{body}"
    task = bench.task(reference, ("in x float64 n", "in w float64 n", "out y float64 n"), "n")
    space = Space(task)
    text = space.text(space.settle(["vectorized_loads"] if vector else []))
    bench.build(task, text, {"n": 5})


def test_integers_stay_integers_and_division_makes_them_real(bench: Any) -> None:
    reference = "def reference(x, n):\n    return {'y': x * 3 - 1, 'z': x / 4}\n"
    task = bench.task(reference, ("in x int32 n", "out y int32 n", "out z float32 n"), "n")
    text = Space(task).text(())
    bench.check(task, text, {"n": 9}, lambda x, n: {"y": x * 3 - 1, "z": x / 4})


def test_a_value_used_twice_is_computed_once(bench: Any) -> None:
    reference = "import numpy as np\n\ndef reference(x, n):\n    e = np.exp(x)\n    return {'y': e + e * e}\n"
    text = Space(bench.task(reference, ("in x float32 n", "out y float32 n"), "n")).text(())
    assert text.count("expf") == 1


def test_brackets_are_kept_only_where_they_matter(bench: Any) -> None:
    reference = "def reference(x, n):\n    return {'y': (x - (x + 1)) - (x * 2) * (-x)}\n"
    task = bench.task(reference, ("in x float32 n", "out y float32 n"), "n")
    text = Space(task).text(())
    assert "x[at_n] - (x[at_n] + 1.0f) - x[at_n] * 2.0f * -x[at_n];" in text
    bench.check(task, text, {"n": 3}, lambda x, n: {"y": (x - (x + 1)) - (x * 2) * (-x)})


def test_infinities_of_either_sign_can_be_written(bench: Any) -> None:
    reference = "import numpy as np\n\ndef reference(x, n):\n    return {'y': np.where(x > 0, x, -np.inf)}\n"
    task = bench.task(reference, ("in x float32 n", "out y float32 n"), "n")
    bench.check(task, Space(task).text(()), {"n": 6}, lambda x, n: {"y": np.where(x > 0, x, -np.inf)})
