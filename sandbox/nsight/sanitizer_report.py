"""Reading what compute-sanitizer prints into faults.

Source: Compute Sanitizer 2025.3 documentation, "Understanding Memcheck Errors", "Understanding Racecheck Reports",
"Understanding Synccheck Reports"; older releases put offset and file the other way round, and both are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.device import Fault
from sandbox.verdict import Verdict

_PREFIX = "========="
_INDENT = re.compile(r"\s{2,}|\s*(?:and|at|by thread|Address|Access) ")
_KINDS: tuple[tuple[str, Verdict], ...] = (
    ("Invalid __", Verdict.MEMORY_FAULT),
    ("Misaligned ", Verdict.MEMORY_FAULT),
    ("Uninitialized ", Verdict.UNINITIALIZED),
    ("Race reported ", Verdict.RACE),
    ("Potential ", Verdict.RACE),
    ("Barrier error ", Verdict.BARRIER_DIVERGENCE),
    ("Deadlock", Verdict.TIMEOUT),
    ("Malloc/Free ", Verdict.MEMORY_FAULT),
    ("Stack overflow", Verdict.MEMORY_FAULT),
    ("Illegal ", Verdict.MEMORY_FAULT),
    ("Out-of-range ", Verdict.MEMORY_FAULT),
)
_SEVERITY = re.compile(r"^(?P<level>Error|Warning|Info|Fatal): ", re.IGNORECASE)
_PLACE = re.compile(
    r"\bat (?:(?P<symbol>[^\s(+]+)(?:\([^)]*\))?\+)?0x[0-9a-f]+"
    r"(?: in (?:\S*?(?P<file>[\w.-]+\.cuh?):(?P<line>\d+)(?::(?P<after>[^\s(]+))?|(?P<only>[^\s(\[]+)))?"
)
_THREAD = re.compile(r"by thread \((?P<t>\d+,\s*\d+,\s*\d+)\) in block \((?P<b>\d+,\s*\d+,\s*\d+)\)")
_ADDRESS = re.compile(r"(?:Address|Access (?:at|to)) (?P<address>0x[0-9a-f]+)")
_SUMMARY = re.compile(r"^(?:ERROR|RACECHECK) SUMMARY: (?P<count>\d+)")
_TOOL_FAILED = (
    "Internal Sanitizer Error",
    "No attachable process found",
    "PlanRunner application terminated before",
)

DeviceBuffers = Mapping[str, tuple[int, int]]
"""By name, where a buffer lies: its address and its size in bytes."""


@dataclass(frozen=True)
class Finding:
    """One error or warning of the tool."""

    fault: Fault
    warning: bool = False


@dataclass(frozen=True)
class SanitizerReport:
    """What one tool said.

    Attributes:
        findings: What it found, in its order; at most what `--print-limit` allows.
        total: How many it counted; None where it wrote no summary, so that nothing follows from its silence.
    """

    findings: tuple[Finding, ...]
    total: int | None


def read(text: str, names: Mapping[str, str], buffers: DeviceBuffers) -> SanitizerReport:
    """Read the text of one tool.

    Args:
        text: All that it wrote; lines that are not its own are skipped.
        names: Launched name of each kernel, by symbol.
        buffers: Where the buffers lay.
    """
    findings: list[Finding] = []
    total: int | None = None
    failed = False
    for block in _blocks(text):
        summary = _SUMMARY.match(block[0])
        failed = failed or any(sign in block[0] for sign in _TOOL_FAILED)
        if summary:
            total = int(summary["count"]) if total is None else total
            continue
        finding = _finding(block, names, buffers)
        if finding is not None:
            findings.append(finding)
    return SanitizerReport(tuple(findings), None if failed else total)


def _blocks(text: str) -> list[list[str]]:
    """Take the tool's lines apart: those that are indented, or go on a sentence, belong to the one before."""
    blocks: list[list[str]] = []
    for line in text.splitlines():
        if not line.startswith(_PREFIX):
            continue
        rest = line[len(_PREFIX) :]
        if not rest.strip():
            continue
        if _INDENT.match(rest) and blocks:
            blocks[-1].append(rest.strip())
        else:
            blocks.append([rest.strip()])
    return blocks


def _finding(block: list[str], names: Mapping[str, str], buffers: DeviceBuffers) -> Finding | None:
    severity = _SEVERITY.match(block[0])
    head = block[0][severity.end() :] if severity else block[0]
    verdict = next((verdict for start, verdict in _KINDS if head.startswith(start)), None)
    if verdict is None or (severity and severity["level"].lower() == "info"):
        return None
    place = next((found for line in [head, *block[1:]] if (found := _PLACE.search(line))), None)
    who = next((found for line in block if (found := _THREAD.search(line))), None)
    kernel = _kernel(place, names)
    line = int(place["line"]) if place and place["line"] else None
    buffer, offset = _where(block, buffers)
    fault = Fault(
        verdict, _message(head, block, kernel, buffer, offset), kernel, line,
        block=_triple(who["b"]) if who else None, thread=_triple(who["t"]) if who else None,
        buffer=buffer, offset=offset,
    )  # fmt: skip
    return Finding(fault, bool(severity and severity["level"].lower() == "warning"))


def _kernel(place: re.Match[str] | None, names: Mapping[str, str]) -> str | None:
    if place is None:
        return None
    symbol = place["symbol"] or place["after"] or place["only"]
    return names.get(symbol, symbol) if symbol else None


def _where(block: list[str], buffers: DeviceBuffers) -> tuple[str | None, int | None]:
    """The buffer nearest to the address that is named, and the offset from its start."""
    found = next((match for line in block[1:] if (match := _ADDRESS.search(line))), None)
    if found is None or not buffers:
        return None, None
    address = int(found["address"], 16)

    def distance(name: str) -> int:
        start, size = buffers[name]
        return max(start - address, address - (start + size) + 1, 0)

    nearest = min(buffers, key=distance)
    # Farther away than a gigabyte it is anyone's: shared and local addresses are small numbers.
    return (nearest, address - buffers[nearest][0]) if distance(nearest) < 1 << 30 else (None, None)


def _message(head: str, block: list[str], kernel: str | None, buffer: str | None, offset: int | None) -> str:
    parts = [re.sub(r"\s+", " ", head).rstrip(".")]
    others = [line for line in block[1:] if line.startswith("and ") and "access at" in line]
    parts += others[:1]
    parts += [line for line in block[1:] if _ADDRESS.search(line)][:1]
    if buffer is not None:
        parts.append(f"at byte offset {offset} from the start of {buffer}")
    if kernel is not None and kernel not in parts[0]:
        parts.append(f"in {kernel}")
    return ", ".join(parts)


def _triple(text: str) -> tuple[int, int, int]:
    x, y, z = (int(part) for part in text.split(","))
    return x, y, z
