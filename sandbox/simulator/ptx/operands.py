"""Operands of PTX instructions (PTX ISA 9.0, chapter 6)."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

from sandbox.simulator.ptx.syntax import (
    AddressOperand,
    Immediate,
    Negated,
    Operand,
    Pair,
    Register,
    Symbol,
    Vector,
)

_HEX_FLOAT = re.compile(r"0[fF]([0-9a-fA-F]{8})|0[dD]([0-9a-fA-F]{16})")
_INTEGER = re.compile(r"-?(0[xX][0-9a-fA-F]+|0[bB][01]+|\d+)U?")
_DECIMAL = re.compile(r"-?\d*\.\d*(?:[eE][-+]?\d+)?")
_BRACKETS = re.compile(r"[\[({]")
_NAME = re.compile(r"[%\w$.@]+")

_WARP_SIZE = "WARP_SZ"
"""The one predefined constant without a percent sign (PTX ISA 9.0, section 4.5.2, "Predefined Constants")."""
Rename = Callable[[str], str]


def split_operands(text: str) -> list[str]:
    """Split at commas outside brackets, braces and parentheses."""
    if not _BRACKETS.search(text):
        return [part.strip() for part in text.split(",") if part.strip()]
    parts: list[str] = []
    depth = 0
    start = 0
    for position, mark in enumerate(text):
        if mark in "[{(":
            depth += 1
        elif mark in "]})":
            depth -= 1
        elif mark == "," and not depth:
            parts.append(text[start:position].strip())
            start = position + 1
    parts.append(text[start:].strip())
    return [part for part in parts if part]


def parse_operand(text: str, rename: Rename) -> Operand:
    """Parse one operand; `rename` maps a register as written to its unique name."""
    if text.startswith("["):
        return _address(text[1:-1].strip(), rename)
    if text.startswith(("{", "(")):
        return Vector(tuple(_element(part, rename) for part in split_operands(text[1:-1])))
    if "|" in text:
        first, second = (part.strip() for part in text.split("|"))
        return Pair(_destination(first, rename), _destination(second, rename))
    if text.startswith("!"):
        return Negated(Register(rename(text[1:].strip())))
    return _scalar(text, rename)


def _element(text: str, rename: Rename) -> Operand | None:
    return None if text == "_" else parse_operand(text, rename)


def _destination(text: str, rename: Rename) -> Register | None:
    return None if text == "_" else Register(rename(text))


def _scalar(text: str, rename: Rename) -> Register | Immediate | Symbol:
    if match := _HEX_FLOAT.fullmatch(text):
        if match[1]:
            return Immediate(struct.unpack(">f", bytes.fromhex(match[1]))[0], int(match[1], 16))
        return Immediate(struct.unpack(">d", bytes.fromhex(match[2]))[0], int(match[2], 16))
    if _INTEGER.fullmatch(text):
        return Immediate(int(text.rstrip("U"), 0))
    if _DECIMAL.fullmatch(text):
        return Immediate(float(text))
    if text == _WARP_SIZE:
        return Immediate(32)
    name = rename(text)
    if name.startswith("%"):
        return Register(name)
    if match := re.fullmatch(r"([\w$.]+)\s*\+\s*(-?\d+)", text):
        return Symbol(match[1], int(match[2]))
    return Symbol(text)


def _address(text: str, rename: Rename) -> AddressOperand:
    match = re.fullmatch(r"(.+?)\s*(?:\+\s*(-?\w+))?", text)
    if match is None:
        raise ValueError(f"not an address: {text[:80]!r}")
    base = _scalar(match[1], rename)
    offset = int(match[2], 0) if match[2] else 0
    return AddressOperand(base, offset)
