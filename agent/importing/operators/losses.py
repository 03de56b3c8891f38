"""Losses."""

from __future__ import annotations

from typing import Any

from agent.importing.translation import Operand, Translator, number, operator


def _reduced(t: Translator, losses: str, reduction: int) -> str:
    """None, the mean, or the sum, as PyTorch counts them."""
    if reduction == 0:
        return losses
    name = t.let("losses", losses)
    return f"{name}.{'mean' if reduction == 1 else 'sum'}()"


@operator("mse_loss")
def mse_loss(t: Translator, x: Operand, y: Operand, reduction: int = 1) -> str:
    """Squared differences."""
    return _reduced(t, f"({x} - {y}) ** 2", reduction)


@operator("l1_loss")
def l1_loss(t: Translator, x: Operand, y: Operand, reduction: int = 1) -> str:
    """Absolute differences."""
    return _reduced(t, f"np.abs({x} - {y})", reduction)


@operator("smooth_l1_loss")
def smooth_l1_loss(t: Translator, x: Operand, y: Operand, reduction: int = 1, beta: float = 1) -> str:
    """Quadratic near 0, then linear."""
    d = t.let("distance", f"np.abs({x} - {y})")
    b = number(beta)
    return _reduced(t, f"np.where({d} < {b}, 0.5 * {d} ** 2 / {b}, {d} - 0.5 * {b})", reduction)


@operator("huber_loss")
def huber_loss(t: Translator, x: Operand, y: Operand, reduction: int = 1, delta: float = 1) -> str:
    """Quadratic near 0, then linear."""
    d = t.let("distance", f"np.abs({x} - {y})")
    b = number(delta)
    return _reduced(t, f"np.where({d} < {b}, 0.5 * {d} ** 2, {b} * ({d} - 0.5 * {b}))", reduction)


@operator("kl_div")
def kl_div(t: Translator, x: Operand, y: Operand, reduction: int = 1, log_target: bool = False) -> str:
    """Relative entropy, x being logarithms; where the target is 0 it is 0."""
    if log_target:
        return _reduced(t, f"np.exp({y}) * ({y} - {x})", reduction)
    safe = t.let("positive", f"np.where({y} > 0, {y}, 1)")
    return _reduced(t, f"{y} * (np.log({safe}) - {x})", reduction)


@operator("binary_cross_entropy")
def binary_cross_entropy(
    t: Translator, x: Operand, y: Operand, weight: Operand | None = None, reduction: int = 1
) -> str:
    """Of probabilities; logarithms are no less than -100."""
    first, second = f"np.maximum(np.log({x}), -100)", f"np.maximum(np.log1p(-{x}), -100)"
    losses = f"-({y} * {first} + (1 - {y}) * {second})"
    return _reduced(t, losses if weight is None else f"{weight} * {losses}", reduction)


@operator("binary_cross_entropy_with_logits")
def with_logits(
    t: Translator,
    x: Operand,
    y: Operand,
    weight: Operand | None = None,
    positive: Operand | None = None,
    reduction: int = 1,
) -> str:
    """Of logits, without overflow."""
    if positive is not None:
        raise t.refuse("with weights of positive examples")
    losses = f"np.maximum({x}, 0) - {x} * {y} + np.log1p(np.exp(-np.abs({x})))"
    return _reduced(t, losses if weight is None else f"{weight} * ({losses})", reduction)


@operator("soft_margin_loss")
def soft_margin_loss(t: Translator, x: Operand, y: Operand, reduction: int = 1) -> str:
    """`log(1 + exp(-y x))`."""
    return _reduced(t, f"np.log1p(np.exp(-{y} * {x}))", reduction)


@operator("hinge_embedding_loss")
def hinge_embedding_loss(t: Translator, x: Operand, y: Operand, margin: float = 1, reduction: int = 1) -> str:
    """X where y is 1, else what is missing to the margin."""
    return _reduced(t, f"np.where({y} == 1, {x}, np.maximum({number(margin)} - {x}, 0))", reduction)


