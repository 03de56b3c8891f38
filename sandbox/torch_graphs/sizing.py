"""Which sizes of an exported program are free, and what they may be, found by trying; in the worker.

PyTorch says what equals what, and leaves open what must divide what: a graph is tried on tensors without memory.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.torch_graphs.exporting import ExportedProgram, run
from sandbox.torch_graphs.expressions import expression
from sandbox.torch_graphs.graph import SizeSymbol

torch: Any = importlib.import_module("torch")
sympy: Any = importlib.import_module("sympy")

_STEPS = (1, 2, 3, 4)
_LEAST = 48
"""So many small sizes are tried."""


class Sizing:
    """The free sizes of a program.

    Attributes:
        symbols: What is free, by name.
    """

    def __init__(self, exported: ExportedProgram) -> None:
        """Find them."""
        self._program = exported.program
        self._values = {
            node.name: node.meta["val"] for node in exported.program.graph.nodes if node.op == "placeholder"
        }
        hints = _hints(self._values.values())
        self._ranges = {
            symbol: (_bound(one.lower, 0), _bound(one.upper, math.inf))
            for symbol, one in exported.program.range_constraints.items()
        }
        self._ties = _tied(exported.program.graph, hints)
        self._hints = {symbol: size for symbol, size in hints.items() if symbol not in self._ties}
        self._most: set[Any] = set()
        steps = {symbol: self._step(symbol) for symbol in self._hints}
        for symbol in [one for one, step in steps.items() if step is None]:
            self._ties[symbol] = sympy.Integer(self._hints.pop(symbol))
        self._steps = {symbol: step for symbol, step in steps.items() if step is not None}
        least = {symbol: self._least(symbol) for symbol in self._hints}
        self.symbols = {
            str(symbol): SizeSymbol(size, least[symbol], self._steps[symbol], symbol in self._most)
            for symbol, size in self._hints.items()
        }

    def settled(self, value: Any) -> Any:
        """Return a size in what is free alone, simplified by what divides it."""
        found = expression(value).subs(self._ties)
        found = found.subs(self._ties)
        parts = {
            symbol: step * sympy.Symbol(f"{symbol}_part", integer=True, positive=True)
            for symbol, step in self._steps.items()
            if step > 1
        }
        if not parts or not found.free_symbols & set(parts):
            return found
        divided = found.subs(parts)
        back = {part.args[-1]: symbol for symbol, part in parts.items()}
        if any(_denominator(divided, part) for part in back):
            return found
        return divided.subs({part: symbol / self._steps[symbol] for part, symbol in back.items()})

    def fits(self, sizes: Mapping[str, int]) -> bool:
        """Say whether the program takes these sizes, by the names of `symbols`."""
        return self._takes(self._named(sizes))

    def shape(self, value: Any, sizes: Mapping[str, int]) -> list[int]:
        """Return the shape of a tensor of the program at these sizes."""
        named = self._named(sizes)
        return [int(expression(side).subs(self._ties).subs(named)) for side in value.shape]

    def _named(self, sizes: Mapping[str, int]) -> dict[Any, int]:
        """A size for each symbol; the example's of what only inputs have that nothing reads."""
        return {symbol: sizes.get(str(symbol), hint) for symbol, hint in self._hints.items()}

    def size(self, value: Any, sizes: Mapping[str, int]) -> int:
        """Return one size of the program at these sizes."""
        named = self._named(sizes)
        return int(expression(value).subs(self._ties).subs(named))

    def _takes(self, sizes: Mapping[Any, int]) -> bool:
        ties = {symbol: int(tie.subs(sizes)) for symbol, tie in self._ties.items()} | dict(sizes)

        def shaped(value: Any) -> list[int]:
            return [_number(expression(side), ties) for side in value.shape]

        if not all(
            _within(size, *self._ranges[symbol]) for symbol, size in ties.items() if symbol in self._ranges
        ):
            return False
        try:
            arguments = {
                name: torch.empty(shaped(value), dtype=value.dtype, device="meta")
                for name, value in self._values.items()
            }
            found = run(self._program, arguments)
            wanted = [node.meta["val"] for node in _outputs(self._program)]
            return all(
                one.numel() and list(one.shape) == shaped(value)
                for one, value in zip(found, wanted, strict=True)
            )
        except Exception:  # noqa: BLE001  whatever PyTorch has against a size, it is none
            return False

    def _step(self, symbol: Any) -> int | None:
        """The least distance between sizes; None where no other is taken."""
        size = self._hints[symbol]
        divisors = [one for one in range(5, size) if size % one == 0] if size <= 1 << 16 else []
        powers = [1 << bit for bit in range(3, 16) if size % (1 << bit) == 0] if not divisors else []
        for step in (*(one for one in _STEPS if size % one == 0), *divisors, *powers):
            if self._takes_all(symbol, (size + step, size + 3 * step, 2 * size)):
                return step
            below = [one for one in (size - step, size - 3 * step, size // step // 2 * step) if one > 0]
            if len(below) == 3 and self._takes_all(symbol, below):
                self._most.add(symbol)
                return step
        return None

    def _takes_all(self, symbol: Any, sizes: Iterable[int]) -> bool:
        return all(self._takes({**self._hints, symbol: one}) for one in sizes)

    def _least(self, symbol: Any) -> int:
        step, size = self._steps[symbol], self._hints[symbol]
        for number in range(1, _LEAST):
            if step * number >= size or self._takes({**self._hints, symbol: step * number}):
                return min(step * number, size)
        return size


def _bound(value: Any, otherwise: float) -> float:
    return int(value) if getattr(value, "is_Integer", False) else otherwise


def _within(size: int, low: float, high: float) -> bool:
    """Whether a branch on sizes goes as it went for the example; 2 is PyTorch's word for any size at all."""
    return (low <= 2 or size >= low) and size <= high


def _number(value: Any, sizes: Mapping[Any, int]) -> int:
    """Evaluate a size; sympy takes long for what is a symbol or a number as a rule."""
    if value.is_Symbol:
        return sizes[value]
    return int(value) if value.is_Integer else int(value.subs(sizes))


def _outputs(program: Any) -> list[Any]:
    """The nodes that are the program's own outputs."""
    last = next(node for node in program.graph.nodes if node.op == "output")
    specs = program.graph_signature.output_specs
    return [node for node, spec in zip(last.args[0], specs, strict=True) if spec.kind.name == "USER_OUTPUT"]


def _hints(values: Iterable[Any]) -> dict[Any, int]:
    hints: dict[Any, int] = {}
    for value in values:
        for side in getattr(value, "shape", ()):
            if not isinstance(side, int):
                for symbol in side.node.expr.free_symbols:
                    hints[symbol] = int(side.node.shape_env.backed_var_to_val[symbol])
    return hints


def _tied(graph: Any, hints: Mapping[Any, int]) -> dict[Any, Any]:
    """Sizes that follow from another, or are fixed, because the parts of a split must fit what comes after.

    What is left of a split is a difference: of a size and a multiple of another, where the size is taken to be a
    multiple too, as it is in the example; or of a size and a number, where the size is the example's.
    """
    ties: dict[Any, Any] = {}
    for node in graph.nodes:
        for side in getattr(node.meta.get("val"), "shape", ()):
            for symbol, tie in _differences(side, hints, _is_part(node)) if not isinstance(side, int) else ():
                if symbol not in ties and not tie.free_symbols & set(ties):
                    ties[symbol] = tie
    return ties


def _is_part(node: Any) -> bool:
    source: Any = node.args[0] if node.op == "call_function" and node.args else None
    return getattr(source, "op", "") == "call_function" and "split" in str(source.target)


def _differences(side: Any, hints: Mapping[Any, int], part: bool) -> list[tuple[Any, Any]]:
    found = side.node.expr
    if not found.is_Add:
        return []
    added = [term for term in found.args if term.is_Symbol]
    taken = [-term for term in found.args if term.could_extract_minus_sign()]
    pairs = [
        (large, next(iter(term.free_symbols)))
        for large in added
        for term in taken
        if len(term.free_symbols) == 1
    ]
    ties = [
        (large, small * (hints[large] // hints[small]))
        for large, small in pairs
        if large != small and hints.get(small) and hints.get(large, 1) % hints[small] == 0
    ]
    if part and not ties and len(found.free_symbols) == 1:
        ties = [(large, sympy.Integer(hints[large])) for large in added]
    return ties


def _denominator(value: Any, part: Any) -> bool:
    return any(part in one.args[1].free_symbols for one in value.atoms(sympy.Function) if len(one.args) == 2)
