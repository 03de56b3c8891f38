"""The text of a reference that was drafted from a kernel: what stands around the kernel's own statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tools.tasks.c_expressions import Kind

TAKEN = frozenset(
    {
        *("np", "erf", "erfc", "load", "store", "lane", "on", "grid_x", "grid_y"),
        *("block_x", "block_y", "thread_x", "thread_y"),
    }
)
"""Names that a reference has already."""
_OF_KIND: Mapping[Kind, str] = {"float": "", "int": ", np.int64", "bool": ", np.bool_"}
_WHOLE = """\
\"\"\"What {kernel} computes, drafted from its own code.

It says what the kernel does. Read it, and write what it should do where that is something else.
\"\"\"

import numpy as np
{special}

def reference({given}):
"""
_HEAD = """\
\"\"\"What {kernel} computes, drafted from its own code: a thread is a lane of an array.

It says what the kernel does. Read it, and write what it should do where that is something else.
\"\"\"

import numpy as np
{special}

def load(buffer, index, on):
    return buffer[np.where(on, index, 0)]


def store(buffer, index, value, on):
    index, value, on = np.broadcast_arrays(index, value, on)
    buffer[index[on]] = value[on]


def reference({given}):
"""


@dataclass(frozen=True)
class CParameter:
    """A parameter: its name in C and in the task, and what its numbers are."""

    name: str
    task_name: str
    pointer: bool
    kind: Kind
    shape: tuple[str, ...] = ()
    constant: bool = False


def reference_text(
    kernel: str,
    parameters: Sequence[CParameter],
    read: frozenset[str],
    launch: tuple[Sequence[str], Sequence[int]],
    body: Sequence[str],
) -> str:
    """Return reference.py.

    Args:
        kernel: Whose it is.
        parameters: In order.
        read: Names of the buffers that are written and read.
        launch: Blocks along x and y as Python, and threads of a block.
        body: The kernel's statements, indented.
    """
    written, taken = _written(parameters), _taken(parameters, read)
    head = _head(_HEAD, kernel, parameters, read, body)
    flat = [f"{name} = np.array({name}).ravel()" for name in taken]
    flat += [
        f"{one.task_name} = np.zeros({' * '.join(one.shape)}{_OF_KIND[one.kind]})"
        for one in written
        if one.task_name not in read
    ]
    answer = ", ".join(
        f'"{one.task_name}": {one.task_name}.reshape({", ".join(one.shape)})' for one in written
    )
    around = "".join(f"    {line}\n" for line in (*flat, *_lanes(*launch)))
    return "".join([head, around, *(f"{line}\n" for line in body), f"    return {{{answer}}}\n"])


def whole_array_text(
    kernel: str, parameters: Sequence[CParameter], read: frozenset[str], elements: str, body: Sequence[str]
) -> str:
    """Return reference.py of a kernel that is arithmetic on whole arrays.

    Args:
        kernel: Whose it is.
        parameters: In order.
        read: Names of the buffers that are written and read.
        elements: How many elements there are, an expression in the dims; empty where no line counts them.
        body: The kernel's statements, indented.
    """
    shapes = {one.task_name: one.shape for one in parameters}
    lines = [f"{name} = {name}.reshape(-1)" for name in _taken(parameters, read) if len(shapes[name]) != 1]
    lines += [f"lane = np.arange({elements})"] if elements else []
    answers = [f'"{one.task_name}": {one.task_name}{_reshaped(one.shape)}' for one in _written(parameters)]
    around = "".join(f"    {line}\n" for line in lines)
    head = _head(_WHOLE, kernel, parameters, read, body)
    return "".join([head, around, *(f"{line}\n" for line in body), f"    return {{{', '.join(answers)}}}\n"])


def _reshaped(shape: Sequence[str]) -> str:
    return f".reshape({', '.join(shape)})" if len(shape) != 1 else ""


def _written(parameters: Sequence[CParameter]) -> list[CParameter]:
    return [one for one in parameters if one.pointer and not one.constant]


def _taken(parameters: Sequence[CParameter], read: frozenset[str]) -> list[str]:
    return [one.task_name for one in parameters if one.pointer and (one.constant or one.task_name in read)]


def _head(
    template: str, kernel: str, parameters: Sequence[CParameter], read: frozenset[str], body: Sequence[str]
) -> str:
    numbers = [one.task_name for one in parameters if not one.pointer]
    special = sorted(name for name in ("erf", "erfc") if any(f"{name}(" in line for line in body))
    return template.format(
        kernel=kernel,
        given=", ".join([*_taken(parameters, read), *numbers]),
        special=f"from special import {', '.join(special)}\n" if special else "",
    )


def _lanes(grid: Sequence[str], block: Sequence[int]) -> list[str]:
    if len(block) == 1:
        return [
            f"grid_x = {grid[0]}",
            f"lane = np.arange(grid_x * {block[0]})",
            f"block_x, thread_x = lane // {block[0]}, lane % {block[0]}",
            "on = np.full(lane.shape, True)",
        ]
    across, down = block
    return [
        f"grid_x, grid_y = {grid[0]}, {grid[1]}",
        f"lane = np.arange(grid_x * grid_y * {across * down})",
        f"block_x, block_y = lane // {across * down} % grid_x, lane // {across * down} // grid_x",
        f"thread_x, thread_y = lane % {across}, lane // {across} % {down}",
        "on = np.full(lane.shape, True)",
    ]
