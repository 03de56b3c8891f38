"""Files of a package, by templates: each says its expressions in the language of its file."""

from __future__ import annotations

import struct
from functools import cache
from typing import Any

from jinja2 import Environment

from agent.export.packages import KernelPackage
from agent.export.plans import PassedNumber
from agent.export.printing import cpp, local_name, python
from agent.report.environment import text_environment
from tools.tasks.task import TaskArgument

_C_TYPES = {
    "bool": "bool",
    "float16": "std::uint16_t",
    "bfloat16": "std::uint16_t",
    "float32": "float",
    "float64": "double",
}


_ONES = {"float16": "0x3C00", "bfloat16": "0x3F80", "float32": "1.0f", "float64": "1.0"}


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


_RESERVED = _listed(
    "alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const consteval "
    "constexpr constinit const_cast continue co_await co_return co_yield decltype default delete do double "
    "dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable namespace "
    "new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires "
    "return short signed sizeof static static_assert static_cast struct switch template this thread_local throw true "
    "try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor xor_eq "
    "sizes workspace workspace_size stream std exported"
)
"""Keywords of C++20, and what the launcher's own parameters are called."""


@cache
def _environment() -> Environment:
    filters: Any = {
        "cpp": cpp,
        "ctype": c_type,
        "py": python,
        "local": local_name,
        "line": one_line,
        "field": field_name,
        "parameter": _parameter,
        "number": _number,
        "held": _held,
        "pytype": _python_type,
        "one": _one,
        "kind": _kind,
        "words": _words,
        "dictionary": dict,
    }
    return text_environment("agent.export", filters)


def rendered(template: str, package: KernelPackage, **more: object) -> bytes:
    """Return a file of a package."""
    text = _environment().get_template(template).render(package=package, **more)
    return text.encode()


def c_type(dtype: str) -> str:
    """Return the C++ type of a scalar on the host; those of two bytes are passed as their bits."""
    return _C_TYPES.get(dtype, f"std::{dtype}_t")


def field_name(name: str) -> str:
    """Return the C++ name of a dim or an argument where callers see it."""
    return f"{name}_" if name in _RESERVED else name


def _held(dtype: str) -> str:
    """Return what a vector on the host holds of a dtype."""
    return "unsigned char" if dtype == "bool" else c_type(dtype)


def _python_type(dtype: str) -> str:
    return "bool" if dtype == "bool" else "float" if "float" in dtype else "int"


def _one(dtype: str) -> str:
    return _ONES.get(dtype, "0")


def _kind(step: object) -> str:
    return type(step).__name__


def _parameter(argument: TaskArgument) -> str:
    if argument.is_scalar:
        return c_type(argument.dtype)
    plain = "void" if argument.dtype in ("float16", "bfloat16") else c_type(argument.dtype)
    return f"{'' if argument.is_output else 'const '}{plain}*"


def _number(one: PassedNumber) -> str:
    """Return a literal of a launch line as C++."""
    assert isinstance(one.value, float), "an expression is printed as one"
    assert one.literal is not None, "it is a literal"
    if one.dtype in ("float16", "bfloat16"):
        return str(int.from_bytes(one.literal, "little"))
    return f"{one.value!r}f" if one.dtype == "float32" else repr(one.value)


def one_line(text: str) -> str:
    """Return a text of a task or a model as part of a comment or a docstring: one line that ends neither."""
    plain = " ".join(text.split())
    return plain.replace("\\", "/").replace('"', "'").replace("*/", "* /")


def _words(data: bytes) -> str:
    """Return bytes as little-endian words of 64 bits, zeros behind them: a compiler reads an eighth of the tokens."""
    padded = data + bytes(8 - len(data) % 8)
    return ",".join(f"0x{word:x}" for (word,) in struct.iter_unpack("<Q", padded))
