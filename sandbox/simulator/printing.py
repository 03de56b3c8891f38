"""What the device runtime provides: printf and assert (CUDA C++ Programming Guide, "Formatted Output")."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from sandbox.device import Array
from sandbox.simulator.code import Jump
from sandbox.simulator.faults import FaultError
from sandbox.simulator.instructions.loads import argument
from sandbox.simulator.machine import Machine
from sandbox.simulator.memory import GLOBAL_BASE, LOCAL_BASE
from sandbox.simulator.ptx.types import TYPES
from sandbox.verdict import Verdict

PRINT_LIMIT = 64 * 1024
_LINES = 1024
_STRING = 4096
_SPEC = re.compile(r"%[-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(hh|h|ll|l|z|t|j)?([diouxXeEfFgGaAcsp%])")
_U64, _S32 = TYPES["u64"], TYPES["s32"]


def _lane_values(machine: Machine, value: Array) -> Array:
    """The value in each active lane, in order of block and thread."""
    active = np.moveaxis(np.broadcast_to(machine.active, machine.shape), 2, 0)
    return np.moveaxis(np.broadcast_to(value, machine.shape), 2, 0)[active]


def _string(machine: Machine, address: int) -> str:
    offset = address - GLOBAL_BASE
    if not 0 <= offset < machine.arena.bytes.size:
        return "(null)"
    data = machine.arena.bytes[offset : offset + _STRING].tobytes()
    return data.split(b"\0", 1)[0].decode(errors="replace")


def _vprintf(machine: Machine, jump: Jump) -> None:
    """Format each active lane's arguments; lanes beyond the bound are dropped, as a full FIFO drops them."""
    assert jump.call is not None
    if len(machine.printed) >= _LINES:
        return
    names = jump.call.arguments
    formats = _lane_values(machine, argument(machine, names[0], 0, _U64))
    buffers = _lane_values(machine, argument(machine, names[1], 0, _U64))
    active = np.argwhere(np.moveaxis(np.broadcast_to(machine.active, machine.shape), 2, 0))
    for (block, row, column), text, buffer in zip(active, formats, buffers, strict=True):
        if len(machine.printed) >= _LINES:
            break
        stack = machine.local
        start = int(buffer) - LOCAL_BASE
        data = stack[start:, row, column, block].tobytes() if stack is not None and start >= 0 else b""
        machine.printed.append(_format(machine, _string(machine, int(text)), data))
    machine.pass_argument((jump.call.results[0], 0), np.zeros((1, 1, 1), dtype=np.int32))


def _format(machine: Machine, text: str, data: bytes) -> str:
    position = 0

    def take(size: int) -> bytes:
        nonlocal position
        position = -(-position // size) * size
        piece = data[position : position + size].ljust(size, b"\0")
        position += size
        return piece

    def replace(match: re.Match[str]) -> str:
        length, kind = match[1] or "", match[2]
        if kind == "%":
            return "%"
        spec = re.sub(r"(hh|h|ll|l|z|t|j)", "", match[0])
        while "*" in spec:
            spec = spec.replace("*", str(int.from_bytes(take(4), "little", signed=True)), 1)
        if kind in "eEfFgGaA":
            value = float(np.frombuffer(take(8), dtype=np.float64)[0])
            return value.hex() if kind in "aA" else spec % value
        if kind == "s":
            return spec % _string(machine, int.from_bytes(take(8), "little"))
        if kind == "p":
            return f"{int.from_bytes(take(8), 'little'):#x}"
        size = 8 if length in {"ll", "l", "z", "t", "j"} else 4
        number = int.from_bytes(take(size), "little", signed=kind in "di")
        return spec.replace("u", "d") % (chr(number & 0xFF) if kind == "c" else number)

    return _SPEC.sub(replace, text)


def _assert_failed(machine: Machine, jump: Jump) -> None:
    assert jump.call is not None
    names = jump.call.arguments
    message = _string(machine, int(_lane_values(machine, argument(machine, names[0], 0, _U64))[0]))
    line = int(_lane_values(machine, argument(machine, names[2], 0, _S32))[0])
    what = f"assertion `{message}` failed at line {line}"
    raise FaultError(machine.place.fault(Verdict.MEMORY_FAULT, what, jump.instruction, machine.active))


BUILTINS: dict[str, Callable[[Machine, Jump], None]] = {"vprintf": _vprintf, "__assertfail": _assert_failed}
