"""Names for what a task has: its sizes after what the file calls them, its arguments after those of the code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from sandbox.torch_graphs.graph import GraphInput, InputOrigin, TorchGraph
from tools.expressions import CASTS, FUNCTION_NAMES

_WORDS = (
    "auto bool break case catch char class const continue default delete do double else enum explicit export extern"
    " false float for friend goto half if inline int long mutable namespace new operator private protected public"
    " register return short signed sizeof static struct switch template this throw true try typedef typeid typename"
    " union unsigned using virtual void volatile while and or not xor reference np range sum abs erf in is lambda"
    " def from import pass with yield raise"
)
_TAKEN = frozenset(_WORDS.split())
"""What C++, Python or a reference mean by a word is no name of an argument."""

_MOST = 40
_AXES = {
    4: ("batch", "channels", "height", "width"),
    5: ("batch", "channels", "depth", "height", "width"),
}


def dim_names(graph: TorchGraph) -> dict[str, str]:
    """Return a name for each symbol: that of a whole number of the file with its size, or of an axis that has it."""
    taken = set(_TAKEN) | set(FUNCTION_NAMES) | set(CASTS) | {_plain(one.path) for one in graph.inputs}
    names: dict[str, str] = {}
    ordered = sorted(graph.inputs, key=lambda one: one.origin is not InputOrigin.GIVEN)
    for one in ordered:
        for axis, side in enumerate(one.tensor.shape):
            if side in graph.symbols and side not in names:
                names[side] = _dim_name(graph, one, axis, graph.symbols[side].size, taken)
    for symbol, known in graph.symbols.items():
        if symbol not in names:
            names[symbol] = _free(f"size_{known.size}", taken)
    return names


def _dim_name(graph: TorchGraph, one: GraphInput, axis: int, size: int, taken: set[str]) -> str:
    known = (_plain(name) for name, value in graph.integers.items() if value == size)
    found = next((name for name in known if name not in taken), None)
    if found is not None:
        taken.add(found)
        return found
    by_place = _by_place(one, axis)
    return _free(f"{_plain(one.path)}_{axis}" if by_place in taken else by_place, taken)


def _by_place(one: GraphInput, axis: int) -> str:
    """What an axis is called where the file says nothing of its size."""
    rank = len(one.tensor.shape)
    if one.origin is InputOrigin.GIVEN and rank in _AXES and "float" in one.tensor.dtype:
        return _AXES[rank][axis]
    layer = one.owner == "Linear" or one.owner.startswith("Conv")
    if layer and one.path.endswith("weight") and axis < 2:
        outward = (axis == 0) != ("Transpose" in one.owner)
        return f"{_plain(one.path.rpartition('.')[0] or one.path)}_{'out' if outward else 'in'}"
    return f"{_plain(one.path)}_{axis}"


def argument_names(inputs: Iterable[GraphInput], dims: Iterable[str]) -> Mapping[str, str]:
    """Return a name for each input, by the graph's."""
    taken = set(_TAKEN) | set(FUNCTION_NAMES) | set(CASTS) | set(dims)
    return {one.name: _free(_plain(one.path), taken) for one in inputs}


def output_names(count: int, taken: Iterable[str]) -> list[str]:
    """Return a name for each output."""
    known = set(taken) | _TAKEN
    return [_free("out" if count == 1 else f"out{number}", known) for number in range(1, count + 1)]


def _plain(text: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:_MOST].strip("_")
    return name if name[:1].isalpha() else f"a_{name}".rstrip("_")


def _free(wanted: str, taken: set[str]) -> str:
    found, number = wanted, 2
    while found in taken:
        found, number = f"{wanted}_{number}", number + 1
    taken.add(found)
    return found
