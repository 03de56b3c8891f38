"""What is followed from references, and that the kernels that come of it compute the same."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from agent.composer.nests.collectives.tiling.products import product_of
from agent.composer.nests.lowering import lowered
from agent.composer.nests.offering import features
from agent.composer.nests.options import NestOptions
from agent.composer.nests.reading.following import FollowingError, follow
from agent.composer.nests.writing import emit
from sandbox.reference import special
from tests.agent.composer.nests.corpus import BEYOND, CORPUS, Written
from tests.exhaustive import EXHAUSTIVE

EVERYTHING = NestOptions.every().settled()


@pytest.fixture(autouse=True)
def special_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """References may import it."""
    monkeypatch.setitem(sys.modules, "special", special)


def numpy_of(written: Written) -> Callable[..., dict[str, Any]]:
    scope: dict[str, Any] = {}
    exec(written.reference, scope)  # the text is this folder's own

    def reference(**given: Any) -> dict[str, Any]:
        return scope["reference"](**{name: _copy(value) for name, value in given.items()})

    return reference


def _copy(value: Any) -> Any:
    return value.copy() if hasattr(value, "copy") else value


BOTH = (NestOptions(), EVERYTHING)


def run_with(position: int) -> tuple[NestOptions, ...]:
    """Plain and with every feature; of each four references one is run so and one so, where not all is asked for."""
    return BOTH if EXHAUSTIVE else BOTH[position % 4 : position % 4 + 1]


@pytest.mark.parametrize(
    ("position", "written"), list(enumerate(CORPUS)), ids=[written.name for written in CORPUS]
)
def test_what_people_write_is_computed(bench: Any, position: int, written: Written) -> None:
    task = bench.task(written.reference, written.arguments, written.dims)
    program = lowered(task, follow(task))
    dims = dict(zip(written.dims.split(), written.sizes, strict=True))
    below = int(written.whole) if written.whole.isdigit() else dims.get(written.whole)
    for options in BOTH:
        text = emit(program, options)
        assert "__global__" in text
        if options in run_with(position):
            bench.check(task, text, dims, numpy_of(written), None, below)


@pytest.mark.parametrize(("written", "said"), BEYOND, ids=lambda one: getattr(one, "name", ""))
def test_what_is_not_expressed_is_refused_with_line_and_construct(
    bench: Any, written: Written, said: str
) -> None:
    task = bench.task(written.reference, written.arguments, written.dims)
    with pytest.raises(FollowingError, match=r"reference\.py line \d+: ") as caught:
        follow(task)
    assert said in str(caught.value)


def test_features_are_those_that_change_a_kernel(bench: Any) -> None:
    for written in CORPUS if EXHAUSTIVE else CORPUS[::4]:
        task = bench.task(written.reference, written.arguments, written.dims)
        program = lowered(task, follow(task))
        plain = emit(program, NestOptions()).split("\n", 2)[2]
        for name in features(program):
            text = emit(program, NestOptions.of([name])).split("\n", 2)[2]
            assert text != plain or name.endswith("reduction"), (written.name, name)


def test_a_sum_of_products_that_is_used_twice_is_a_product_still(bench: Any) -> None:
    task = bench.task(
        "def reference(x, w, n):\n    z = x @ w\n    return {'y': z * (1 + z)}\n",
        ("in x float32 n, n", "in w float32 n, n", "out y float32 n, n"),
        "n",
    )
    (nest,) = lowered(task, follow(task)).nests
    assert product_of(nest) is not None
