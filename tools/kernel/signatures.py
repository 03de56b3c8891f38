"""Checks launches against the compiled code: how many arguments, of what width and kind, pointing to what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from sandbox.plan import BufferArgument, Launch, Plan, ScalarArgument
from sandbox.program import Program
from tools.kernel.file import KernelFile, KernelFileError
from tools.kernel.passing import KINDS, NULL_POINTER, WORD64, CompiledParameter, place
from tools.kernel.source_signatures import SourceParameter, scalar_types, source_signatures
from tools.kernel.structs import StructLayout, layouts, vector

_ENTRY = re.compile(r"\.entry\s+([\w$.]+)\s*\(([^)]*)\)")
_PARAMETER = re.compile(
    r"\.param\s+(?:\.align\s+\d+\s+)?\.([a-z]+\d+)\s+"
    r"(\.ptr\s+(?:\.(?:global|shared|const|local)\s+)?(?:\.align\s+\d+\s+)?)?"
    r"[\w$%.]+\s*(?:\[(\d+)\])?"
)
_SAME_BITS = {
    "bool": ("uint8", "int8"),
    "float16": ("uint16", "int16"),
    "bfloat16": ("uint16", "int16"),
    "float32": ("uint32", "int32"),
    "float64": ("uint64", "int64"),
}
"""Integers that a buffer of a dtype may be looked at as, bit for bit."""


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


@lru_cache(32)
def _declared(
    source: str,
) -> tuple[Mapping[str, tuple[SourceParameter, ...]], Mapping[str, StructLayout]]:
    """What a source declares, read once for all sizes that it is compiled for."""
    return source_signatures(source), layouts(source, scalar_types(source))


def parameters(kernel_file: KernelFile, program: Program) -> dict[str, tuple[CompiledParameter, ...]]:
    """Describe the parameters of every launched kernel, by launched name, from PTX and source."""
    compiled = entries(program.ptx)
    written, structs = _declared(kernel_file.source)
    found: dict[str, tuple[CompiledParameter, ...]] = {}
    for launched, symbol in program.symbols.items():
        compiled_as = compiled.get(symbol)
        if compiled_as is None:
            continue
        base = launched.partition("<")[0].rpartition("::")[2]
        source = written.get(base, ())
        if len(source) != len(compiled_as):
            source = (SourceParameter("", None),) * len(compiled_as)
        found[launched] = tuple(
            _described(entry, one, structs) for entry, one in zip(compiled_as, source, strict=True)
        )
    return found


def _described(
    entry: EntryParameter, source: SourceParameter, structs: Mapping[str, StructLayout]
) -> CompiledParameter:
    pointer: bool | None = source.pointer
    if entry.pointer:
        pointer = True
    elif entry.kind not in WORD64:
        pointer = False
    layout = structs.get(source.type_name) or vector(source.type_name)
    if layout is not None and entry.kind != f"b8[{layout.size}]":
        layout = None
    return CompiledParameter(source.text, entry.kind, pointer, source.pointees, source.dtype, layout)


def check(kernel_file: KernelFile, plan: Plan, compiled: Mapping[str, tuple[CompiledParameter, ...]]) -> None:
    """Check that every launch passes what its kernel takes.

    Args:
        kernel_file: Where the launches and the kernels' source are.
        plan: The launches, resolved.
        compiled: What `parameters` says of the compiled kernels.

    Raises:
        KernelFileError: A launch does not fit its kernel; the message names the launch's line.
    """
    dtypes = {buffer.name: buffer.dtype for buffer in plan.buffers}
    for launch in plan.launches:
        wanted = compiled.get(launch.kernel)
        if wanted is None:
            raise kernel_file.error(f"expected a kernel of this file, found `{launch.kernel}`", launch.line)
        _Check(kernel_file, launch, wanted).run(dtypes)


@dataclass(frozen=True)
class _Check:
    """One launch beside its kernel's parameters."""

    kernel_file: KernelFile
    launch: Launch
    parameters: tuple[CompiledParameter, ...]

    def run(self, dtypes: Mapping[str, str]) -> None:
        arguments = self.launch.arguments
        if len(arguments) != len(self.parameters):
            raise self._error(self._count_fault(len(arguments)))
        for index, argument in enumerate(arguments):
            if isinstance(argument, BufferArgument):
                self._buffer(index, argument.name, dtypes[argument.name])
            elif isinstance(argument, ScalarArgument):
                self._scalar(index, argument)
            elif self.parameters[index].kind != f"b8[{argument.size}]":
                raise self._error(f"{self._place(index)}: expected no struct, found `{{...}}`")

    def _count_fault(self, found: int) -> str:
        listed = ", ".join(parameter.text for parameter in self.parameters if parameter.text)
        takes = f"{len(self.parameters)} arguments{f' ({listed})' if listed else ''}"
        reason = f"expected {takes} for `{self.launch.kernel}`, found {found}"
        for parameter in self.parameters:
            if parameter.layout is not None:
                how = f"`{{...}}` for {parameter.text} ({parameter.layout.kinds})"
                reason += f"; a struct is passed by its members in braces: {how}"
        return reason

    def _error(self, reason: str) -> KernelFileError:
        return self.kernel_file.error(reason, self.launch.line)

    def _place(self, index: int) -> str:
        return place(self.launch.kernel, index, self.parameters[index])

    def _buffer(self, index: int, name: str, dtype: str) -> None:
        parameter = self.parameters[index]
        if parameter.pointer is False:
            raise self._error(
                f"{self._place(index)}: expected a value (.{parameter.kind}), found the buffer `{name}`"
            )
        accepted = parameter.pointees
        if accepted and not _is_view(dtype, accepted):
            wanted = " or ".join(accepted)
            raise self._error(f"{self._place(index)}: expected a {wanted} buffer, found `{name}` of {dtype}")

    def _scalar(self, index: int, argument: ScalarArgument) -> None:
        parameter = self.parameters[index]
        if argument == NULL_POINTER and parameter.pointer is not False:
            return
        if parameter.pointer:
            found = f"the value {argument.value}"
            raise self._error(f"{self._place(index)}: expected a buffer for this pointer, found {found}")
        if parameter.kind not in KINDS.get(argument.dtype, ()):
            raise self._error(f"{self._place(index)}: expected .{parameter.kind}, found {argument.dtype}")


def _is_view(dtype: str, pointees: tuple[str, ...]) -> bool:
    """Whether a pointer to one of these may look at a buffer: as it is, with another sign, or bit for bit."""
    return any(
        pointee in (dtype, *_SAME_BITS.get(dtype, ())) or pointee.removeprefix("u") == dtype.removeprefix("u")
        for pointee in pointees
    )
