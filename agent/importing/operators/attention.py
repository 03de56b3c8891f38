"""Attention."""

from __future__ import annotations

from agent.importing.translation import Operand, Translator, number, operator


@operator("scaled_dot_product_attention")
def attention(
    t: Translator,
    q: Operand,
    k: Operand,
    v: Operand,
    mask: Operand | None = None,
    dropout: float = 0,
    causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> str:
    """`softmax(q k^T / sqrt(width) + mask) v`."""
    if enable_gqa:
        raise t.refuse("with fewer heads of keys than of queries")
    if dropout:
        t.notes["dropout is random in training: it is taken as in evaluation, where it does nothing"] = None
    order = [*range(k.rank - 2), k.rank - 1, k.rank - 2]
    factor = f"np.sqrt({q.shape[-1]})"
    turned = f"{k}.transpose({', '.join(map(str, order))})"
    product = f"{q} @ {turned} / {factor}" if scale is None else f"{q} @ {turned} * {number(scale)}"
    scores = t.let("scores", product)
    if causal:
        seen = t.let("seen", f"np.tril(np.ones(({q.shape[-2]}, {k.shape[-2]}), dtype=bool))")
        scores = t.let("scores", f"np.where({seen}, {scores}, -np.inf)")
    if mask is not None:
        added = f"{scores} + {mask}" if mask.is_float else f"np.where({mask}, {scores}, -np.inf)"
        scores = t.let("scores", added)
    powers = t.let("powers", f"np.exp({scores} - {scores}.max(axis=-1, keepdims=True))")
    weights = t.let("weights", f"{powers} / {powers}.sum(axis=-1, keepdims=True)")
    return f"{weights} @ {v}"
