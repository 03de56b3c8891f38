"""Products of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.importing.translation import Operand, Translator, number, operator


@operator("mm", "matmul", "bmm", "mv", "dot", "inner")
def matmul(t: Translator, x: Operand, y: Operand) -> str:
    """A product."""
    return f"{x} @ {y}"


@operator("linear")
def linear(t: Translator, x: Operand, weight: Operand, bias: Operand | None = None) -> str:
    """`x W^T + b`."""
    product = f"{x} @ {weight}.T"
    return product if bias is None else f"{product} + {bias}"


@operator("addmm", "baddbmm", "addmv")
def addmm(t: Translator, c: Operand, x: Operand, y: Operand, beta: Any = 1, alpha: Any = 1) -> str:
    """`beta c + alpha x y`."""
    product = f"{x} @ {y}" if alpha == 1 else f"{number(alpha)} * ({x} @ {y})"
    if beta == 0:
        return product
    return f"{product} + {c}" if beta == 1 else f"{product} + {number(beta)} * {c}"


@operator("addbmm")
def addbmm(t: Translator, c: Operand, x: Operand, y: Operand, beta: Any = 1, alpha: Any = 1) -> str:
    """`beta c + alpha` times a sum of products."""
    return f'{number(beta)} * {c} + {number(alpha)} * np.einsum("bij,bjk->ik", {x}, {y})'


@operator("outer", "ger")
def outer(t: Translator, x: Operand, y: Operand) -> str:
    """An outer product."""
    return f"np.outer({x}, {y})"


@operator("einsum")
def einsum(t: Translator, equation: str, operands: Sequence[Operand], **words: Any) -> str:
    """By an equation."""
    return f'np.einsum("{equation.replace(" ", "")}", {", ".join(map(str, operands))})'


@operator("bilinear")
def bilinear(t: Translator, x: Operand, y: Operand, weight: Operand, bias: Operand | None = None) -> str:
    """A bilinear form for each output."""
    product = f'np.einsum("...i,oij,...j->...o", {x}, {weight}, {y})'
    return product if bias is None else f"{product} + {bias}"


@operator("diag", "diagonal")
def diag(t: Translator, x: Operand, *offsets: Any) -> str:
    """A diagonal, or a matrix with one."""
    assert t.node is not None
    if any(offsets[:1]) or (offsets and "diagonal" in t.node.operator and x.rank > 2):
        raise t.refuse("of another diagonal")
    return f"np.diag({x})"


@operator("diag_embed")
def diag_embed(t: Translator, x: Operand, *offsets: Any) -> str:
    """Matrices with these diagonals."""
    if any(offsets[:1]):
        raise t.refuse("of another diagonal")
    side = x.shape[-1]
    return f"{x}[..., None] * np.eye({side})"


@operator("trace")
def trace(t: Translator, x: Operand) -> str:
    """The sum of a diagonal."""
    return f"np.trace({x})"
