"""Tensors that the code holds, as NumPy writes them: triangles, steps, one number everywhere, or a few numbers."""

from __future__ import annotations

from typing import Any

import numpy

from agent.importing.translation import number
from sandbox.device import Array

np: Any = numpy
_FEW = 256


def constant_text(values: Array) -> str | None:
    """Return an expression for the values; None where they have no simple form."""
    if values.size == 0:
        return None
    if values.ndim == 0:
        return f"np.array({_number(values)})"
    if (values == values.flat[0]).all():
        return f"np.full({values.shape}, {_number(values.flat[0])}{_kind(values)})"
    for write in (_triangle, _identity, _steps):
        text = write(values)
        if text is not None:
            return text
    if values.size <= _FEW:
        listed = repr(values.tolist()).replace("inf", "np.inf").replace("nan", "np.nan")
        return f"np.array({listed}{_kind(values)})"
    return None


def _number(value: Any) -> str:
    plain = value.item()
    return str(plain) if isinstance(plain, bool) else number(plain)


def _kind(values: Array) -> str:
    return (
        ""
        if values.dtype.kind == "f"
        else f", dtype=np.{'bool_' if values.dtype.kind == 'b' else values.dtype}"
    )


def _shaped(text: str, shape: tuple[int, ...], written: tuple[int, ...]) -> str:
    return text if shape == written else f"{text}.reshape({', '.join(map(str, shape))})"


def _triangle(values: Array) -> str | None:
    if values.ndim < 2 or values.size != values.shape[-1] * values.shape[-2]:
        return None
    flat = values.reshape(values.shape[-2:])
    rows, cols = flat.shape
    corners = flat[-1, 0], flat[0, -1]
    if corners[0] == corners[1] or len(np.unique(flat)) != 2:
        return None
    for name, inside, outside in (("tril", *corners), ("triu", *corners[::-1])):
        for offset in (0, -1 if name == "tril" else 1):
            mask = getattr(np, name)(np.ones((rows, cols), dtype=bool), offset)
            if (np.where(mask, inside, outside) == flat).all():
                kept = f"np.{name}(np.ones(({rows}, {cols}), dtype=bool){f', {offset}' if offset else ''})"
                if values.dtype.kind != "b" or not inside:
                    kept = f"np.where({kept}, {_number(inside)}, {_number(outside)})"
                return _shaped(kept, values.shape, (rows, cols))
    return None


def _identity(values: Array) -> str | None:
    square = values.ndim == 2 and values.shape[0] == values.shape[1]
    return f"np.eye({values.shape[0]})" if square and (values == np.eye(values.shape[0])).all() else None


def _steps(values: Array) -> str | None:
    flat = values.reshape(-1)
    if values.dtype.kind == "b" or flat.size < 3 or max(values.shape) != flat.size:
        return None
    step = flat[1] - flat[0]
    if not (flat == flat[0] + step * np.arange(flat.size)).all():
        return None
    text = f"np.arange({flat.size})"
    text = text if step == 1 else f"{_number(step)} * {text}"
    text = text if flat[0] == 0 else f"({_number(flat[0])} + {text})"
    text = f"({text})" if step != 1 and flat[0] == 0 else text
    return _shaped(text, values.shape, (flat.size,))
