"""Recurrent layers and cells: a turn for each step of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from agent.importing.translation import Operand, Translator, operator


def _sigmoid(text: str) -> str:
    return f"1 / (1 + np.exp(-({text})))"


def _part(name: str, number: int, size: str) -> str:
    start = f"{number} * {size}" if number > 1 else (size if number else "")
    end = f"{number + 1} * {size}" if number else size
    return f"{name}[:, {start}:{end}]"


def _affine(x: str, weight: str, bias: str | None) -> str:
    return f"{x} @ {weight}.T" if bias is None else f"{x} @ {weight}.T + {bias}"


class _Cell:
    """One step of a cell: statements, within a loop or not."""

    def __init__(self, t: Translator, kind: str, weights: Sequence[str], hidden: str) -> None:
        self._t = t
        self._kind = kind
        self._inner, self._outer = weights[:2]
        self._biases = (weights[2], weights[3]) if len(weights) > 2 else (None, None)
        self._hidden = hidden

    def step(self, x: str, state: Sequence[str], indent: str = "") -> list[str]:
        """Write a step; return the new state's names."""
        t, size = self._t, self._hidden

        def let(wanted: str, text: str) -> str:
            name = t.name(wanted)
            t.lines.append(f"{indent}{name} = {text}")
            return name

        given = _affine(x, self._inner, self._biases[0])
        carried = _affine(state[0], self._outer, self._biases[1])
        if self._kind == "lstm":
            gates = let("gates", f"{given} + {carried}")
            i, f, g, o = (_part(gates, number, size) for number in range(4))
            cell = let("cell", f"{_sigmoid(f)} * {state[1]} + {_sigmoid(i)} * np.tanh({g})")
            return [let("hidden", f"{_sigmoid(o)} * np.tanh({cell})"), cell]
        if self._kind == "gru":
            new, old = let("given", given), let("carried", carried)
            reset = let("reset", _sigmoid(f"{_part(new, 0, size)} + {_part(old, 0, size)}"))
            update = let("update", _sigmoid(f"{_part(new, 1, size)} + {_part(old, 1, size)}"))
            fresh = let("fresh", f"np.tanh({_part(new, 2, size)} + {reset} * {_part(old, 2, size)})")
            return [let("hidden", f"(1 - {update}) * {fresh} + {update} * {state[0]}")]
        function = "np.tanh" if self._kind == "rnn_tanh" else "np.maximum"
        rest = "" if self._kind == "rnn_tanh" else ", 0"
        return [let("hidden", f"{function}({given} + {carried}{rest})")]


@operator("lstm_cell")
def lstm_cell(t: Translator, x: Operand, state: Sequence[Operand], *weights: Any) -> list[str]:
    """One step of an LSTM."""
    known = [str(one) for one in weights if one is not None]
    return _Cell(t, "lstm", known, state[0].shape[1]).step(str(x), [str(one) for one in state])


@operator("gru_cell", "rnn_tanh_cell", "rnn_relu_cell")
def cell(t: Translator, x: Operand, state: Operand, *weights: Any) -> str:
    """One step of a GRU, or of a plain cell."""
    assert t.node is not None
    kind = t.node.operator.split(".")[1].removesuffix("_cell")
    known = [str(one) for one in weights if one is not None]
    return _Cell(t, kind, known, state.shape[1]).step(str(x), [str(state)])[0]


@operator("lstm", "gru", "rnn_tanh", "rnn_relu")
def recurrent(
    t: Translator,
    x: Operand,
    state: Any,
    weights: Sequence[Operand],
    biased: bool,
    layers: int,
    dropout: float,
    train: bool,
    both_ways: bool,
    batch_first: bool,
) -> list[str]:
    """Layers of cells, each over all steps of time; the last states of all layers follow the outputs."""
    assert t.node is not None
    kind = t.node.operator.split(".")[1]
    states = cast("list[Operand]", state if isinstance(state, list) else [state])
    if dropout and train:
        t.notes["dropout is random in training: it is taken as in evaluation, where it does nothing"] = None
    whole = t.let("steps", f"{x}.transpose(1, 0, 2)") if batch_first else str(x)
    length, batch = (x.shape[1], x.shape[0]) if batch_first else (x.shape[0], x.shape[1])
    hidden = states[0].shape[2]
    per_layer = 4 if biased else 2
    ways = 2 if both_ways else 1
    last: list[list[str]] = [[] for _ in states]
    for layer in range(layers):
        halves: list[str] = []
        for way in range(ways):
            at = layer * ways + way
            mine = [str(one) for one in weights[at * per_layer : (at + 1) * per_layer]]
            begin = [f"{one}[{at}]" for one in states]
            done, ends = _over_time(t, kind, mine, whole, begin, (length, batch, hidden), backwards=way == 1)
            halves.append(done)
            for kept, end in zip(last, ends, strict=True):
                kept.append(end)
        whole = halves[0] if ways == 1 else t.let("both", f"np.concatenate([{', '.join(halves)}], axis=2)")
    ends = [f"np.stack([{', '.join(kept)}])" for kept in last]
    return [f"{whole}.transpose(1, 0, 2)" if batch_first else whole, *ends]


def _over_time(
    t: Translator,
    kind: str,
    weights: Sequence[str],
    steps: str,
    begin: Sequence[str],
    sizes: tuple[str, str, str],
    *,
    backwards: bool,
) -> tuple[str, list[str]]:
    """Write a loop over time; return all outputs, and the last states."""
    length, batch, hidden = sizes
    outputs = t.let("outputs", f"np.zeros(({length}, {batch}, {hidden}))")
    state = [t.let(name, text) for name, text in zip(("h", "c"), begin, strict=False)]
    step = t.name("step")
    t.lines.append(f"for {step} in range({f'{length} - 1, -1, -1' if backwards else length}):")
    now = _Cell(t, kind, weights, hidden).step(f"{steps}[{step}]", state, "    ")
    # Hidden and cell are computed from both before: they change together.
    t.lines.append(f"    {', '.join(state)} = {', '.join(now)}")
    t.lines.append(f"    {outputs}[{step}] = {state[0]}")
    return outputs, state
