"""Problems written after KernelBench's names.

Names of levels 1 and 2 say what is computed; for networks of level 3 a table says what they are made of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_TEMPLATE = '''"""Written after the name {name}."""

import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
{init}

    def forward(self, {arguments}):
{body}


def get_inputs():
    return [{inputs}]
'''
_MATRIX = "x = torch.randn(64, 96)"
_IMAGE = "x = torch.randn(4, 8, 20, 24)"
_VOLUME = "x = torch.randn(2, 4, 12, 10, 8)"
_PAIR = "a = torch.randn(64, 48); b = torch.randn(48, 80)"
_TWO = "p = torch.randn(64, 96); t = torch.randn(64, 96)"
_SHARES = "torch.softmax(torch.randn(64, 96), dim=-1)"

LEVEL1: dict[int, tuple[str, str]] = {
    1: ("a @ b", "a = torch.randn(64, 64); b = torch.randn(64, 64)"),
    2: ("torch.matmul(a, b)", _PAIR),
    3: ("torch.bmm(a, b)", "a = torch.randn(4, 32, 48); b = torch.randn(4, 48, 40)"),
    4: ("torch.matmul(a, b)", "a = torch.randn(64, 128); b = torch.randn(128, 1)"),
    5: ("a * s", "a = torch.randn(64, 96); s = 3.14"),
    6: ("torch.matmul(a, b)", "a = torch.randn(16, 4096); b = torch.randn(4096, 16)"),
    7: ("torch.matmul(a, b)", "a = torch.randn(256, 4); b = torch.randn(4, 256)"),
    8: ("torch.matmul(a, b)", "a = torch.randn(65, 47); b = torch.randn(47, 83)"),
    9: ("torch.matmul(a, b)", "a = torch.randn(512, 8); b = torch.randn(8, 512)"),
    10: ("torch.matmul(a, b)", "a = torch.randn(4, 16, 48); b = torch.randn(48, 40)"),
    11: ('torch.einsum("bijl,lk->bijk", a, b)', "a = torch.randn(2, 8, 6, 24); b = torch.randn(24, 20)"),
    12: ("torch.diag(a) @ b", "a = torch.randn(48); b = torch.randn(48, 80)"),
    13: ("torch.matmul(a + a.T, b + b.T)", "a = torch.randn(64, 64); b = torch.randn(64, 64)"),
    14: ("torch.triu(torch.matmul(a, b))", "a = torch.randn(64, 64); b = torch.randn(64, 64)"),
    15: ("torch.tril(torch.matmul(a, b))", "a = torch.randn(64, 64); b = torch.randn(64, 64)"),
    16: ("torch.matmul(a.T, b)", "a = torch.randn(48, 64); b = torch.randn(48, 80)"),
    17: ("torch.matmul(a, b.T)", "a = torch.randn(64, 48); b = torch.randn(80, 48)"),
    18: ("torch.matmul(a.T, b.T)", "a = torch.randn(48, 64); b = torch.randn(80, 48)"),
    19: ("torch.relu(x)", _MATRIX),
    20: ("F.leaky_relu(x, negative_slope=0.01)", _MATRIX),
    21: ("torch.sigmoid(x)", _MATRIX),
    22: ("torch.tanh(x)", _MATRIX),
    23: ("torch.softmax(x, dim=1)", _MATRIX),
    24: ("F.log_softmax(x, dim=1)", _MATRIX),
    25: ("x * torch.sigmoid(x)", _MATRIX),
    26: ("F.gelu(x)", _MATRIX),
    27: ("torch.selu(x)", _MATRIX),
    28: ("F.hardsigmoid(x)", _MATRIX),
    29: ("F.softplus(x)", _MATRIX),
    30: ("x / (1 + torch.abs(x))", _MATRIX),
    31: ("F.elu(x, alpha=1.0)", _MATRIX),
    32: ("F.hardtanh(x, min_val=-1.0, max_val=1.0)", _MATRIX),
    33: ("nn.BatchNorm2d(8)(x)", _IMAGE),
    34: ("nn.InstanceNorm2d(8)(x)", _IMAGE),
    35: ("nn.GroupNorm(4, 8)(x)", _IMAGE),
    36: ("x / torch.sqrt(torch.mean(x**2, dim=1, keepdim=True) + 1e-5)", _IMAGE),
    37: ("x / torch.norm(x, p='fro')", _IMAGE),
    38: ("x / torch.mean(torch.abs(x), dim=1, keepdim=True)", _MATRIX),
    39: ("x / torch.norm(x, p=2, dim=1, keepdim=True)", _MATRIX),
    40: ("nn.LayerNorm((8, 20, 24))(x)", _IMAGE),
    41: ("nn.MaxPool1d(4, stride=2, padding=1, dilation=2)(x)", "x = torch.randn(4, 8, 64)"),
    42: ("nn.MaxPool2d(4, stride=1, padding=1, dilation=1)(x)", _IMAGE),
    43: ("nn.MaxPool3d(3, stride=2, padding=1, dilation=2)(x)", _VOLUME),
    44: ("nn.AvgPool1d(4, stride=1, padding=2)(x)", "x = torch.randn(4, 8, 64)"),
    45: ("nn.AvgPool2d(3)(x)", _IMAGE),
    46: ("nn.AvgPool3d(3, stride=2, padding=1)(x)", _VOLUME),
    47: ("torch.sum(x, dim=1, keepdim=True)", "x = torch.randn(8, 24, 20)"),
    48: ("torch.mean(x, dim=1)", "x = torch.randn(8, 24, 20)"),
    49: ("torch.max(x, dim=1)[0]", "x = torch.randn(8, 24, 20)"),
    51: ("torch.argmax(x, dim=1)", "x = torch.randn(8, 24, 20)"),
    52: ("torch.argmin(x, dim=1)", "x = torch.randn(8, 24, 20)"),
    53: ("torch.min(x, dim=1)[0]", "x = torch.randn(8, 24, 20)"),
    86: ("nn.Conv2d(8, 12, 1)(nn.Conv2d(8, 8, 3, groups=8)(x))", _IMAGE),
    88: ("0.5 * x * (1.0 + torch.tanh(0.7978845608 * (x + 0.044715 * torch.pow(x, 3.0))))", _MATRIX),
    89: ("torch.cumsum(x, dim=1)", _MATRIX),
    90: ("torch.cumprod(x, dim=1)", "x = torch.rand(16, 24) + 0.5"),
    91: ("torch.cumsum(x.flip(1), dim=1).flip(1)", _MATRIX),
    92: ("torch.cumsum(torch.cat((torch.zeros_like(x[:, :1]), x[:, :-1]), dim=1), dim=1)", _MATRIX),
    93: ("torch.cumsum(x * mask, dim=1)", "x = torch.randn(64, 96); mask = torch.randint(0, 2, (64, 96)).bool()"),
    94: ("torch.mean((p - t) ** 2)", _TWO),
    95: ("F.cross_entropy(p, t)", "p = torch.randn(64, 10); t = torch.randint(0, 10, (64,))"),
    96: ("F.smooth_l1_loss(p, t)", _TWO),
    97: ("F.scaled_dot_product_attention(q, k, v)", "; ".join(f"{one} = torch.randn(2, 4, 16, 8)" for one in "qkv")),
    98: ("F.kl_div(torch.log(p), t, reduction='batchmean')", f"p = {_SHARES}; t = {_SHARES}"),
    99: ("nn.TripletMarginLoss(margin=1.0)(a, p, n)", "; ".join(f"{one} = torch.randn(32, 48)" for one in "apn")),
    100: ("torch.mean(torch.clamp(1 - p * t, min=0))", _TWO),
}  # fmt: skip
"""What those compute whose names say it in words, and their inputs; convolutions are read from their names."""


LEVEL3: dict[int, tuple[str, ...]] = {
    **dict.fromkeys((1, 2, 3), ("perceptron",)),
    4: ("small_image_network",),
    5: ("small_image_network", "linear_dropout_softmax"),
    6: ("inception",),
    7: ("inception", "linear_dropout_softmax", "conv_swish_pool_residual"),
    **dict.fromkeys((8, 9, 10), ("residual_block", "small_image_network", "transposed_conv_global_pool")),
    **dict.fromkeys((11, 12), ("small_image_network", "linear_dropout_softmax")),
    13: ("dense_transition",),
    14: ("dense_block",),
    **dict.fromkeys((15, 16), ("dense_block", "dense_transition", "small_image_network")),
    17: ("fire_module",),
    18: ("fire_module", "small_image_network", "transposed_conv_global_pool"),
    19: ("depthwise_separable", "conv_batch_norm_scale", "transposed_conv_global_pool"),
    **dict.fromkeys((20, 21, 22, 23, 24), ("inverted_bottleneck", "transposed_conv_global_pool")),
    **dict.fromkeys((25, 26), ("channel_shuffle", "residual_block")),
    27: ("residual_block", "small_image_network"),
    28: ("patches", "encoder_layer"),
    29: ("windows_mixed", "transformer_block"),
    30: ("cosine_windows", "windows_mixed", "transformer_block"),
    31: ("image_attention",),
    32: ("patches", "encoder_layer", "conv_2d"),
    **dict.fromkeys((33, 34), ("recurrent_cell",)),
    **dict.fromkeys((35, 36, 37), ("long_short_memory",)),
    38: ("long_short_memory", "gated_units_both_ways"),
    **dict.fromkeys((39, 40, 41, 42), ("gated_units_both_ways",)),
    43: ("causal_attention",),
    44: ("causal_attention", "transformer_block", "gelu_by_tanh"),
    45: ("unit_with_softmax", "conv_batch_norm_scale"),
    **dict.fromkeys((46, 47), ("soft_clusters", "linear_batch_norm_gelu_relu")),
    **dict.fromkeys((48, 49), ("state_space",)),
    50: ("relu_attention",),
}
"""Which of our own problems together have what a network of this number is made of."""


def made_of(name: str) -> tuple[str, ...]:
    """Return our problems that together have the operations of a network of level 3, by the names of their files."""
    return LEVEL3[int(name.partition("_")[0])]


def problem_text(level: str, name: str) -> str:
    """Return the text of a problem of level 1 or 2.

    Args:
        level: `level1` or `level2`.
        name: As KernelBench has it, without `.py`.

    Raises:
        KeyError: The name says something that is not known here.
    """
    number = int(name.partition("_")[0])
    if level == "level2":
        return _chained(name)
    forward, inputs = LEVEL1[number] if number in LEVEL1 else _convolution(name)
    layers = _Layers()
    return _text(name, layers, [f"return {layers.taken_out(forward)}"], inputs)


@dataclass
class _Layers:
    """Layers of a module, which `__init__` makes.

    Attributes:
        made: What makes each.
    """

    made: list[str] = field(default_factory=list[str])

    def add(self, text: str) -> str:
        """Return how `forward` calls a layer, or a parameter."""
        self.made.append(text)
        return f"self.l{len(self.made)}"

    def taken_out(self, text: str) -> str:
        """Return an expression with the layers that it makes taken out of it."""
        while found := re.search(r"nn\.\w+\(", text):
            end = _closing(text, found.end())
            text = text[: found.start()] + self.add(text[found.start() : end]) + text[end:]
        return text


def _closing(text: str, at: int) -> int:
    depth = 1
    while depth:
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return at


def _text(name: str, layers: _Layers, body: Sequence[str], inputs: str) -> str:
    given = [one.split(" = ", 1) for one in inputs.split("; ")]
    init = [f"self.l{place} = {made}" for place, made in enumerate(layers.made, start=1)]
    return _TEMPLATE.format(
        name=name,
        init="\n".join(f"        {line}" for line in init or ["pass"]),
        arguments=", ".join(argument for argument, _ in given),
        body="\n".join(f"        {line}" for line in body),
        inputs=", ".join(value for _, value in given),
    )


def _convolution(name: str) -> tuple[str, str]:
    """A convolution by the words of its name."""
    rank = int(re.search(r"(\d)D", name)[1])  # type: ignore[index]  # the table has what is no convolution
    words = set(re.split(r"_+", name))
    kind = f"nn.Conv{'Transpose' if 'transposed' in words else ''}{rank}d"
    sides = (14, 11, 9)[:rank] if "asymmetric_input" in name else (12,) * rank
    window: object = (3, 5, 2)[:rank] if "asymmetric_kernel" in name and rank > 1 else 3
    window = 1 if "pointwise" in words else window
    outward, groups = (8, 8) if "depthwise" in words else (12, 4 if "grouped" in words else 1)
    options = {"stride": "strided", "padding": "padded", "dilation": "dilated"}
    values = {"stride": 2, "padding": 1, "dilation": 2}
    told = "".join(f", {option}={values[option]}" for option, word in options.items() if word in words)
    return (
        f"{kind}(8, {outward}, {window}{told}, groups={groups})(x)",
        f"x = torch.randn(2, 8, {', '.join(map(str, sides))})",
    )


@dataclass
class _Chain:
    """Where a chain of operations of level 2 has come to.

    Attributes:
        rank: Of x.
        channels: On the axis 1 of x.
    """

    layers: _Layers
    rank: int
    channels: int

    def parameter(self) -> str:
        """A parameter as wide as the channels."""
        shape = ", ".join([str(self.channels), *(["1"] * (self.rank - 2))])
        return self.layers.add(f"nn.Parameter(torch.randn({shape}))")

    def layer(self, made: str) -> str:
        """A layer, called on x."""
        return f"{self.layers.add(made)}(x)"

    def over_channels(self, text: str) -> str:
        """What leaves one channel."""
        self.channels = 1
        return text

    def pooled(self, kind: str) -> str:
        """Pooling, over features where there are no places."""
        if self.rank > 2:
            return f"F.{kind}_pool{self.rank - 2}d(x, 2)"
        if self.channels == 1:
            return "torch.mean(x, dim=1, keepdim=True)"
        self.channels //= 2
        return f"F.{kind}_pool1d(x.unsqueeze(1), 2).squeeze(1)"

    def averaged(self) -> str:
        """The mean of all places, or of all features."""
        if self.rank > 2:
            return f"F.adaptive_avg_pool{self.rank - 2}d(x, 1)"
        return self.over_channels("torch.mean(x, dim=1, keepdim=True)")

    def residual(self) -> str:
        """What the product gave, added."""
        self.channels = 32 if self.rank == 2 else 16
        return "x + before"

    def norm(self, kind: str) -> str:
        """Normalisation of batches or instances."""
        if self.rank == 2 and kind == "Instance":
            return f"{self.layers.add('nn.InstanceNorm2d(1)')}(x[:, None, None]).squeeze(1).squeeze(1)"
        return self.layer(f"nn.{kind}Norm{max(self.rank - 2, 1)}d({self.channels})")


STEPS: dict[str, Callable[[_Chain], str]] = {
    "relu": lambda _: "torch.relu(x)",
    "leakyrelu": lambda _: "F.leaky_relu(x, 0.1)",
    "gelu": lambda _: "F.gelu(x)",
    "sigmoid": lambda _: "torch.sigmoid(x)",
    "tanh": lambda _: "torch.tanh(x)",
    "mish": lambda _: "F.mish(x)",
    "swish": lambda _: "torch.sigmoid(x) * x",
    "hardswish": lambda _: "F.hardswish(x)",
    "hardtanh": lambda _: "F.hardtanh(x, -1.0, 1.0)",
    "activation": lambda _: "torch.tanh(F.softplus(x)) * x",
    "softmax": lambda _: "torch.softmax(x, dim=1)",
    "clamp": lambda _: "torch.clamp(x, -0.7, 0.9)",
    "divide": lambda _: "x / 2.5",
    "scaling": lambda _: "x * 1.5",
    "dropout": lambda chain: chain.layer("nn.Dropout(0.2)"),
    "residualadd": _Chain.residual,
    "biasadd": lambda chain: f"x + {chain.parameter()}",
    "add": lambda chain: f"x + {chain.parameter()}",
    "subtract": lambda chain: f"x - {chain.parameter()}",
    "multiply": lambda chain: f"x * {chain.parameter()}",
    "scale": lambda chain: f"x * {chain.parameter()}",
    "sum": lambda chain: chain.over_channels("torch.sum(x, dim=1, keepdim=True)"),
    "max": lambda chain: chain.over_channels("torch.max(x, dim=1, keepdim=True)[0]"),
    "min": lambda chain: chain.over_channels("torch.min(x, dim=1, keepdim=True)[0]"),
    "logsumexp": lambda chain: chain.over_channels("torch.logsumexp(x, dim=1, keepdim=True)"),
    "mean": lambda chain: "torch.mean(x, dim=-1, keepdim=True)" if chain.rank > 2 else chain.averaged(),
    "maxpool": lambda chain: chain.pooled("max"),
    "avgpool": lambda chain: chain.pooled("avg"),
    "globalavgpool": _Chain.averaged,
    "batchnorm": lambda chain: chain.norm("Batch"),
    "instancenorm": lambda chain: chain.norm("Instance"),
    "groupnorm": lambda chain: chain.layer(
        f"nn.GroupNorm({4 if chain.channels % 4 == 0 else 1}, {chain.channels})"
    ),
    "layernorm": lambda _: "F.layer_norm(x, (x.size(-1),))",
}
"""What each word of level 2 does to x, and to what is known of x."""


def _chained(name: str) -> str:
    """A problem of level 2: a product, and what follows it."""
    first, *rest = [word.lower() for word in name.split("_")[1:]]
    layers = _Layers()
    rank = int(first[-2]) if first.startswith("conv") else 0
    if rank:
        kind = f"nn.Conv{'Transpose' if 'transpose' in first else ''}{rank}d"
        made, sides = f"{kind}(4, 16, 3)", ", ".join(["12"] * rank)
        inputs = f"x = torch.randn(4, 4, {sides})"
    elif first in ("gemm", "matmul", "bmm"):
        made, inputs = "nn.Linear(48, 32)", "x = torch.randn(24, 48)"
    else:
        raise KeyError(first)
    chain = _Chain(layers, rank + 2, 16 if rank else 32)
    body = [f"x = {layers.add(made)}(x)"]
    if "residualadd" in rest:
        body.append("before = x.clone()")
    body += [f"x = {STEPS[word](chain)}" for word in rest]
    return _text(name, layers, [*body, "return x"], inputs)
