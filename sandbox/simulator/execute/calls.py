"""Calls of device functions: one activation for each path of calls, shared by the lanes that took it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sandbox.device import Array
from sandbox.simulator.decode.code import BasicBlock, Code, Jump
from sandbox.simulator.execute.launching import LaunchSetup
from sandbox.simulator.execute.printing import BUILTINS
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.lanes import EVERYONE
from sandbox.simulator.machine.local import LIMIT
from sandbox.simulator.machine.state import Activation, Machine
from sandbox.simulator.ptx.types import U64
from sandbox.verdict import Verdict

MAX_DEPTH = 128
DEFAULT_STACK = 1024
"""Bytes of stack of a thread where calls leave open how much it needs (CUDA Runtime API, `cudaLimitStackSize`).

What a kernel needs is reserved where the compiler can tell; of recursion and of calls through pointers it cannot.
"""
_LEAST_FRAME = 16
"""A function that calls keeps at least where to return to, in a frame that is a multiple of 16 bytes."""

Mask = Array | None


class CallStack:
    """The activations of one batch. Frame 0 is the kernel."""

    def __init__(self, setup: LaunchSetup, machine: Machine) -> None:
        self.frames: list[Activation] = [machine.activation]
        self._codes: list[Code] = [setup.code]
        self._parents: list[tuple[int, Jump] | None] = [None]
        self._by_path: dict[tuple[int, int, str], int] = {}
        self._open: list[int | None] = [None]
        self._setup = setup
        self._machine = machine
        self._by_address = {
            address: name
            for name, address in setup.loaded.function_addresses(machine.windows.functions).items()
        }

    def block(self, frame: int, index: int) -> BasicBlock:
        """A basic block of the function that a frame runs."""
        return self._codes[frame].blocks[index]

    def enter(self, frame: int, jump: Jump, mask: Mask) -> Iterator[tuple[int | None, Mask]]:
        """Call: the frame to go on in and the lanes that do; None for a built-in that has already returned.

        Raises:
            FaultError: The target is no function, or the stack is too deep.
        """
        assert jump.call is not None
        if jump.call.target is not None:
            yield self._enter_named(frame, jump, jump.call.target, mask), mask
            return
        assert jump.call.pointer is not None
        pointer = self._machine.registers[jump.call.pointer].view(U64)
        active = EVERYONE if mask is None else mask
        lanes = np.broadcast_to(active, np.broadcast_shapes(active.shape, pointer.shape))
        for address in np.unique(np.broadcast_to(pointer, lanes.shape)[lanes]):
            chosen = (pointer == address) & active
            name = self._by_address.get(int(address))
            if name is None:
                what = f"call through a pointer to {int(address):#x}, which is no function"
                raise FaultError(
                    self._machine.batch.fault(Verdict.MEMORY_FAULT, what, jump.instruction, chosen)
                )
            yield self._enter_named(frame, jump, name, chosen), chosen

    def leave(self, frame: int, mask: Mask) -> tuple[int, int]:
        """Return: copy the results to the caller; its frame and the block to go on with."""
        parent = self._parents[frame]
        assert parent is not None
        caller, jump = parent
        assert jump.call is not None
        names = [parameter.name for parameter in self._codes[frame].function.results]
        renamed = dict(zip(names, jump.call.results, strict=False))
        self._copy(self.frames[frame], self.frames[caller], renamed, mask)
        return caller, jump.targets[-1]

    def _enter_named(self, frame: int, jump: Jump, name: str, mask: Mask) -> int | None:
        assert jump.call is not None
        if name in BUILTINS:
            self._machine.mask = mask
            BUILTINS[name](self._machine, jump)
            return None
        if name not in self._setup.loaded.module.functions:
            what = f"the simulator has no function {name}, which is called here"
            raise FaultError(self._machine.batch.fault(Verdict.UNSUPPORTED, what, jump.instruction))
        callee = self._frame_for(frame, jump, name)
        names = [parameter.name for parameter in self._codes[callee].function.parameters]
        renamed = dict(zip(jump.call.arguments, names, strict=False))
        self._copy(self.frames[frame], self.frames[callee], renamed, mask)
        return callee

    def _frame_for(self, frame: int, jump: Jump, name: str) -> int:
        """The activation for this call path; lanes that come later along the same path share it."""
        path = (frame, id(jump), name)
        if path not in self._by_path:
            caller = self.frames[frame]
            code = self._setup.loaded.function(name)
            base = caller.local_base + -(-self._codes[frame].local_bytes // 16) * 16
            stack = self._stack(frame, jump, name)
            if (
                caller.depth + 1 > MAX_DEPTH
                or base + code.local_bytes > LIMIT
                or (stack or 0) > DEFAULT_STACK
            ):
                need = max(stack or 0, base + code.local_bytes)
                what = f"stack overflow: calls {caller.depth + 1} deep, at least {need} bytes of stack"
                what += f"; a thread has {DEFAULT_STACK} for calls that nobody can foresee" if stack else ""
                raise FaultError(self._machine.batch.fault(Verdict.RESOURCE_LIMIT, what, jump.instruction))
            self._open.append(stack)
            self._machine.local_bytes = max(self._machine.local_bytes, base + code.local_bytes)
            self._by_path[path] = len(self.frames)
            self.frames.append(self._setup.activation(code, self._machine.specials, base, caller.depth + 1))
            self._codes.append(code)
            self._parents.append((frame, jump))
        return self._by_path[path]

    def _stack(self, frame: int, jump: Jump, name: str) -> int | None:
        """Bytes of all frames with that of a call, at least; None where the compiler can tell what calls need."""
        assert jump.call is not None
        frames: list[int] = []
        at: int | None = frame
        while at is not None:
            frames.append(at)
            parent = self._parents[at]
            at = parent[0] if parent is not None else None
        foreseen = self._open[frame] is None and jump.call.target is not None
        if foreseen and all(self.frames[n].function != name for n in frames):
            return None
        sizes = [self._codes[n].local_bytes for n in frames]
        return (
            sum(max(-(-size // 16) * 16, _LEAST_FRAME) for size in sizes)
            + self._setup.loaded.function(name).local_bytes
        )

    @staticmethod
    def _copy(source: Activation, target: Activation, renamed: dict[str, str], mask: Mask) -> None:
        for (name, offset), value in source.arguments.copy().items():
            if name not in renamed:
                continue
            key = (renamed[name], offset)
            old = target.arguments.get(key)
            if mask is not None and old is not None and old.dtype == value.dtype:
                value = np.where(mask, value, old)
            target.arguments[key] = value