@operator("margin_ranking_loss")
def margin_ranking_loss(
    t: Translator, x: Operand, other: Operand, y: Operand, margin: float = 0, reduction: int = 1
) -> str:
    """Whether x is above the other by the margin, where y is 1."""
    return _reduced(t, f"np.maximum(-{y} * ({x} - {other}) + {number(margin)}, 0)", reduction)


@operator("triplet_margin_loss")
def triplet_margin_loss(
    t: Translator,
    anchor: Operand,
    positive: Operand,
    negative: Operand,
    margin: float = 1,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: int = 1,
) -> str:
    """Nearer to the positive than to the negative, by the margin."""
    if p != 2 or swap:
        raise t.refuse("with another distance than the Euclidean one")
    near = t.let("near", f"np.sqrt((({anchor} - {positive} + {number(eps)}) ** 2).sum(axis=-1))")
    far = t.let("far", f"np.sqrt((({anchor} - {negative} + {number(eps)}) ** 2).sum(axis=-1))")
    return _reduced(t, f"np.maximum({near} - {far} + {number(margin)}, 0)", reduction)


@operator("pairwise_distance")
def pairwise_distance(
    t: Translator, x: Operand, y: Operand, p: float = 2, eps: float = 1e-6, keepdim: bool = False
) -> str:
    """The Euclidean distance of rows."""
    if p != 2:
        raise t.refuse("with another distance than the Euclidean one")
    keep = ", keepdims=True" if keepdim else ""
    return f"np.sqrt((({x} - {y} + {number(eps)}) ** 2).sum(axis=-1{keep}))"


@operator("cosine_similarity")
def cosine_similarity(t: Translator, x: Operand, y: Operand, dim: int = 1, eps: float = 1e-8) -> str:
    """Of vectors along an axis."""
    axis = x.axis(dim)
    lengths = [
        t.let("length", f"np.maximum(np.sqrt(({one} ** 2).sum(axis={axis})), {number(eps)})")
        for one in (x, y)
    ]
    return f"({x} * {y}).sum(axis={axis}) / ({' * '.join(lengths)})"


@operator("cosine_embedding_loss")
def cosine_embedding_loss(
    t: Translator, x: Operand, other: Operand, y: Operand, margin: float = 0, reduction: int = 1
) -> str:
    """Of pairs that are alike (1) or not (-1)."""
    squares = [f"({one} ** 2).sum(axis=-1) + 1e-12" for one in (x, other)]
    cosine = t.let("cosine", f"({x} * {other}).sum(axis=-1) / np.sqrt(({squares[0]}) * ({squares[1]}))")
    return _reduced(
        t, f"np.where({y} == 1, 1 - {cosine}, np.maximum({cosine} - {number(margin)}, 0))", reduction
    )


@operator("nll_loss", "nll_loss_nd", "nll_loss_forward")
def nll_loss(
    t: Translator, x: Operand, y: Operand, weight: Any = None, reduction: int = 1, ignored: int = -100
) -> str:
    """What the label's logarithm is, negated; no label is `ignored` here."""
    if weight is not None or x.rank > 2:
        raise t.refuse("with weights of classes, or of images")
    return _reduced(t, f"-{x}[np.arange({x.shape[0]}), {y}]", reduction)


@operator("cross_entropy_loss")
def cross_entropy_loss(
    t: Translator,
    x: Operand,
    y: Operand,
    weight: Any = None,
    reduction: int = 1,
    ignored: int = -100,
    smoothing: float = 0,
) -> str:
    """Of logits, against labels or probabilities."""
    if weight is not None or x.rank != 2:
        raise t.refuse("with weights of classes, or of images")
    shifted = t.let("shifted", f"{x} - {x}.max(axis=1, keepdims=True)")
    logs = t.let("logs", f"{shifted} - np.log(np.exp({shifted}).sum(axis=1, keepdims=True))")
    by_label = f"-{logs}[np.arange({x.shape[0]}), {y}]"
    losses = f"-({y} * {logs}).sum(axis=1)" if y.is_float else by_label
    if smoothing:
        kept = number(1 - smoothing)
        losses = f"{kept} * {t.let('sharp', losses)} - {number(smoothing)} * {logs}.mean(axis=1)"
    return _reduced(t, losses, reduction)
