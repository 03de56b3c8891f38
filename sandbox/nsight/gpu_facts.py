"""What nvidia-smi says of the GPUs; it only asks, never sets, and a driver in trouble is not waited for."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sandbox.nsight.programs import Ended, ask, find_program

DEADLINE_S = 10.0
FIELDS = (
    "index", "name", "uuid", "driver_version", "compute_cap", "memory.total", "memory.used", "clocks.sm",
    "clocks.max.sm", "clocks.mem", "clocks.max.mem", "power.draw", "power.limit", "temperature.gpu",
    "ecc.mode.current", "mig.mode.current", "persistence_mode", "compute_mode", "clocks_event_reasons.active",
    "addressing_mode",
)  # fmt: skip
"""What is asked (nvidia-smi --help-query-gpu); fields that a driver does not know are left out."""

_UNKNOWN = re.compile(r'Field "(?P<name>[^"]+)" is not a valid field')
_ABSENT = frozenset(
    {"", "N/A", "[N/A]", "[Not Supported]", "[Unknown Error]", "[GPU requires reset]", "None"}
)
_REASONS = {
    0x1: "idle", 0x2: "application clocks", 0x4: "power cap", 0x8: "hardware slowdown", 0x10: "sync boost",
    0x20: "temperature", 0x40: "temperature (hardware)", 0x80: "power brake", 0x100: "display clocks",
}  # fmt: skip
_SLOW = 0x4 | 0x8 | 0x20 | 0x40 | 0x80
_ADDRESSES = {
    "HMM": "device code can reach all of the memory of the process that launches it (HMM)",
    "ATS": "device code can reach all of the memory of the process that launches it (ATS)",
}


@dataclass(frozen=True)
class Gpu:
    """One GPU's answers by field name; absent where the driver or the GPU has none."""

    values: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def identity(self) -> str:
        """What tells this GPU under this driver from any other."""
        return f"{self.values.get('uuid', 'unknown')}-{self.values.get('driver_version', 'unknown')}"

    @property
    def throttled(self) -> tuple[str, ...]:
        """Why its clocks are below what was asked for, idleness left out."""
        bits = _bits(self.values.get("clocks_event_reasons.active", ""))
        return tuple(reason for bit, reason in _REASONS.items() if bits & bit & _SLOW)

    @property
    def pageable_access(self) -> bool | None:
        """Whether device code can reach all of the launching process's memory; None where it is not said."""
        mode = self.values.get("addressing_mode")
        return None if mode is None else mode in _ADDRESSES


@dataclass(frozen=True)
class Gpus:
    """All GPUs, or why nothing is known of them."""

    found: tuple[Gpu, ...] = ()
    problem: str = ""


Ask = Callable[[Sequence[str]], Ended]


def query(program: str | None = None, ask_it: Ask | None = None) -> Gpus:
    """Ask nvidia-smi.

    Args:
        program: Its path; None to look for it.
        ask_it: Runs it; None for the real thing, with a deadline.
    """
    found = program or find_program("nvidia-smi")
    if found is None:
        return Gpus(problem="nvidia-smi is not installed")
    run = ask_it or _ask
    unknown: frozenset[str] = frozenset()
    while True:
        fields = [name for name in FIELDS if name not in unknown]
        ended = run([str(found), f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"])
        if ended.status is None:
            return Gpus(problem=f"nvidia-smi did not answer within {DEADLINE_S:g} s: the driver may hang")
        if ended.status == 0:
            return Gpus(read(ended.output, fields))
        named = {match["name"] for match in _UNKNOWN.finditer(ended.output)} & set(fields)
        if not named:
            return Gpus(problem=f"nvidia-smi failed: {ended.output.strip()[:300]}")
        unknown |= named


def users(uuid: str, program: str | None = None, ask_it: Ask | None = None) -> tuple[int, ...]:
    """Return the processes that compute on a GPU, ours among them; none where nvidia-smi does not say.

    Args:
        uuid: Of the GPU.
        program: Path of nvidia-smi; None to look for it.
        ask_it: Runs it; None for the real thing, with a deadline.
    """
    found = program or find_program("nvidia-smi")
    if found is None:
        return ()
    words = [str(found), "--query-compute-apps=gpu_uuid,pid", "--format=csv,noheader,nounits"]
    ended = (ask_it or _ask)(words)
    if ended.status != 0:
        return ()
    rows = _rows(ended.output)
    return tuple(int(row[1]) for row in rows if len(row) == 2 and row[0] == uuid and row[1].isdecimal())


def _ask(argv: Sequence[str]) -> Ended:
    return ask(argv, deadline_s=DEADLINE_S)


def read(text: str, fields: Sequence[str]) -> tuple[Gpu, ...]:
    """Read the table: a line for each GPU, `, ` between values."""
    rows = [row for row in _rows(text) if len(row) == len(fields)]
    return tuple(
        Gpu(
            {
                name: value.strip()
                for name, value in zip(fields, row, strict=True)
                if _said(name, value.strip())
            }
        )
        for row in rows
    )


def _rows(text: str) -> list[list[str]]:
    try:
        return list(csv.reader(text.splitlines(), skipinitialspace=True))
    except csv.Error:  # a quote that is never closed, or a field without end
        return []


def _said(name: str, value: str) -> bool:
    return value not in _ABSENT or (name == "addressing_mode" and value == "None")


def _bits(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        return 0


def describe(gpu: Gpu) -> str:
    """Return one line for a person."""
    said = gpu.values

    def part(form: str, *names: str) -> str:
        return form.format(*(said[name] for name in names)) if all(name in said for name in names) else ""

    parts = [
        part("{}", "name"), part("driver {}", "driver_version"), part("compute {}", "compute_cap"),
        part("{} of {} MiB used", "memory.used", "memory.total"),
        part("SM clock {} of {} MHz", "clocks.sm", "clocks.max.sm"),
        part("memory clock {} of {} MHz", "clocks.mem", "clocks.max.mem"),
        part("{} of {} W", "power.draw", "power.limit"), part("{} C", "temperature.gpu"),
        part("ECC {}", "ecc.mode.current"), part("MIG {}", "mig.mode.current"),
        part("persistence {}", "persistence_mode"), part("compute mode {}", "compute_mode"),
    ]  # fmt: skip
    slow = f"clocks held back: {', '.join(gpu.throttled)}" if gpu.throttled else ""
    return ", ".join(
        part for part in [*parts, slow, _ADDRESSES.get(said.get("addressing_mode", ""), "")] if part
    )
