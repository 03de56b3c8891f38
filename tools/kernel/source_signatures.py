"""Reads the parameter lists of `__global__` functions from source, as far as plain reading goes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tools.kernel.source_text import without_comments

_TOKEN = re.compile(r"[A-Za-z_]\w*|[(){};]")
_ATTRIBUTES = frozenset(
    ["__launch_bounds__", "__cluster_dims__", "__block_size__", "__maxnreg__", "__attribute__", "alignas"]
)
_QUALIFIERS = re.compile(
    r"\b(?:const|volatile|__restrict__|__restrict|restrict|__grid_constant__|register|typename)\b"
)
_WORDS = frozenset(["unsigned", "signed", "int", "long", "short", "char"])
_POINTEES: Mapping[str, tuple[str, ...]] = {
    "float": ("float32",),
    "double": ("float64",),
    "bool": ("bool",),
    "half": ("float16",),
    "__half": ("float16",),
    "nv_half": ("float16",),
    "__nv_bfloat16": ("bfloat16",),
    "nv_bfloat16": ("bfloat16",),
    "int8_t": ("int8",),
    "int16_t": ("int16",),
    "int32_t": ("int32",),
    "int64_t": ("int64",),
    "uint8_t": ("uint8", "bool"),
    "uint16_t": ("uint16",),
    "uint32_t": ("uint32",),
    "uint64_t": ("uint64",),
    "size_t": ("uint64",),
    "uint": ("uint32",),
    "uchar": ("uint8", "bool"),
    "ushort": ("uint16",),
}
_TYPEDEF = re.compile(r"\btypedef ([\w: ]{1,80}?) (\w{1,80}) ?;|\busing (\w{1,80}) ?= ?([\w: ]{1,80}?) ?;")
_MAX_KERNELS = 256
_MAX_PARAMETERS = 4000  # characters; the bounds keep hostile text from taking quadratic time


@dataclass(frozen=True)
class SourceParameter:
    """One parameter as written.

    Attributes:
        pointer: None where it cannot be told.
        pointees: Buffer dtypes that it may point to; empty where any may (void, bytes, vectors, templates, unknown).
        type_name: Of a value, what it is called; empty for pointers and where it cannot be told.
        dtype: Of a scalar; None where it is none, or cannot be told.
    """

    text: str
    pointer: bool | None
    pointees: tuple[str, ...] = ()
    type_name: str = ""
    dtype: str | None = None


def scalar_types(source: str) -> dict[str, str]:
    """Map every name of a scalar type that this source may use to its dtype, typedefs of its own included."""
    code = " ".join(without_comments(source).split())
    built_in = {name: dtypes[0] for name, dtypes in _POINTEES.items()}
    spelled = itertools.product(("", "unsigned ", "signed "), ("char", "short", "int", "long", "long long"))
    words: dict[str, str] = {}
    for sign, base in spelled:
        name: str = sign + base
        words[name] = _integer(name.split())[0]
        words[f"{name} int"] = words[name]
    own = {name: dtypes[0] for name, dtypes in _aliases(code).items() if dtypes}
    return {**built_in, **words, "unsigned": "uint32", **own}


def source_signatures(source: str) -> dict[str, tuple[SourceParameter, ...]]:
    """Map each kernel's bare name to its parameters; a name declared in different ways is left out."""
    code = " ".join(without_comments(source).split())
    aliases = _aliases(code)
    found: dict[str, list[tuple[SourceParameter, ...]]] = {}
    for name, inside in _kernels(code):
        parts = [part for part in _split(inside) if part not in ("", "void")]
        found.setdefault(name, []).append(tuple(_parameter(part, aliases) for part in parts))
    return {name: kinds[0] for name, kinds in found.items() if len(_shapes(kinds)) == 1}


def _shapes(kinds: list[tuple[SourceParameter, ...]]) -> set[tuple[tuple[object, ...], ...]]:
    """Signatures without names: a declaration and its definition are the same."""
    return {tuple((item.pointer, item.pointees) for item in signature) for signature in kinds}


def _aliases(code: str) -> dict[str, tuple[str, ...]]:
    """Map simple typedef names to dtypes; a name with several meanings, or a template's, may be anything."""
    found: dict[str, tuple[str, ...]] = {}
    for match in _TYPEDEF.finditer(code):
        name = match[2] or match[3]
        meaning = _dtypes(match[1] or match[4], {})
        found[name] = meaning if found.get(name, meaning) == meaning else ()
    for match in re.finditer(r"\b(?:typename|class|define)\s+(\w+)", code):
        found[match[1]] = ()
    return found


def _kernels(code: str) -> Iterator[tuple[str, str]]:
    for start in itertools.islice(re.finditer(r"\b__global__\b", code), _MAX_KERNELS):
        name = ""
        position = start.end()
        while token := _TOKEN.search(code, position):
            position = token.end()
            if token[0] in (")", "{", "}", ";", "__global__"):
                break
            if token[0] != "(":
                name = token[0]
                continue
            end = _closing(code, token.start())
            if name not in _ATTRIBUTES:
                yield name, code[position : end - 1]
                break
            position = end


def _closing(code: str, start: int) -> int:
    depth = 0
    for match in re.compile(r"[()]").finditer(code, start, start + _MAX_PARAMETERS):
        depth += 1 if match[0] == "(" else -1
        if depth == 0:
            return match.end()
    return min(len(code), start + _MAX_PARAMETERS) + 1


def _split(text: str) -> Iterator[str]:
    depth = 0
    start = 0
    for position, character in enumerate(text):
        if character in "([{<":
            depth += 1
        elif character in ")]}>":
            depth -= 1
        elif character == "," and depth == 0:
            yield " ".join(text[start:position].split())
            start = position + 1
    yield " ".join(text[start:].split())


def _parameter(text: str, aliases: Mapping[str, tuple[str, ...]]) -> SourceParameter:
    shown = text[:80]
    body = _QUALIFIERS.sub(" ", text.partition("=")[0])
    if any(mark in body for mark in "(&<#") or "..." in body:
        known = True if "*" in body and "(" not in body and "&" not in body else None
        return SourceParameter(shown, known)
    if "*" in body:
        pointee = body.partition("*")[0]
        levels = body.count("*") + body.count("[")
        return SourceParameter(shown, True, _dtypes(pointee, aliases) if levels == 1 else ())
    words = body.partition("[")[0].split()
    if "[" in body:
        pointee = " ".join(words[:-1])
        return SourceParameter(shown, True, _dtypes(pointee, aliases) if body.count("[") == 1 else ())
    type_words = words if len(words) == 1 or set(words) <= _WORDS else words[:-1]
    name = " ".join(word for word in type_words if word != "struct")
    dtypes = _dtypes(name, aliases)
    return SourceParameter(shown, False if dtypes else None, (), name, dtypes[0] if dtypes else None)


def _dtypes(text: str, aliases: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    words = text.split()
    if words and set(words) <= _WORDS:
        return _integer(words)
    name = "".join(words)
    if name in aliases:
        return aliases[name]
    for prefix in ("::", "cuda::std::", "std::"):
        name = name.removeprefix(prefix)
    return _POINTEES.get(name, ())


def _integer(words: Sequence[str]) -> tuple[str, ...]:
    unsigned = "unsigned" in words
    if "char" in words:
        return ("uint8", "bool") if unsigned else ("int8",)
    bits = 16 if "short" in words else 64 if "long" in words else 32
    return (f"uint{bits}" if unsigned else f"int{bits}",)
