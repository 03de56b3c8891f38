"""A table of whole numbers that grows: one array a column."""

from __future__ import annotations

import numpy as np

from sandbox.device import Array


class Columns:
    """Rows of int64 under names.

    Args:
        names: Of the columns.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._data = {name: np.zeros(64, np.int64) for name in names}
        self._size = 0
        self._order: dict[str, tuple[Array, Array]] = {}

    def __len__(self) -> int:
        return self._size

    def append(self, *values: Array) -> Array:
        """Add rows, one array a column; their numbers."""
        count = len(values[0])
        room = len(self._data[self._names[0]])
        while self._size + count > room:
            room *= 2
        for name, value in zip(self._names, values, strict=True):
            if room > len(self._data[name]):
                grown = np.zeros(room, np.int64)
                grown[: self._size] = self._data[name][: self._size]
                self._data[name] = grown
            self._data[name][self._size : self._size + count] = value
        self._size += count
        self._order.clear()
        return np.arange(self._size - count, self._size)

    def drop(self, count: int) -> None:
        """Forget the first rows; the numbers of the others change."""
        for name in self._names:
            self._data[name] = np.concatenate([self._data[name][count:], np.zeros(count, np.int64)])
        self._size -= count
        self._order.clear()

    def get(self, name: str, rows: Array | int) -> Array:
        """Values of a column."""
        found: Array = self._data[name][rows]
        return found

    def with_value(self, name: str, value: int) -> Array:
        """The rows in which a column has a value, in their order."""
        if name not in self._order:
            held = self._data[name][: self._size]
            order = np.argsort(held, kind="stable")
            self._order[name] = order, held[order]
        order, held = self._order[name]
        return order[np.searchsorted(held, value, "left") : np.searchsorted(held, value, "right")]
