"""Example inputs as a user writes them: `float32[64,128], int32[64], 1e-5` becomes a function that makes them."""

from __future__ import annotations

import re

from sandbox.dtypes import DTYPE_BYTES
from sandbox.errors import UsageError

FUNCTION = "warpwright_example_inputs"
"""What the function is called."""
_ITEM = re.compile(
    r"\s*(?:(?P<dtype>[a-z]\w*)\[(?P<shape>[\d\s,]*)\]|(?P<number>[-+]?\d[\w.+-]*|[Tt]rue|[Ff]alse))\s*(?:,|$)"
)
_SHORT = {
    "f32": "float32",
    "f16": "float16",
    "bf16": "bfloat16",
    "f64": "float64",
    "i32": "int32",
    "i64": "int64",
}


def examples_text(written: str) -> str:
    """Return the text of a function that makes example inputs.

    Args:
        written: `DTYPE[SIZE,...]` for each tensor, and numbers, with commas between them.

    Raises:
        UsageError: It says something else; the text shows what was expected.
    """
    items: list[str] = []
    position = 0
    while position < len(written):
        found = _ITEM.match(written, position)
        if found is None:
            raise _expected(written[position:].strip())
        items.append(_tensor(found) if found["dtype"] else _number(found["number"]))
        position = found.end()
    if not items:
        raise _expected("nothing")
    return f"\n\ndef {FUNCTION}():\n    import torch\n\n    return [{', '.join(items)}]\n"


def _expected(found: str) -> UsageError:
    return UsageError(
        "--example-inputs: expected a function of the file, or tensors and numbers such as"
        f" `float32[64,128], int32[64], 1e-5`; found `{found[:60]}`"
    )


def _tensor(found: re.Match[str]) -> str:
    dtype = _SHORT.get(found["dtype"], found["dtype"])
    if dtype not in DTYPE_BYTES:
        raise UsageError(f"--example-inputs: expected one of {', '.join(DTYPE_BYTES)}, found {dtype}")
    sides = [side.strip() for side in found["shape"].split(",") if side.strip()]
    if any(not side.isdecimal() or int(side) < 1 for side in sides):
        raise _expected(found[0].strip())
    shape = f"({''.join(f'{int(side)}, ' for side in sides)})"
    if "float" in dtype:
        return f"torch.randn({shape}, dtype=torch.{dtype})"
    high = 2 if dtype == "bool" else 100
    return f"torch.randint(0, {high}, {shape}, dtype=torch.{dtype})"


def _number(text: str) -> str:
    if text.lower() in ("true", "false"):
        return text.capitalize()
    try:
        return repr(int(text))
    except ValueError:
        pass
    try:
        return repr(float(text))
    except ValueError:
        raise _expected(text) from None
