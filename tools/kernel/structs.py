"""Reads plain structs from source and lays them out as the compiler does, so that `{a, b}` can be passed by value.

Source of sizes and alignments: CUDA C++ Programming Guide 13.0, "Built-in Vector Types", and the Itanium C++ ABI
for members in order, each at a multiple of its alignment. What is more than a list of members (methods, base
classes, bit fields, `alignas`) is not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.dtypes import DTYPE_BYTES
from tools.kernel.source_text import without_comments

_STRUCT = re.compile(
    r"\b(?:typedef )?struct (?P<name>\w{1,80})? ?\{(?P<body>[^{}]{0,4000})\} ?(?P<alias>\w{1,80})? ?;"
)
_UNREAD = re.compile(r"[()=:<>#&]|\b(?:static|virtual|union|template|using)\b")
_DECLARATOR = re.compile(
    r"(?P<stars>(?:\*| |const|__restrict__)*)(?P<name>\w+) ?(?P<sizes>(?:\[ ?\d+ ?\] ?)*)"
)
_MAX_STRUCTS = 128
POINTER = "pointer"
_VECTOR = re.compile(r"(u?char|u?short|u?int|u?longlong|float|double)([1234])")
_VECTOR_DTYPES = {
    "char": "int8",
    "short": "int16",
    "int": "int32",
    "longlong": "int64",
    "float": "float32",
    "double": "float64",
}


@dataclass(frozen=True)
class Member:
    """One scalar or pointer of a struct: where it lies, bytes, and its dtype (`POINTER` for a pointer)."""

    offset: int
    dtype: str


@dataclass(frozen=True)
class StructLayout:
    """A struct: its scalars and pointers in order, size and alignment in bytes."""

    members: tuple[Member, ...]
    size: int
    alignment: int

    @property
    def kinds(self) -> str:
        """The members' dtypes in order, for messages."""
        return ", ".join(member.dtype for member in self.members)


def vector(name: str) -> StructLayout | None:
    """Lay out one of CUDA's vector types, `float4`; None where it is none."""
    match = _VECTOR.fullmatch(name)
    if match is None:
        return None
    base, count = match[1], int(match[2])
    dtype = f"u{_VECTOR_DTYPES[base[1:]]}" if base[0] == "u" else _VECTOR_DTYPES[base]
    each = DTYPE_BYTES[dtype]
    alignment = each if count == 3 else min(16, each * count)
    return StructLayout(tuple(Member(each * i, dtype) for i in range(count)), each * count, alignment)


def layouts(source: str, scalar: Mapping[str, str]) -> dict[str, StructLayout]:
    """Lay out the plain structs of a kernel file.

    Args:
        source: The file's text.
        scalar: dtypes of the names of types that are scalars.
    """
    code = " ".join(without_comments(source).split())
    found: dict[str, StructLayout] = {}
    for number, match in enumerate(_STRUCT.finditer(code)):
        if number >= _MAX_STRUCTS:
            break
        layout = None if _UNREAD.search(match["body"]) else _layout(match["body"], scalar, found)
        for name in filter(None, (match["name"], match["alias"])):
            if layout is not None:
                found[name] = layout
    return found


def _layout(body: str, scalar: Mapping[str, str], known: Mapping[str, StructLayout]) -> StructLayout | None:
    members: list[Member] = []
    end, alignment = 0, 1
    for declaration in filter(None, (part.strip() for part in body.split(";"))):
        parts = _declared(declaration, scalar, known)
        if parts is None:
            return None
        for part in parts:
            start = -(-end // part.alignment) * part.alignment
            members += [Member(start + member.offset, member.dtype) for member in part.members]
            end, alignment = start + part.size, max(alignment, part.alignment)
    size = -(-end // alignment) * alignment
    return StructLayout(tuple(members), size, alignment) if members else None


def _declared(
    text: str, scalar: Mapping[str, str], known: Mapping[str, StructLayout]
) -> list[StructLayout] | None:
    """Lay out what one declaration declares, `const float *x, y[2]`; None where it cannot be read."""
    words = re.sub(r"\b(?:const|volatile|__restrict__|struct)\b", " ", text).replace("*", " * ").split()
    kind = _kind(words, scalar, known)
    if kind is None:
        return None
    type_words, base = kind
    found: list[StructLayout] = []
    for part in " ".join(words[type_words:]).split(","):
        match = _DECLARATOR.fullmatch(part.strip())
        if match is None:
            return None
        one = StructLayout((Member(0, POINTER),), 8, 8) if "*" in match["stars"] else base
        if one is None:
            return None
        count = 1
        for size in re.findall(r"\d+", match["sizes"]):
            count *= int(size)
        if not 1 <= count <= 64:
            return None
        found += [one] * count
    return found


def _kind(
    words: list[str], scalar: Mapping[str, str], known: Mapping[str, StructLayout]
) -> tuple[int, StructLayout | None] | None:
    """Return how many words name the type, and its layout; the layout is None where only pointers to it may be."""
    for count in range(min(4, len(words) - 1), 0, -1):
        name = " ".join(words[:count])
        if name in scalar:
            each = DTYPE_BYTES[scalar[name]]
            return count, StructLayout((Member(0, scalar[name]),), each, each)
        if count == 1 and (layout := known.get(name) or vector(name)):
            return count, layout
    if len(words) > 1 and words[1] == "*":
        return 1, None  # a pointer to something that is not read
    return None
