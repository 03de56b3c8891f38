"""Checks launches against the compiled code: how many arguments, of what width and kind, pointing to what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.plan import BufferArgument, Launch, Plan, ScalarArgument
from sandbox.program import Program
from tools.kernel.file import KernelFile, KernelFileError
from tools.kernel.source_signatures import SourceParameter, source_signatures

_ENTRY = re.compile(r"\.entry\s+([\w$.]+)\s*\(([^)]*)\)")
_PARAMETER = re.compile(
    r"\.param\s+(?:\.align\s+\d+\s+)?\.([a-z]+\d+)\s+"
    r"(\.ptr\s+(?:\.(?:global|shared|const|local)\s+)?(?:\.align\s+\d+\s+)?)?"
    r"[\w$%.]+\s*(?:\[(\d+)\])?"
)
_WORD32, _WORD64 = ("u32", "s32", "b32"), ("u64", "s64", "b64")
_KINDS: Mapping[str, tuple[str, ...]] = {
    "bool": ("u8", "s8", "b8"),
    "int8": ("u8", "s8", "b8"),
    "uint8": ("u8", "s8", "b8"),
    "int16": ("u16", "s16", "b16"),
    "uint16": ("u16", "s16", "b16"),
    "float16": ("f16", "b16", "u16", "b8[2]"),
    "bfloat16": ("b16", "u16", "b8[2]"),
    "int32": _WORD32,
    "uint32": _WORD32,
    "int64": _WORD64,
    "uint64": _WORD64,
    "float32": ("f32",),
    "float64": ("f64",),
}
_CAST_FOR = {
    "f32": "f32(...)",
    "f64": "f64(...)",
    **dict.fromkeys(_WORD64, "i64(...)"),
    **dict.fromkeys(_WORD32, "a plain expression (int32)"),
}


@dataclass(frozen=True)
class EntryParameter:
    """One parameter of a compiled kernel: its PTX type (`u64`, `b8[16]`) and whether PTX marks a pointer."""

    kind: str
    pointer: bool


def entries(ptx: str) -> dict[str, tuple[EntryParameter, ...]]:
    """Read the parameter lists of every kernel in PTX text, by symbol."""
    return {match[1]: _entry_parameters(match[2]) for match in _ENTRY.finditer(ptx)}


def _entry_parameters(text: str) -> tuple[EntryParameter, ...]:
    found: list[EntryParameter] = []
    for part in text.split(","):
        if match := _PARAMETER.fullmatch(part.strip()):
            kind = f"{match[1]}[{match[3]}]" if match[3] else match[1]
            found.append(EntryParameter(kind, match[2] is not None))
        elif part.strip():
            found.append(EntryParameter(part.strip(), False))
    return tuple(found)


def check(kernel_file: KernelFile, plan: Plan, program: Program) -> None:
    """Check that every launch passes what its kernel takes.

    Args:
        kernel_file: Where the launches and the kernels' source are.
        plan: The launches, resolved.
        program: The compiled kernels.

    Raises:
        KernelFileError: A launch does not fit its kernel; the message names the launch's line.
    """
    compiled = entries(program.ptx)
    written = source_signatures(kernel_file.source)
    dtypes = {buffer.name: buffer.dtype for buffer in plan.buffers}
    for launch in plan.launches:
        parameters = compiled.get(program.symbols.get(launch.kernel, ""))
        if parameters is None:
            raise kernel_file.error(f"expected a kernel of this file, found `{launch.kernel}`", launch.line)
        base = launch.kernel.partition("<")[0].rpartition("::")[2]
        source = written.get(base, ())
        _Check(kernel_file, launch, parameters, source if len(source) == len(parameters) else ()).run(dtypes)


@dataclass(frozen=True)
class _Check:
    """One launch beside its kernel's parameters; `source` is empty where the source cannot be read."""

    kernel_file: KernelFile
    launch: Launch
    parameters: tuple[EntryParameter, ...]
    source: tuple[SourceParameter, ...]

    def run(self, dtypes: Mapping[str, str]) -> None:
        arguments = self.launch.arguments
        if len(arguments) != len(self.parameters):
            listed = ", ".join(parameter.text for parameter in self.source)
            takes = f"{len(self.parameters)} arguments{f' ({listed})' if listed else ''}"
            raise self._error(f"expected {takes} for `{self.launch.kernel}`, found {len(arguments)}")
        for index, argument in enumerate(arguments):
            if isinstance(argument, BufferArgument):
                self._buffer(index, argument.name, dtypes[argument.name])
            else:
                self._scalar(index, argument)

    def _error(self, reason: str) -> KernelFileError:
        return self.kernel_file.error(reason, self.launch.line)

    def _place(self, index: int) -> str:
        written = f" (`{self.source[index].text}`)" if self.source else ""
        return f"argument {index + 1} of `{self.launch.kernel}`{written}"

    def _points(self, index: int) -> bool | None:
        """Tell whether the parameter is a pointer; None where neither PTX nor the source says."""
        if self.parameters[index].pointer:
            return True
        if self.parameters[index].kind not in _WORD64:
            return False
        return self.source[index].pointer if self.source else None

    def _buffer(self, index: int, name: str, dtype: str) -> None:
        if self._points(index) is False:
            kind = self.parameters[index].kind
            raise self._error(f"{self._place(index)}: expected a value (.{kind}), found the buffer `{name}`")
        accepted = self.source[index].pointees if self.source else ()
        if accepted and dtype not in accepted:
            wanted = " or ".join(accepted)
            raise self._error(f"{self._place(index)}: expected a {wanted} buffer, found `{name}` of {dtype}")

    def _scalar(self, index: int, argument: ScalarArgument) -> None:
        kind = self.parameters[index].kind
        if self._points(index):
            found = f"the value {argument.value}"
            raise self._error(f"{self._place(index)}: expected a buffer for this pointer, found {found}")
        if kind in _KINDS.get(argument.dtype, ()):
            return
        if kind.endswith("]"):
            raise self._error(f"{self._place(index)}: a struct passed by value ({kind}) cannot be launched")
        hint = f"; pass {_CAST_FOR[kind]}" if kind in _CAST_FOR else ""
        raise self._error(f"{self._place(index)}: expected .{kind}, found {argument.dtype}{hint}")
