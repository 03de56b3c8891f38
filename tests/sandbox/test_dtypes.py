from __future__ import annotations

import pytest

from sandbox import wire
from sandbox.dtypes import ITEM_BYTES, dtype_of
from sandbox.errors import UsageError


@pytest.mark.parametrize(("name", "size"), ITEM_BYTES.items())
def test_every_element_type_is_one_of_numpys_and_as_long_as_the_table_says(name: str, size: int) -> None:
    dtype = dtype_of(name)
    assert (dtype.name, dtype.itemsize) == (name, size)


def test_what_a_task_may_name_may_cross_the_wire() -> None:
    assert set(ITEM_BYTES) == wire.DTYPES


def test_any_other_name_is_refused_with_the_list() -> None:
    with pytest.raises(UsageError, match=r"expected a dtype .*bfloat16.*, found `complex64`"):
        dtype_of("complex64")
