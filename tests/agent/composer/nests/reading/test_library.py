"""NumPy functions that the composer follows from text: they give what NumPy's own do."""

from typing import Any

import numpy as np
import pytest

from agent.composer.nests.reading import written_in_numpy as written
from agent.composer.nests.reading.library import written_in_numpy as library
from agent.composer.nests.reading.numpy_module import NUMPY

OURS: Any = written
RNG = np.random.default_rng(3)
A, B = RNG.normal(size=(4, 6)), RNG.normal(size=(4, 6))
V, W = RNG.normal(size=9), np.sort(RNG.normal(size=9))
HOLES = np.where(A > 0.8, np.nan, A)
CUBE = RNG.normal(size=(4, 6, 2))

CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("median", (A,), {}), ("median", (A,), {"axis": 1, "keepdims": True}), ("median", (V,), {}),
    ("percentile", (V, 30), {}), ("percentile", (A, 95), {"axis": 0}), ("quantile", (A, 0.25), {"axis": 1}),
    ("nansum", (HOLES,), {"axis": 0}), ("nanmax", (HOLES,), {}), ("nanmin", (HOLES,), {"axis": 1}),
    ("nanmean", (HOLES,), {"axis": 1}), ("nanvar", (HOLES,), {"ddof": 1}), ("nanstd", (HOLES,), {"axis": 0}),
    ("cov", (A,), {}), ("cov", (A,), {"rowvar": False, "bias": True}), ("cov", (V,), {}), ("corrcoef", (A,), {}),
    ("cross", (A[:, :3], B[:, :3]), {}), ("cross", (A[:3], B[:3]), {"axis": 0}), ("kron", (A, B[:2, :3]), {}),
    ("vander", (V,), {}), ("vander", (V, 3), {"increasing": True}), ("diagflat", (A[:2, :2],), {}),
    ("rot90", (A,), {}), ("rot90", (A, 2), {}), ("rot90", (A, -1), {}), ("gradient", (V,), {}),
    ("gradient", (A, 0.5), {}), ("gradient", (A,), {"axis": 1}), ("trapezoid", (V,), {}),
    ("trapezoid", (A, W[:6]), {}), ("interp", (V, W, V), {}), ("digitize", (V, W), {}),
    ("digitize", (W, W), {"right": True}), ("polyval", (V[:4], W), {}), ("isclose", (V, V + 1e-6), {}),
    ("sinc", (np.append(V, 0.0),), {}), ("hanning", (8,), {}), ("hamming", (8,), {}), ("dstack", ((A, B),), {}),
    ("hsplit", (A, 2), {}), ("vsplit", (A, 2), {}), ("atleast_2d", (V,), {}), ("matrix_transpose", (CUBE,), {}),
    ("vecdot", (A, B), {}), ("matvec", (A, V[:6]), {}), ("ediff1d", (A,), {}), ("cumulative_sum", (V,), {}),
    ("fix", (V * 3,), {}), ("ix_", (np.arange(2), np.arange(3)), {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "words"), CALLS)
def test_what_is_written_in_numpy_gives_what_numpy_gives(
    name: str, arguments: tuple[Any, ...], words: dict[str, Any]
) -> None:
    got = getattr(OURS, name)(*arguments, **words)
    expected = getattr(np, name)(*arguments, **words)
    for one, other in zip(_parts(got), _parts(expected), strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_a_value_is_put_along_an_axis() -> None:
    for given, axis in ((A, 1), (A, 0), (V, 0)):
        own, theirs = given.copy(), given.copy()
        where = np.argmax(given, axis=axis, keepdims=True)
        OURS.put_along_axis(own, where, 5.0, axis)
        np.put_along_axis(theirs, where, 5.0, axis)
        np.testing.assert_array_equal(own, theirs)


def test_a_partition_has_its_element_where_sorting_puts_it() -> None:
    assert OURS.partition(V, 3)[3] == np.partition(V, 3)[3]


def test_every_function_is_tried_and_can_be_followed() -> None:
    functions = set(library(NUMPY))
    assert functions - {"trapz", "partition", "put_along_axis"} == {name for name, *_ in CALLS}
    assert functions <= set(NUMPY.members)


def _parts(value: Any) -> list[Any]:
    given: list[Any] = [*value] if type(value) in (list, tuple) else [value]
    return [np.asarray(one) for one in given]
