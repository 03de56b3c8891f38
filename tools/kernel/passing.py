"""Values in the types of the parameters they are passed for, as C++ would convert them, where that is unambiguous."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.dtypes import FLOATS
from sandbox.errors import UsageError
from sandbox.plan import ScalarArgument
from tools.kernel.structs import POINTER, StructLayout

_WORD32, WORD64 = ("u32", "s32", "b32"), ("u64", "s64", "b64")
KINDS: Mapping[str, tuple[str, ...]] = {
    "bool": ("u8", "s8", "b8"),
    "int8": ("u8", "s8", "b8"),
    "uint8": ("u8", "s8", "b8"),
    "int16": ("u16", "s16", "b16"),
    "uint16": ("u16", "s16", "b16"),
    "float16": ("f16", "b16", "u16", "b8[2]"),
    "bfloat16": ("b16", "u16", "b8[2]"),
    "int32": _WORD32,
    "uint32": _WORD32,
    "int64": WORD64,
    "uint64": WORD64,
    "float32": ("f32",),
    "float64": ("f64",),
}
"""PTX types of the parameters that each dtype may be passed for (PTX ISA 9.0, section 5.2; `b8[2]` is a struct)."""
_OF_KIND = {
    **dict.fromkeys(("u8", "s8", "b8"), "int8"),
    **dict.fromkeys(("u16", "s16", "b16"), "int16"),
    **dict.fromkeys(_WORD32, "int32"),
    **dict.fromkeys(WORD64, "int64"),
    "f16": "float16",
    "f32": "float32",
    "f64": "float64",
}
NULL_POINTER = ScalarArgument("uint64", 0)


class UnfitError(UsageError):
    """A value cannot be passed for a parameter; the text says what was expected."""


@dataclass(frozen=True)
class CompiledParameter:
    """One parameter of a compiled kernel.

    Attributes:
        text: As written; empty where the source could not be read.
        kind: Its PTX type, `u64` or `b8[16]`.
        pointer: Whether it is one; None where neither PTX nor the source says.
        pointees: Buffer dtypes that it may point to; empty where any may.
        dtype: Of a scalar, as the source says; None where it does not.
        layout: Of a plain struct or vector passed by value.
    """

    text: str
    kind: str
    pointer: bool | None
    pointees: tuple[str, ...] = ()
    dtype: str | None = None
    layout: StructLayout | None = None

    @property
    def scalar(self) -> str | None:
        """The dtype that a plain number is passed in; None where none is plain enough."""
        if self.dtype is not None and self.kind in KINDS[self.dtype]:
            return self.dtype
        return _OF_KIND.get(self.kind)


def pass_number(value: int | float, asked: str | None, parameter: CompiledParameter) -> ScalarArgument:
    """Return a number of a launch line in the parameter's own type.

    Args:
        value: What the line's expression or literal is.
        asked: The dtype that a cast on the line asks for, if any.
        parameter: What it is passed for.

    Raises:
        UnfitError: The parameter is a pointer or a struct, or the number is outside its type's range.
    """
    if parameter.pointer:
        if value == 0 and asked in (None, "int64", "uint64"):
            return NULL_POINTER
        raise UnfitError(f"expected a buffer or `null` for this pointer, found the value {value}")
    if asked is not None and parameter.kind in KINDS[asked] and (parameter.dtype or asked) == asked:
        return in_dtype(value, asked)
    if parameter.scalar is None:
        if asked is not None and parameter.kind in KINDS[asked]:
            return in_dtype(value, asked)
        raise UnfitError(_how_to(parameter))
    if asked is not None and asked.startswith(("float", "bfloat")) and "float" not in parameter.scalar:
        raise UnfitError(f"expected an integer (.{parameter.kind}), found {asked}")
    return in_dtype(value, parameter.scalar, signed=parameter.dtype is not None)


def _how_to(parameter: CompiledParameter) -> str:
    if parameter.layout is not None:
        return f"expected a struct, found one value; pass its members as `{{...}}` ({parameter.layout.kinds})"
    if parameter.kind == "b8[2]":
        return "expected a value of two bytes; say which with f16(...) or bf16(...)"
    return (
        f"this struct ({parameter.kind}) cannot be passed: its declaration is more than a list of members; "
        "make it plain, or pass its members as parameters of their own"
    )


def in_dtype(value: int | float, dtype: str, *, signed: bool = True) -> ScalarArgument:
    """Return a number as a scalar of this dtype.

    Args:
        value: The number.
        dtype: What to pass it as.
        signed: Whether the dtype's sign is known; otherwise an integer may use the unsigned range as well.

    Raises:
        UnfitError: The number does not fit.
    """
    if "float" in dtype:
        if abs(value) > FLOATS[dtype].largest:
            raise UnfitError(f"expected a finite {dtype}, found {value}")
        return ScalarArgument(dtype, float(value))
    if isinstance(value, float):
        raise UnfitError(f"expected an integer ({dtype}), found {value}")
    if dtype == "bool":
        return ScalarArgument(dtype, int(value != 0))
    bits = int(dtype.lstrip("uint"))
    low, high = (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if not signed and value > high:
        return in_dtype(value, f"u{dtype.removeprefix('u')}")
    if not low <= value <= high:
        raise UnfitError(f"expected a value that fits in {dtype}, found {value}")
    return ScalarArgument(dtype, value)


def member_parameter(dtype: str) -> CompiledParameter:
    """Describe a member of a struct as if it were a parameter of its own."""
    if dtype == POINTER:
        return CompiledParameter("a member", "u64", True)
    return CompiledParameter("a member", KINDS[dtype][0], False, dtype=dtype)


def place(kernel: str, index: int, parameter: CompiledParameter) -> str:
    """Name an argument of a launch: which one, of which kernel, and how its parameter is written."""
    written = f" (`{parameter.text}`)" if parameter.text else ""
    return f"argument {index + 1} of `{kernel}`{written}"
