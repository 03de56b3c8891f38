"""What the device runtime provides: printf and assert (CUDA C++ Programming Guide, "Formatted Output")."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from sandbox.device import Array
from sandbox.simulator.decode.code import Jump
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.memory import GLOBAL_BASE, LOCAL_BASE
from sandbox.simulator.machine.state import Machine
from sandbox.simulator.ptx.types import TYPES
from sandbox.verdict import Verdict

PRINT_LIMIT = 64 * 1024
_LINES = 1024
_STRING = 4096
_SHOWN = 200
_WIDEST = 1024
_SPEC = re.compile(r"%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d*))?(hh|h|ll|l|z|t|j)?([diouxXeEfFgGaAcsp%])")
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
    machine.pass_argument((jump.call.results[0], 0), np.zeros((1, 1, 1), dtype=np.int32))
    if _full(machine.printed):
        return
    names = jump.call.arguments
    formats = _lane_values(machine, machine.argument(names[0], 0, _U64))
    buffers = _lane_values(machine, machine.argument(names[1], 0, _U64))
    active = np.argwhere(np.moveaxis(np.broadcast_to(machine.active, machine.shape), 2, 0))
    for (block, row, column), text, buffer in zip(active, formats, buffers, strict=True):
        if _full(machine.printed):
            break
        stack = machine.local
        start = int(buffer) - LOCAL_BASE
        data = stack[start:, row, column, block].tobytes() if stack is not None and start >= 0 else b""
        machine.printed.append(_format(machine, _string(machine, int(text)), data))


def _full(printed: list[str]) -> bool:
    return len(printed) >= _LINES or sum(map(len, printed)) >= PRINT_LIMIT


def _format(machine: Machine, text: str, data: bytes) -> str:
    """Fill in a format; whatever it says, the result is text of at most `PRINT_LIMIT` characters."""
    position, room = 0, PRINT_LIMIT

    def take(size: int) -> bytes:
        nonlocal position
        position = -(-position // size) * size
        piece = data[position : position + size].ljust(size, b"\0")
        position += size
        return piece

    def number(given: str | None) -> int | None:
        """A width or precision: none, in the format, or the next argument."""
        if given is None:
            return None
        return int.from_bytes(take(4), "little", signed=True) if given == "*" else int(given[-9:] or 0)

    def replace(match: re.Match[str]) -> str:
        nonlocal room
        flags, width, precision, length, kind = match.groups()
        if kind == "%" or room <= 0:
            return "%" if kind == "%" else ""
        spec = _python_spec(flags, number(width), number(precision), kind)
        if kind in "eEfFgGaA":
            value = float(np.frombuffer(take(8), dtype=np.float64)[0])
            shown = value.hex() if kind in "aA" else spec % value
        elif kind == "s":
            shown = spec % _string(machine, int.from_bytes(take(8), "little"))
        elif kind == "p":
            shown = f"{int.from_bytes(take(8), 'little'):#x}"
        else:
            size = 8 if length in {"ll", "l", "z", "t", "j"} else 4
            whole = int.from_bytes(take(size), "little", signed=kind in "di")
            shown = spec % (chr(whole & 0xFF) if kind == "c" else whole)
        room -= len(shown)
        return shown

    return _SPEC.sub(replace, text)[:PRINT_LIMIT]


def _python_spec(flags: str, width: int | None, precision: int | None, kind: str) -> str:
    """The same conversion for Python; widths and precisions are bounded, since they may be any number."""
    spec = "%" + flags
    if width is not None:
        spec += "-" * (width < 0) + str(min(abs(width), _WIDEST))
    if precision is not None and precision >= 0:
        spec += f".{min(precision, _WIDEST)}"
    return spec + {"u": "d"}.get(kind, kind)


def _assert_failed(machine: Machine, jump: Jump) -> None:
    assert jump.call is not None
    names = jump.call.arguments
    message = _string(machine, int(_lane_values(machine, machine.argument(names[0], 0, _U64))[0]))
    line = int(_lane_values(machine, machine.argument(names[2], 0, _S32))[0])
    shown = message[:_SHOWN].encode("unicode_escape").decode()  # the kernel may pass any text
    what = f"assertion `{shown}` failed at line {line}"
    raise FaultError(machine.batch.fault(Verdict.MEMORY_FAULT, what, jump.instruction, machine.active))


BUILTINS: dict[str, Callable[[Machine, Jump], None]] = {"vprintf": _vprintf, "__assertfail": _assert_failed}
