"""Where the elements of a matrix lie in the registers of a warp, and how registers turn into matrices.

One formula gives every fragment of `mma.sync` except the four quad pairs of `m8n8k4` on f16 (PTX ISA 9.0,
section 9.7.14.5): lane `l` is `g = l / 4` and `t = l % 4`, a 32-bit register packs `p` elements along k, and a
fragment is tiled by blocks of 8 lines (of A or of columns of B) and `4 * p` steps of k. `wmma` fragments are
opaque (section 9.7.14.4); here they are the same formula over larger shapes, and where a fragment has more
registers than the matrix needs, the later ones repeat the earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sandbox.device import Array
from sandbox.simulator.machine.lanes import WARP

_LANE = np.arange(WARP, dtype=np.int64)
_GROUP, _IN_GROUP = _LANE // 4, _LANE % 4


@dataclass(frozen=True)
class Fragment:
    """One matrix in the registers of a warp.

    Attributes:
        rows, columns: Of the matrix.
        place: int64, shape (32, elements): `row * columns + column` of every element that a lane holds.
        lanes: int64, shape (rows * columns,): `lane * elements + element` of every place.
        matrices: Matrices side by side in one fragment: 4 for quad pairs, else 1.
    """

    rows: int
    columns: int
    place: Array
    lanes: Array
    matrices: int = 1

    @property
    def elements(self) -> int:
        """Elements a lane holds, each once."""
        return self.place.shape[1]


def _fragment(rows: int, columns: int, row: Array, column: Array, which: Array | None = None) -> Fragment:
    number = 0 if which is None else which
    place = np.broadcast_to(
        (number * rows + row) * columns + column, np.broadcast_shapes(row.shape, column.shape)
    )
    lanes = np.empty(place.size, dtype=np.int64)
    lanes[place.reshape(-1)] = np.arange(place.size)
    return Fragment(rows, columns, place, lanes, 1 if which is None else 4)


@lru_cache(maxsize=64)
def left(m: int, k: int, packed: int) -> Fragment:
    """A, m by k, `packed` elements a register (9.7.14.5.7 to 9.7.14.5.12, "matrix A")."""
    e = np.arange(m * k // WARP, dtype=np.int64)
    register, part, blocks = e // packed, e % packed, m // 8
    column = _IN_GROUP[:, None] * packed + part + 4 * packed * (register // blocks)
    return _fragment(m, k, _GROUP[:, None] + 8 * (register % blocks), column)


@lru_cache(maxsize=64)
def right(k: int, n: int, packed: int) -> Fragment:
    """B, k by n: as A transposed, but registers count steps of k first."""
    e = np.arange(k * n // WARP, dtype=np.int64)
    steps = k // (4 * packed)
    register, part = e // packed, e % packed
    row = _IN_GROUP[:, None] * packed + part + 4 * packed * (register % steps)
    return _fragment(k, n, row, _GROUP[:, None] + 8 * (register // steps))


@lru_cache(maxsize=64)
def accumulator(m: int, n: int) -> Fragment:
    """C and D, m by n: pairs of neighbouring columns, blocks of 8 rows first, then of 8 columns."""
    e = np.arange(m * n // WARP, dtype=np.int64)
    pair, blocks = e // 2, m // 8
    column = 2 * _IN_GROUP[:, None] + e % 2 + 8 * (pair // blocks)
    return _fragment(m, n, _GROUP[:, None] + 8 * (pair % blocks), column)


def _quad_pair() -> tuple[Array, Array]:
    """Lanes 4q to 4q+3 and 16 above them compute matrix q: (q, 0 to 7 within it), both shape (32, 1)."""
    return (_LANE // 4 % 4)[:, None], (_LANE % 4 + 4 * (_LANE // 16))[:, None]


@lru_cache(maxsize=4)
def quad_left(order: str) -> Fragment:
    """A of `m8n8k4` on f16 (9.7.14.5.1): four 8 by 4 matrices, by row or by column."""
    which, lane = _quad_pair()
    e = np.arange(4, dtype=np.int64)
    row, column = (lane, e) if order == "row" else (e + 4 * (lane // 4), lane % 4)
    return _fragment(8, 4, row, column, which)


@lru_cache(maxsize=4)
def quad_right(order: str) -> Fragment:
    """B of `m8n8k4` on f16: four 4 by 8 matrices."""
    which, lane = _quad_pair()
    e = np.arange(4, dtype=np.int64)
    row, column = (lane % 4, e + 4 * (lane // 4)) if order == "row" else (e, lane)
    return _fragment(4, 8, row, column, which)


@lru_cache(maxsize=4)
def quad_accumulator(kind: str) -> Fragment:
    """C and D of `m8n8k4` on f16: a row a lane in f16; 2 by 2 tiles in f32."""
    which, lane = _quad_pair()
    e = np.arange(8, dtype=np.int64)
    if kind == "f16":
        return _fragment(8, 8, lane, e, which)
    row = (lane & 1) + (e & 2) + (lane & 4)
    return _fragment(8, 8, row, (e & 1) + (lane & 2) + (e & 4), which)
