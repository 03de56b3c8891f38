"""The table of element types against NumPy and ml_dtypes."""

from __future__ import annotations

import ml_dtypes
import pytest

from sandbox.dtypes import DTYPE_BYTES, FLOATS, numpy_dtype


@pytest.mark.parametrize("name", DTYPE_BYTES)
def test_a_name_gives_the_dtype_of_that_name_and_size(name: str) -> None:
    dtype = numpy_dtype(name)
    assert (dtype.name, dtype.itemsize) == (name, DTYPE_BYTES[name])


@pytest.mark.parametrize("name", FLOATS)
def test_the_floating_formats_are_those_of_the_libraries(name: str) -> None:
    info, layout = ml_dtypes.finfo(numpy_dtype(name)), FLOATS[name]
    assert (layout.fraction_bits, layout.least_exponent) == (info.nmant, info.minexp)
    assert (layout.largest, layout.epsilon) == (float(info.max), float(info.eps))
    assert layout.smallest_normal == float(info.smallest_normal)
    assert layout.smallest_subnormal == float(info.smallest_subnormal)


def test_every_floating_dtype_has_a_format() -> None:
    assert set(FLOATS) == {name for name in DTYPE_BYTES if "float" in name}


@pytest.mark.parametrize("name", ["float", "f32", "object", "O", "int128", ""])
def test_an_unknown_name_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(ValueError, match="expected one of float16, bfloat16"):
        numpy_dtype(name)
