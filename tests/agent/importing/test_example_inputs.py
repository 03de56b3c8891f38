"""Example inputs as users write them: a function that makes them, or one message."""

from __future__ import annotations

import pytest

from agent.importing.example_inputs import examples_text
from sandbox.errors import UsageError


def test_tensors_and_numbers_become_a_function() -> None:
    text = examples_text("float32[64, 128], i32[7],bool[2] , bf16[], 1e-5, 3, true")
    compile(text, "examples", "exec")
    for part in (
        "torch.randn((64, 128, ), dtype=torch.float32)",
        "torch.randint(0, 100, (7, ), dtype=torch.int32)",
        "torch.randint(0, 2, (2, ), dtype=torch.bool)",
        "torch.randn((), dtype=torch.bfloat16), 1e-05, 3, True",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "found `nothing`"),
        ("float32(3)", r"found `float32\(3\)`"),
        ("float32[0]", r"found `float32\[0\]`"),
        ("float8[3]", "expected one of float16"),
        ("float32[3] int32[3]", r"found `float32\[3\] int32\[3\]`"),
        ("1.2.3", r"found `1.2.3`"),
        ("__import__('os')", "found `__import__"),
    ],
)
def test_anything_else_is_refused_with_an_example(written: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        examples_text(written)
