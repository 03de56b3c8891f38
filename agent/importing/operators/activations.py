"""Activations."""

from __future__ import annotations

import math
from typing import Any

from agent.importing.translation import Operand, Translator, number, operator


@operator("relu")
def relu(t: Translator, x: Operand) -> str:
    """`max(x, 0)`."""
    return f"np.maximum({x}, 0)"


@operator("relu6")
def relu6(t: Translator, x: Operand) -> str:
    """Between 0 and 6."""
    return f"np.clip({x}, 0, 6)"


@operator("leaky_relu")
def leaky_relu(t: Translator, x: Operand, slope: float = 0.01) -> str:
    """Negative values times a slope."""
    return f"np.where({x} > 0, {x}, {number(slope)} * {x})"


@operator("rrelu")
def rrelu(
    t: Translator, x: Operand, lower: float = 0.125, upper: float = 1 / 3, training: bool = False
) -> str:
    """As in evaluation: a slope in the middle."""
    if training:
        raise t.refuse("it is random in training")
    return leaky_relu(t, x, (lower + upper) / 2)


@operator("prelu")
def prelu(t: Translator, x: Operand, weight: Operand) -> str:
    """Negative values times a slope for each channel."""
    spread = str(weight)
    if weight.shape != ("1",):
        spread = f"{weight}.reshape({', '.join(['-1'] + ['1'] * (x.rank - 2))})"
    return f"np.where({x} > 0, {x}, {spread} * {x})"


@operator("sigmoid")
def sigmoid(t: Translator, x: Operand) -> str:
    """`1 / (1 + exp(-x))`."""
    return f"1 / (1 + np.exp(-{x}))"


@operator("silu")
def silu(t: Translator, x: Operand) -> str:
    """`x * sigmoid(x)`."""
    return f"{x} / (1 + np.exp(-{x}))"


@operator("log_sigmoid")
def log_sigmoid(t: Translator, x: Operand) -> str:
    """The logarithm of the sigmoid, without overflow."""
    return f"np.minimum({x}, 0) - np.log1p(np.exp(-np.abs({x})))"


@operator("gelu")
def gelu(t: Translator, x: Operand, approximate: str = "none") -> str:
    """Exact, or by tanh."""
    if approximate == "tanh":
        return f"0.5 * {x} * (1 + np.tanh({math.sqrt(2 / math.pi)!r} * ({x} + 0.044715 * {x} ** 3)))"
    t.special.add("erf")
    return f"0.5 * {x} * (1 + erf({x} / np.sqrt(2)))"


def _softplus(x: object) -> str:
    return f"np.maximum({x}, 0) + np.log1p(np.exp(-np.abs({x})))"


@operator("softplus")
def softplus(t: Translator, x: Operand, beta: float = 1, threshold: float = 20) -> str:
    """`log(1 + exp(x))`, without overflow; beyond the threshold x itself, which is as good as the same."""
    if beta == 1:
        return _softplus(x)
    scaled = t.let("scaled", f"{number(beta)} * {x}")
    return f"({_softplus(scaled)}) / {number(beta)}"


@operator("mish")
def mish(t: Translator, x: Operand) -> str:
    """`x * tanh(softplus(x))`."""
    return f"{x} * np.tanh({_softplus(x)})"


@operator("elu")
def elu(t: Translator, x: Operand, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> str:
    """Exponential below 0."""
    inner = str(x) if input_scale == 1 else f"{number(input_scale)} * {x}"
    below = f"{number(alpha)} * np.expm1(np.minimum({inner}, 0))"
    chosen = f"np.where({x} > 0, {x}, {below})"
    return chosen if scale == 1 else f"{number(scale)} * {chosen}"


@operator("selu")
def selu(t: Translator, x: Operand) -> str:
    """Self-normalising."""
    return elu(t, x, 1.6732632423543772, 1.0507009873554805)


@operator("celu")
def celu(t: Translator, x: Operand, alpha: float = 1) -> str:
    """Continuously differentiable."""
    return f"np.where({x} > 0, {x}, {number(alpha)} * np.expm1(np.minimum({x}, 0) / {number(alpha)}))"


@operator("hardsigmoid")
def hardsigmoid(t: Translator, x: Operand) -> str:
    """A piecewise linear sigmoid."""
    return f"np.clip({x} + 3, 0, 6) / 6"


@operator("hardswish")
def hardswish(t: Translator, x: Operand) -> str:
    """`x * hardsigmoid(x)`."""
    return f"{x} * np.clip({x} + 3, 0, 6) / 6"


@operator("softsign")
def softsign(t: Translator, x: Operand) -> str:
    """`x / (1 + |x|)`."""
    return f"{x} / (1 + np.abs({x}))"


@operator("hardshrink")
def hardshrink(t: Translator, x: Operand, limit: float = 0.5) -> str:
    """Small values are 0."""
    return f"np.where(np.abs({x}) > {number(limit)}, {x}, 0)"


@operator("softshrink")
def softshrink(t: Translator, x: Operand, limit: float = 0.5) -> str:
    """Nearer to 0 by the limit."""
    return f"np.where({x} > {number(limit)}, {x} - {number(limit)}, np.minimum({x} + {number(limit)}, 0))"


@operator("threshold")
def threshold(t: Translator, x: Operand, limit: float, value: float) -> str:
    """A value in the place of what is not above the limit."""
    return f"np.where({x} > {number(limit)}, {x}, {number(value)})"


@operator("glu")
def glu(t: Translator, x: Operand, dim: int = -1) -> str:
    """One half gated by the other."""
    axis = x.axis(dim)
    half = t.let("half", f"{x}.shape[{axis}] // 2")
    before = ":, " * axis
    gate = t.let("gate", f"{x}[{before}{half}:]")
    return f"{x}[{before}:{half}] / (1 + np.exp(-{gate}))"


def _exponentials(t: Translator, x: Operand, dim: Any) -> str:
    return t.let("shifted", f"{x} - {x}.max(axis={x.axis(dim)}, keepdims=True)")


@operator("softmax", "_softmax")
def softmax(t: Translator, x: Operand, dim: int, dtype: object = None) -> str:
    """Exponentials over their sum."""
    powers = t.let("powers", f"np.exp({_exponentials(t, x, dim)})")
    return f"{powers} / {powers}.sum(axis={x.axis(dim)}, keepdims=True)"


@operator("softmin")
def softmin(t: Translator, x: Operand, dim: int, dtype: object = None) -> str:
    """Softmax of the negative."""
    negative = Operand(t.let("negative", f"-{x}"), x.dtype, x.shape)
    return softmax(t, negative, dim)


@operator("log_softmax", "_log_softmax")
def log_softmax(t: Translator, x: Operand, dim: int, dtype: object = None) -> str:
    """The logarithm of softmax."""
    shifted = _exponentials(t, x, dim)
    return f"{shifted} - np.log(np.exp({shifted}).sum(axis={x.axis(dim)}, keepdims=True))"


@operator("dropout", "feature_dropout", "alpha_dropout", "native_dropout")
def dropout(t: Translator, x: Operand, p: float = 0.5, train: bool = True) -> str | tuple[str, ...]:
    """As in evaluation: nothing."""
    assert t.node is not None
    if train and p > 0:
        t.notes["dropout is random in training: it is taken as in evaluation, where it does nothing"] = None
    return str(x) if "native" not in t.node.operator else (str(x), "")
