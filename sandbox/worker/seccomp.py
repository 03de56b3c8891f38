"""A filter on system calls: what a worker's code may ask of the kernel, under every isolation.

It needs no privileges and cannot be taken off again (Linux, Documentation/userspace-api/seccomp_filter.rst).
What is refused fails with EPERM. Calls that are not named in `sandbox.worker.system_calls` are allowed; of
arguments the low 32 bits are compared, which is all that the kernel reads of these.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform

from sandbox.worker import system_calls
from sandbox.worker.system_calls import BY_ARGUMENT, Table, number

_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
"""Calls of x86-64's other, 32-bit interface start here; they would have numbers of their own."""

_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_ERRNO = 0x00050000
_REFUSE = _ERRNO | errno.EPERM
_MISSING = _ERRNO | errno.ENOSYS
"""For calls whose flags lie in memory, where a filter cannot read them: libraries then use the older call."""

# Classic BPF, linux/bpf_common.h; offsets in struct seccomp_data, linux/seccomp.h.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

_WRITE_FLAGS = (
    os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | (os.O_TMPFILE & ~os.O_DIRECTORY)
)
_CLONE_THREAD = 0x00010000
_STARTING = ("fork", "vfork", "execve")
_PRCTL_REFUSED = (1, 4, 35, 0x59616D61)
"""PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_MM, PR_SET_PTRACER."""

_FCNTL_REFUSED = (8, 10, 15)
"""F_SETOWN, F_SETSIG, F_SETOWN_EX: a descriptor could be made to signal any process of the user."""

_IOCTL_REFUSED = (0x8901, 0x8902, 0x5412, 0x541C, 0x540E)
"""FIOSETOWN and SIOCSPGRP, as above; TIOCSTI, TIOCLINUX and TIOCSCTTY, which type at a terminal or take it."""

_IOCTL_NEEDED = (0x5401, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: what Python asks; a worker without devices has no use for others."""

Instruction = tuple[int, int, int, int]
"""Operation, instructions to skip where the test holds, where it does not, and the constant."""


class _Instruction(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32)
    ]  # fmt: skip


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Instruction))]


def install(*, threads: bool, writes: bool, programs: bool = False) -> None:
    """Put the filter on this thread and all that it starts; no_new_privs must be set.

    Args:
        threads: Threads may be started.
        writes: Files and devices may be opened for writing, files made, renamed and removed.
        programs: Processes and other programs may be started; the filter is theirs too.

    Raises:
        OSError: The kernel has no such filters, or the processor's calls are not known.
    """
    instructions = program(os.getpid(), threads=threads, writes=writes, programs=programs)
    code = (_Instruction * len(instructions))(*instructions)
    described = _Program(len(instructions), code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(described), 0, 0):
        raise OSError(
            ctypes.get_errno(), "the kernel takes no filter on system calls (CONFIG_SECCOMP_FILTER)"
        )


def program(pid: int, *, threads: bool, writes: bool, programs: bool = False) -> list[Instruction]:
    """Return the filter for the process `pid` of this machine; arguments as for `install`.

    Raises:
        OSError: The processor's calls are not known.
    """
    body = [
        *_on("clone3", _answer(_MISSING)),
        *_on("openat2", _answer(_MISSING)),
        *_on("clone", _clone(threads=threads, programs=programs)),
        *_on("prlimit64", _if_equal(0, (0, pid), _ALLOW, _REFUSE)),
        *_on("prctl", _if_equal(0, _PRCTL_REFUSED, _REFUSE, _ALLOW)),
        *_on("fcntl", _if_equal(1, _FCNTL_REFUSED, _REFUSE, _ALLOW)),
    ]
    for name in ("kill", "tkill", "tgkill"):
        body += _on(name, _if_equal(0, (pid,), _ALLOW, _REFUSE))
    if programs:
        for name in _STARTING:
            body += _on_number(number(system_calls.PROCESSES[name]), _answer(_ALLOW))
    refused: list[Table] = [
        system_calls.SOCKETS, system_calls.PROCESSES, system_calls.SIGNALS, system_calls.OTHER_PROCESSES,
        system_calls.SHARED_MEMORY, system_calls.KERNEL,
    ]  # fmt: skip
    if writes:
        body += _on("ioctl", _if_equal(1, _IOCTL_REFUSED, _REFUSE, _ALLOW))
    else:
        body += _on("ioctl", _if_equal(1, _IOCTL_NEEDED, _ALLOW, _REFUSE))
        body += _on("open", _if_bits(1, _WRITE_FLAGS, _REFUSE, _ALLOW))
        body += _on("openat", _if_bits(2, _WRITE_FLAGS, _REFUSE, _ALLOW))
        refused.append(system_calls.WRITING)
    for table in refused:
        for numbers in table.values():
            body += _on_number(number(numbers), _answer(_REFUSE))
    return [*_preamble(), *body, *_answer(_ALLOW)]


def _clone(*, threads: bool, programs: bool) -> list[Instruction]:
    if programs:
        return _answer(_ALLOW)
    return _if_bits(0, _CLONE_THREAD, _ALLOW, _REFUSE) if threads else _answer(_REFUSE)


def _preamble() -> list[Instruction]:
    machine = platform.machine()
    checked = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        *_answer(_KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    return [*checked, (_AT_LEAST, 0, 1, _X32), *_answer(_REFUSE)] if machine == "x86_64" else checked


def _on(name: str, then: list[Instruction]) -> list[Instruction]:
    return _on_number(number(BY_ARGUMENT[name]), then)


def _on_number(called: int | None, then: list[Instruction]) -> list[Instruction]:
    """Do `then`, which ends the filter, where this call is made; else go on."""
    return [] if called is None else [(_EQUAL, 0, len(then), called), *then]


def _if_equal(argument: int, values: tuple[int, ...], then: int, otherwise: int) -> list[Instruction]:
    count = len(values)
    tests = [(_EQUAL, count - index, 0, value) for index, value in enumerate(values)]
    return [(_LOAD, 0, 0, _ARGUMENTS + 8 * argument), *tests, *_answer(otherwise), *_answer(then)]


def _if_bits(argument: int, bits: int, then: int, otherwise: int) -> list[Instruction]:
    test = (_ANY_BIT, 1, 0, bits)
    return [(_LOAD, 0, 0, _ARGUMENTS + 8 * argument), test, *_answer(otherwise), *_answer(then)]


def _answer(value: int) -> list[Instruction]:
    return [(_RETURN, 0, 0, value)]
