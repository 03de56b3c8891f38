"""The least work of a graph, as expressions in dims."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from agent.importing.graphs.translation import Operand, Translator
from sandbox.dtypes import DTYPE_BYTES
from sandbox.torch_graphs.graph import ArgumentKind, GraphNode
from tools import expressions
from tools.tasks.task import TaskArgument

_FREE = frozenset(
    [
        "view",
        "reshape",
        "permute",
        "transpose",
        "t",
        "slice",
        "select",
        "cat",
        "stack",
        "expand",
        "contiguous",
        "clone",
        "squeeze",
        "unsqueeze",
        "flatten",
        "split",
        "chunk",
        "getitem",
        "detach",
        "dropout",
        "zeros",
        "ones",
        "full",
        "to",
        "arange",
        "_to_copy",
        "split_with_sizes",
        "unbind",
        "flip",
        "pad",
        "constant_pad_nd",
        "embedding",
        "repeat",
    ]
)
_PER_ELEMENT = {
    "gelu": 8, "softmax": 5, "log_softmax": 5, "layer_norm": 7, "group_norm": 7, "batch_norm": 7, "instance_norm": 7,
    "mish": 8, "sigmoid": 3, "silu": 4, "tanh": 4, "softplus": 5, "cross_entropy_loss": 5, "rms_norm": 4,
}  # fmt: skip
_LONGEST = 440
_SUM = re.compile(r"[-+/%(]")


def work_of(t: Translator, node: GraphNode) -> str:
    """Return how many floating point operations a node takes at least; empty for none.

    What PyTorch is asked for itself counts as one for each element of its results.
    """
    name = node.plain_operator
    if any(one.node == node.name for one in t.kept):
        shapes = [t.shape(one) for one in node.results]
        return " + ".join(_times(str(shapes.count(one)), *one) for one in dict.fromkeys(shapes))
    if name in _FREE or not node.results:
        return ""
    operands = [_operand(t, one.text) for one in node.arguments if one.kind is ArgumentKind.VALUE]
    given = [one for one in operands if one is not None]
    result = _product(t.shape(node.results[0]))
    if not given:
        return result
    x = given[0]
    if name in ("matmul", "mm", "bmm", "linear", "mv", "dot"):
        return _times("2", result, x.shape[-1] if x.shape else "1")
    if name in ("addmm", "baddbmm", "addmv") and len(given) > 1:
        return _times("2", result, given[1].shape[-1])
    if name.startswith("conv") and len(given) > 1:
        weight = given[1].shape
        taps = _product(weight[1:])
        return _times("2", _product(x.shape) if "transpose" in name else result, taps)
    if "pool" in name and "adaptive" not in name:
        sizes = node.arguments[1]
        window = [one.text for one in sizes.items] if sizes.kind is ArgumentKind.LIST else [sizes.text]
        count = int(name.split("pool")[1][0])
        return _times(result, _product(window * count if len(window) == 1 else window))
    if name == "scaled_dot_product_attention" and len(given) > 1:
        return _times("4", _product(x.shape), given[1].shape[-2])
    if name in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
        weights = [_operand(t, one.text) for part in node.arguments[2:3] for one in part.items]
        return " + ".join(
            _times("2", *x.shape[:2], _product(one.shape)) for one in weights if one and one.rank == 2
        )
    return _times(str(_PER_ELEMENT.get(name, 1)), _product(x.shape))


def _operand(t: Translator, name: str) -> Operand | None:
    found = t.values.get(name)
    return found if isinstance(found, Operand) else None


def _product(sides: Sequence[str]) -> str:
    return _times(*sides)


def _times(*factors: str) -> str:
    flat = [part for one in factors for part in ([one] if _SUM.search(one) else one.split(" * "))]
    kept = [one if one.isidentifier() or one.isdigit() else f"({one})" for one in flat if one and one != "1"]
    whole = 1
    for one in kept:
        whole *= int(one) if one.isdigit() else 1
    names = [one for one in kept if not one.isdigit()]
    return " * ".join([*([str(whole)] if whole != 1 or not names else []), *names])


def total(terms: Sequence[str], sizes: Mapping[str, int]) -> str:
    """Add terms up, equal ones once with a factor; of too many those that matter most at these sizes."""
    counted: dict[str, int] = {}
    for term in terms:
        if term:
            counted[term] = counted.get(term, 0) + 1
    texts = [_times(str(count), term) for term, count in counted.items()]
    texts.sort(key=lambda text: value(text, sizes), reverse=True)
    found = texts[0] if texts else "0"
    for text in texts[1:]:
        if len(found) + len(text) + 3 > _LONGEST:
            break
        found += f" + {text}"
    return found


def value(text: str, sizes: Mapping[str, int]) -> int:
    """Evaluate an expression."""
    return expressions.parse(text).evaluate(sizes)


def bytes_of(arguments: Sequence[TaskArgument], sizes: Mapping[str, int]) -> str:
    """Return how many bytes all buffers have."""
    buffers = [one for one in arguments if not one.is_scalar]
    return total([_times(str(DTYPE_BYTES[one.dtype]), *one.shape) for one in buffers], sizes)
