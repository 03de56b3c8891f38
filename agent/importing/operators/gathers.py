"""What reads at indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.importing.translation import Operand, Translator, operator


@operator("embedding")
def embedding(t: Translator, table: Operand, indices: Operand, *settings: Any) -> str:
    """Rows of a table."""
    return f"{table}[{indices}]"


@operator("index_select")
def index_select(t: Translator, x: Operand, dim: int, indices: Operand) -> str:
    """Some of an axis."""
    return f"np.take({x}, {indices}, axis={x.axis(dim)})"


@operator("gather")
def gather(t: Translator, x: Operand, dim: int, indices: Operand, *settings: Any, **words: Any) -> str:
    """An element for each index, along an axis."""
    return f"np.take_along_axis({x}, {indices}, axis={x.axis(dim)})"


@operator("index")
def index(t: Translator, x: Operand, indices: Sequence[Operand | None]) -> str:
    """At indices of several axes."""
    return f"{x}[{', '.join(':' if one is None else str(one) for one in indices)}]"


@operator("one_hot")
def one_hot(t: Translator, x: Operand, classes: Any = -1) -> str:
    """1 at the class."""
    if classes == -1:
        raise t.refuse("how many classes there are depends on values")
    return f"({x}[..., None] == np.arange({classes})).astype(np.int64)"
