"""The numbers that stand in our code are those of cuda.h."""

from __future__ import annotations

import re

import pytest

from sandbox.cuda import ask, errors, libcuda
from tests.sandbox.cuda.standing_in import include


def numbers() -> dict[str, int]:
    text = (include() / "cuda.h").read_text(errors="replace")
    return {name: int(value, 0) for name, value in re.findall(r"\b(CU\w+)\s*=\s*(0x[0-9a-fA-F]+|\d+)", text)}


def test_every_error_that_becomes_a_verdict_has_its_name_and_number() -> None:
    known = numbers()
    named = {code: meaning.name for code in range(1000) if (meaning := errors.meaning(code))}
    assert len(named) == len(errors._REFUSALS) + len(errors._FAILURES)
    assert named == {known[name]: name for name in named.values()}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CU_LAUNCH_ATTRIBUTE_COOPERATIVE", libcuda._ATTRIBUTE_COOPERATIVE),
        ("CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION", libcuda._ATTRIBUTE_CLUSTER),
        ("CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES", libcuda._MAX_DYNAMIC_SHARED),
        ("CU_STREAM_CAPTURE_MODE_THREAD_LOCAL", libcuda._CAPTURE_THREAD_LOCAL),
        ("CU_LIMIT_PERSISTING_L2_CACHE_SIZE", libcuda._LIMIT_PERSISTING),
        ("CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR", ask._CAPABILITY_MAJOR),
        ("CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR", ask._CAPABILITY_MINOR),
    ],
)
def test_attributes_and_limits_have_their_numbers(name: str, value: int) -> None:
    assert numbers()[name] == value
