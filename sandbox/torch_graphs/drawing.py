"""Which distribution an example's values are from, seen as they are made; in the worker.

`torch.rand(n) * 2 - 1` says what a task must know, uniform(-1, 1), though no value of it exists under fake tensors.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from typing import Any

_Mode: Any = importlib.import_module("torch.utils._python_dispatch").TorchDispatchMode
_weak: Any = importlib.import_module("torch.utils.weak")
_SAME = frozenset({
    "_to_copy", "clone", "contiguous", "detach", "view", "_unsafe_view", "reshape", "permute", "transpose", "t",
    "unsqueeze", "squeeze", "expand", "alias", "lift_fresh", "lift_fresh_copy", "copy_", "slice", "select",
})  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """Values `scale * base + shift`.

    Attributes:
        base: `uniform` from 0 to 1, `normal` of deviation 1, `integers` from `low` to `high`, or `constant` 0.
    """

    base: str
    scale: float = 1.0
    shift: float = 0.0
    low: int = 0
    high: int = 0

    def data(self, dtype: str) -> str:
        """Say it as a generator call of tasks, for an array of this dtype."""
        if "float" not in dtype:
            return (
                f"integers({self.low}, {self.high})"
                if self.base == "integers"
                else f"constant({self.shift:g})"
            )
        if self.base == "normal":
            return f"normal({self.shift:g}, {abs(self.scale):g})"
        if self.base == "uniform":
            low, high = sorted((self.shift, self.shift + self.scale))
            return f"uniform({low:g}, {high:g})"
        if self.base == "integers":
            ends = (self.low * self.scale + self.shift, self.high * self.scale + self.shift)
            whole = (self.scale, self.shift) == (1.0, 0.0)
            return f"integers({self.low}, {self.high})" if whole else f"uniform({min(ends):g}, {max(ends):g})"
        return f"constant({self.shift:g})"


class Drawing(_Mode):
    """Follows what is drawn while it is the mode; ask `of` about a tensor."""

    def __init__(self) -> None:
        _Mode.__init__(self)
        self._known: Any = _weak.WeakIdKeyDictionary()

    def of(self, tensor: Any) -> Drawn | None:
        """Return what a tensor holds; None where that is not known."""
        return self._known.get(tensor)

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the operator, and remember what its result holds."""
        result = function(*args, **(kwargs or {}))
        name = function.__name__.partition(".")[0]
        drawn = self._drawn(name, args, kwargs or {})
        if drawn is not None and hasattr(result, "dim"):
            self._known[result] = drawn
        return result

    def _drawn(self, name: str, args: tuple[Any, ...], kwargs: Any) -> Drawn | None:
        match name:
            case "rand" | "rand_like":
                return Drawn("uniform")
            case "randn" | "randn_like":
                return Drawn("normal")
            case "uniform_":
                low, high = (*args[1:], 0.0, 1.0)[:2]
                return Drawn("uniform", high - low, low)
            case "normal_" | "normal":
                mean, deviation = (*args[1:], 0.0, 1.0)[:2]
                return Drawn("normal", deviation, mean) if isinstance(mean, float | int) else None
            case "randint":
                bounds = [one for one in args if isinstance(one, int)]
                low, high = bounds if len(bounds) == 2 else (0, bounds[0])
                return Drawn("integers", low=low, high=high - 1)
            case "zeros" | "zeros_like" | "ones" | "ones_like":
                return Drawn("constant", 0.0, float(name.startswith("ones")))
            case "full" | "scalar_tensor":
                return Drawn("constant", 0.0, float(args[-1]))
            case "gt" | "lt" | "ge" | "le" | "bernoulli":
                return Drawn("integers", low=0, high=1)
            case "softmax" | "_softmax" | "sigmoid":
                return Drawn("uniform", 0.98, 0.01)
            case _:
                return self._changed(name, args)

    def _changed(self, name: str, args: tuple[Any, ...]) -> Drawn | None:
        """Of an operator on a tensor that was drawn."""
        tensors = [one for one in args[:2] if hasattr(one, "dim") and one in self._known]
        if not tensors:
            return None
        known = self._known[tensors[0]]
        numbers = [one for one in args[:2] if isinstance(one, int | float)]
        if not numbers:
            return known if name in _SAME else None
        number = float(numbers[0])
        match name:
            case "mul":
                return replace(known, scale=known.scale * number, shift=known.shift * number)
            case "div":
                return (
                    replace(known, scale=known.scale / number, shift=known.shift / number) if number else None
                )
            case "add":
                return replace(known, shift=known.shift + number)
            case "sub":
                return replace(known, shift=known.shift - number)
            case "rsub":
                return replace(known, scale=-known.scale, shift=number - known.shift)
            case _:
                return known if name in _SAME else None
