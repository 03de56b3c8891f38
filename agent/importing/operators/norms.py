"""Normalisations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.importing.translation import Operand, SizeText, Translator, axes_text, number, operator


def _by_channel(x: Operand, vector: Operand) -> str:
    """A vector over the channels, spread over what follows them."""
    return (
        str(vector) if x.rank == 2 else f"{vector}.reshape({', '.join(['1', '-1'] + ['1'] * (x.rank - 2))})"
    )


def _scaled(x: Operand, text: str, weight: Operand | None, bias: Operand | None) -> str:
    if weight is not None:
        text = f"{text} * {_by_channel(x, weight)}"
    return text if bias is None else f"{text} + {_by_channel(x, bias)}"


def _standardised(t: Translator, x: str, axes: Sequence[int], eps: float) -> str:
    where = axes_text(list(axes))
    centred = t.let("centred", f"{x} - {x}.mean(axis={where}, keepdims=True)")
    variance = t.let("variance", f"np.mean({centred} ** 2, axis={where}, keepdims=True)")
    return t.let("standardised", f"{centred} / np.sqrt({variance} + {number(eps)})")


@operator(
    "batch_norm", "_native_batch_norm_legit_functional", "_native_batch_norm_legit", "native_batch_norm"
)
def batch_norm(
    t: Translator,
    x: Operand,
    weight: Operand | None,
    bias: Operand | None,
    mean: Operand | None,
    variance: Operand | None,
    training: bool,
    momentum: float,
    eps: float,
    *more: Any,
) -> str | list[str]:
    """By the batch's own statistics in training, by those that were learnt in evaluation."""
    assert t.node is not None
    if training:
        done = _standardised(t, str(x), [0, *range(2, x.rank)], eps)
    else:
        assert mean is not None
        assert variance is not None
        deviation = t.let("deviation", f"np.sqrt({_by_channel(x, variance)} + {number(eps)})")
        done = t.let("standardised", f"({x} - {_by_channel(x, mean)}) / {deviation}")
    text = _scaled(x, done, weight, bias)
    return [text] if "native" in t.node.operator else text


@operator("_native_batch_norm_legit_no_training")
def batch_norm_in_evaluation(
    t: Translator, x: Operand, weight: Any, bias: Any, mean: Any, variance: Any, momentum: float, eps: float
) -> list[str]:
    """By statistics that were learnt."""
    found = batch_norm(t, x, weight, bias, mean, variance, False, momentum, eps)
    return [found] if isinstance(found, str) else [*found]


@operator("instance_norm")
def instance_norm(
    t: Translator,
    x: Operand,
    weight: Operand | None,
    bias: Operand | None,
    mean: Operand | None,
    variance: Operand | None,
    by_instance: bool,
    momentum: float,
    eps: float,
    *more: Any,
) -> str:
    """By the statistics of each channel of each sample."""
    if not by_instance:
        found = batch_norm(t, x, weight, bias, mean, variance, False, momentum, eps)
        return found if isinstance(found, str) else found[0]
    return _scaled(x, _standardised(t, str(x), list(range(2, x.rank)), eps), weight, bias)


@operator("layer_norm", "native_layer_norm")
def layer_norm(
    t: Translator,
    x: Operand,
    shape: Sequence[Any],
    weight: Operand | None = None,
    bias: Operand | None = None,
    eps: float = 1e-5,
    *more: Any,
) -> str | list[str]:
    """Over the last axes."""
    assert t.node is not None
    text = _standardised(t, str(x), list(range(x.rank - len(shape), x.rank)), eps)
    text = text if weight is None else f"{text} * {weight}"
    text = text if bias is None else f"{text} + {bias}"
    return [text] if "native" in t.node.operator else text


@operator("rms_norm", "_fused_rms_norm")
def rms_norm(
    t: Translator, x: Operand, shape: Sequence[Any], weight: Operand | None = None, eps: float | None = None
) -> str | list[str]:
    """Over the root of the mean square of the last axes."""
    assert t.node is not None
    axes = axes_text(list(range(x.rank - len(shape), x.rank)))
    least = 1.1920928955078125e-07 if eps is None else eps
    root = t.let("root", f"np.sqrt(np.mean({x} ** 2, axis={axes}, keepdims=True) + {number(least)})")
    text = f"{x} / {root}" if weight is None else f"{x} / {root} * {weight}"
    return [text, ""] if "fused" in t.node.operator else text


@operator("group_norm")
def group_norm(
    t: Translator,
    x: Operand,
    groups: int,
    weight: Operand | None = None,
    bias: Operand | None = None,
    eps: float = 1e-5,
    *more: Any,
) -> str:
    """By the statistics of groups of channels."""
    channels = x.shape[1]
    each = str(int(channels) // groups) if channels.isdigit() else f"{number(SizeText(channels))} // {groups}"
    grouped = t.let("grouped", f"{x}.reshape({', '.join([x.shape[0], str(groups), each, *x.shape[2:]])})")
    done = _standardised(t, grouped, list(range(2, x.rank + 1)), eps)
    return _scaled(x, t.let("apart", f"{done}.reshape({', '.join(x.shape)})"), weight, bias)


@operator("local_response_norm")
def local_response_norm(t: Translator, x: Operand, *settings: Any) -> str:
    """Not taken apart by PyTorch before this one is reached."""
    raise t.refuse("it has no translation into NumPy")
