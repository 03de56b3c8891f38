"""Variables, parameters and their initialisers (PTX ISA 9.0, sections 5.1 to 5.4)."""

from __future__ import annotations

import re
import struct

from sandbox.simulator.ptx.syntax import FormalParameter, Variable
from sandbox.simulator.ptx.types import TYPES

_PARAMETER = re.compile(
    r"\.param\s+(?:\.align\s+(?P<align>\d+)\s+)?\.(?P<type>\w+)\s+"
    r"(?:\.ptr(?:\s+\.(?:global|shared|const|local))?(?:\s+\.align\s+\d+)?\s+)?(?P<name>[\w$]+)\s*(?:\[(?P<count>\d*)\])?"
)
_VARIABLE = re.compile(
    r"(?:\.(?:visible|extern|weak|common)\s+)*\.(?P<space>global|shared|const|local)\s+"
    r"(?:\.attribute\([^)]*\)\s+)?(?:\.align\s+(?P<align>\d+)\s+)?(?:\.v(?P<vector>\d)\s+)?\.(?P<type>\w+)\s+"
    r"(?P<name>[\w$]+)\s*(?P<dims>(?:\[\d*\])*)\s*(?:=\s*(?P<value>.*))?",
    re.S,
)
_ADDRESS_OF = re.compile(r"(?:generic\()?([A-Za-z_$][\w$]*)\)?(?:\s*\+\s*(\d+))?")


def parse_parameters(text: str) -> list[FormalParameter]:
    """Every `.param` declaration in a parameter list, in order; sizes in bytes."""
    found: list[FormalParameter] = []
    for match in _PARAMETER.finditer(text):
        unit = TYPES[match["type"]].bytes
        size = unit * int(match["count"] or 1)
        found.append(FormalParameter(match["name"], match["type"], size, int(match["align"] or unit)))
    return found


def parse_variable(statement: str) -> Variable:
    """One variable declaration.

    Raises:
        ValueError: It is none.
    """
    match = _VARIABLE.fullmatch(statement.strip())
    if match is None:
        raise ValueError(f"not a declaration: {statement[:200]!r}")
    unit = TYPES[match["type"]]
    count = int(match["vector"] or 1)
    for dim in re.findall(r"\[(\d*)\]", match["dims"]):
        count *= int(dim or 0)
    size = unit.bytes * count
    align = int(match["align"] or unit.bytes * int(match["vector"] or 1))
    if match["value"] is None:
        return Variable(match["name"], match["space"], size, align)
    initial, references = _initialiser(match["value"], unit.name, size)
    return Variable(match["name"], match["space"], size, align, initial, references)


def _initialiser(text: str, kind: str, size: int) -> tuple[bytes, tuple[tuple[int, str], ...]]:
    unit = TYPES[kind]
    data = bytearray()
    references: list[tuple[int, str]] = []
    for item in (part.strip() for part in re.sub(r"[{}]", " ", text).split(",")):
        if not item:
            continue
        if re.match(r"0[fF][0-9a-fA-F]{8}$", item):
            data += struct.pack("<I", int(item[2:], 16))
        elif re.match(r"0[dD][0-9a-fA-F]{16}$", item):
            data += struct.pack("<Q", int(item[2:], 16))
        elif match := _ADDRESS_OF.fullmatch(item):
            references.append((len(data), match[1]))
            data += int(match[2] or 0).to_bytes(unit.bytes, "little")
        else:
            value = int(item.rstrip("U"), 0) & ((1 << unit.bits) - 1)
            data += value.to_bytes(unit.bytes, "little")
    return bytes(data.ljust(size, b"\0")[:size]), tuple(references)
