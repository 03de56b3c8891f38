from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from sandbox.worker import seccomp, system_calls

HEADERS = (Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm-generic/unistd.h"))
TABLES = [
    table for table in vars(system_calls).values() if isinstance(table, dict) and "__name__" not in table
]


@pytest.mark.parametrize("column", [0, 1], ids=system_calls.MACHINES)
def test_the_numbers_are_those_of_the_systems_headers(column: int) -> None:
    if not HEADERS[column].exists():
        pytest.skip(f"no {HEADERS[column]}")
    text = HEADERS[column].read_text()
    known = {name: int(value) for name, value in re.findall(r"#define\s+__NR(?:3264)?_(\w+)\s+(\d+)", text)}
    compared = 0
    for table in TABLES:
        for name, numbers in table.items():
            if name in known or numbers[column] is None:
                assert numbers[column] == known.get(name), name
                compared += 1
    assert compared > 90


def run(
    filter_program: list[seccomp.Instruction], called: int, arguments: Mapping[int, int], machine: int
) -> int:
    """Interpret the filter as the kernel does; return its answer."""
    data = {0: called, 4: machine} | {16 + 8 * index: value for index, value in arguments.items()}
    accumulator, at = 0, 0
    for _ in range(len(filter_program)):
        code, hit, miss, constant = filter_program[at]
        at += 1
        match code:
            case 0x20:
                accumulator = data.get(constant, 0)
            case 0x06:
                return constant
            case _:
                tests = {
                    0x15: accumulator == constant,
                    0x35: accumulator >= constant,
                    0x45: accumulator & constant,
                }
                at += hit if tests[code] else miss
    raise AssertionError("the filter gave no answer")


ALLOW, REFUSE, MISSING, KILL = 0x7FFF0000, 0x50001, 0x50026, 0x80000000


@pytest.mark.parametrize(
    ("called", "arguments", "quiet", "full"),
    [
        (0, {}, ALLOW, ALLOW), (1, {}, ALLOW, ALLOW), (9, {}, ALLOW, ALLOW), (45, {}, ALLOW, ALLOW),  # read, write, mmap, recvfrom
        (41, {}, REFUSE, REFUSE), (425, {}, REFUSE, REFUSE), (59, {}, REFUSE, REFUSE), (57, {}, REFUSE, REFUSE),
        (56, {0: 17}, REFUSE, REFUSE), (56, {0: 0x3D0F00}, REFUSE, ALLOW), (435, {}, MISSING, MISSING),  # clone, of a thread, clone3
        (62, {0: 99}, ALLOW, ALLOW), (62, {0: 98}, REFUSE, REFUSE), (62, {0: 0}, REFUSE, REFUSE), (62, {0: 0xFFFFFFFF}, REFUSE, REFUSE),
        (257, {2: 0x80000}, ALLOW, ALLOW), (257, {2: 0x80002}, REFUSE, ALLOW), (257, {2: 0o100}, REFUSE, ALLOW),  # openat
        (2, {1: 0}, ALLOW, ALLOW), (2, {1: 1}, REFUSE, ALLOW), (437, {}, MISSING, MISSING), (87, {}, REFUSE, ALLOW),
        (157, {0: 1}, REFUSE, REFUSE), (157, {0: 35}, REFUSE, REFUSE), (157, {0: 15}, ALLOW, ALLOW),  # prctl
        (302, {0: 0}, ALLOW, ALLOW), (302, {0: 99}, ALLOW, ALLOW), (302, {0: 98}, REFUSE, REFUSE),  # prlimit64
        (72, {1: 3}, ALLOW, ALLOW),
        (72, {1: 8}, REFUSE, REFUSE),  # fcntl, F_SETOWN
        (16, {1: 0x5401}, ALLOW, ALLOW),
        (16, {1: 0x8901}, REFUSE, REFUSE),
        (16, {1: 0xC020462A}, REFUSE, ALLOW),  # of a GPU's driver
        (0x40000000, {}, REFUSE, REFUSE), (0x40000029, {}, REFUSE, REFUSE),  # the x32 interface
    ],
)  # fmt: skip
def test_the_filter_tells_calls_apart_by_number_and_argument(
    called: int, arguments: dict[int, int], quiet: int, full: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    strict = seccomp.program(99, threads=False, writes=False)
    loose = seccomp.program(99, threads=True, writes=True)
    assert run(strict, called, arguments, 0xC000003E) == quiet
    assert run(loose, called, arguments, 0xC000003E) == full


@pytest.mark.parametrize(("machine", "code"), [("x86_64", 0xC000003E), ("aarch64", 0xC00000B7)])
def test_calls_by_another_processors_interface_kill_the_worker(
    machine: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    filter_program = seccomp.program(99, threads=False, writes=False)
    assert run(filter_program, 0, {}, 0x40000003) == KILL
    assert run(filter_program, 63, {}, code) == ALLOW
    assert len(filter_program) < 4096


def test_a_worker_without_its_filter_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(OSError, match="riscv64"):
        seccomp.program(1, threads=False, writes=False)
