"""Arrays from nothing but sizes and numbers."""

from __future__ import annotations

from typing import Any

from agent.importing.translation import Operand, Translator, number, operator, tuple_text


def _kind(t: Translator) -> str:
    dtype = t.result().dtype
    return "" if "float" in dtype else f", dtype=np.{dtype + ('_' if dtype == 'bool' else '')}"


@operator("zeros", "new_zeros", "zeros_like")
def zeros(t: Translator, *arguments: Any, **words: Any) -> str:
    """Zeros."""
    return f"np.zeros({tuple_text(t.result_shape())}{_kind(t)})"


@operator("ones", "new_ones", "ones_like")
def ones(t: Translator, *arguments: Any, **words: Any) -> str:
    """Ones."""
    return f"np.ones({tuple_text(t.result_shape())}{_kind(t)})"


@operator("full", "full_like", "new_full")
def full(t: Translator, first: Any, *rest: Any, **words: Any) -> str:
    """One number everywhere."""
    value = rest[-1] if rest else words.get("fill_value", 0)
    return f"np.full({tuple_text(t.result_shape())}, {number(value)}{_kind(t)})"


@operator("scalar_tensor", "lift_fresh_copy", "lift_fresh")
def scalar(t: Translator, value: Any, **words: Any) -> str:
    """A number."""
    return str(value) if isinstance(value, Operand) else f"np.array({number(value)})"


@operator("arange")
def arange(t: Translator, *ends: Any, **words: Any) -> str:
    """Numbers in a row."""
    kind = ", dtype=np.float64" if "float" in t.result().dtype else ""
    return f"np.arange({', '.join(str(end) for end in ends)}{kind})"


@operator("linspace")
def linspace(t: Translator, start: Any, end: Any, steps: Any, **words: Any) -> str:
    """Numbers at equal distances."""
    return f"np.linspace({number(start)}, {number(end)}, {steps})"


@operator("eye")
def eye(t: Translator, *sizes: Any, **words: Any) -> str:
    """An identity."""
    return f"np.eye({', '.join(map(str, sizes))})"


@operator("tril", "triu")
def triangle(t: Translator, x: Operand, diagonal: Any = 0) -> str:
    """One triangle of the last two axes."""
    assert t.node is not None
    name = t.node.operator.split(".")[1]
    rows, cols = x.shape[-2:]
    if name == "tril":
        kept = t.let("kept", f"np.tril(np.ones(({rows}, {cols}), dtype=bool), {diagonal})")
    else:
        kept = t.let("kept", f"np.triu(np.ones(({rows}, {cols}), dtype=bool), {diagonal})")
    return f"np.where({kept}, {x}, {'False' if x.dtype == 'bool' else '0'})"


@operator(
    "rand", "randn", "randint", "rand_like", "randn_like", "randint_like", "randperm", "bernoulli", "multinomial",
    "normal", "uniform", "poisson", "exponential",
)  # fmt: skip
def drawn(t: Translator, *arguments: Any, **words: Any) -> str:
    """Nothing that can be judged."""
    raise t.refuse("what is random cannot be judged")
