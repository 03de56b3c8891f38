"""What goes into the compiler and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CompileRequest:
    """One translation unit for one architecture.

    Attributes:
        source: The whole `.cu` text; line numbers in diagnostics and PTX refer to it.
        architecture: An `sm_XX` name, for example `sm_90`.
        defines: Macro names and their values, sorted by name.
        defines_line: Line of the source before which they stand; behind the includes, so that no header sees them.
        kernels: Launched names as written in the kernel file, template instances included.
        file_name: The name shown in diagnostics; never a path of the host.
        assembled: Whether PTX becomes machine code too, which takes as long again. Without it a program has no cubin
            and nobody knows its registers; a simulator runs it all the same.
        options: Further options of NVRTC; whoever makes the request answers for them.
    """

    source: str
    architecture: str
    defines: tuple[tuple[str, str], ...] = ()
    kernels: tuple[str, ...] = ()
    file_name: str = "kernel.cu"
    defines_line: int = 1
    assembled: bool = True
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Diagnostic:
    """One message of the compiler; `line` is None where it names none."""

    severity: str
    message: str
    line: int | None = None


@dataclass(frozen=True)
class KernelResources:
    """What the assembler's `-v` report says of one kernel; sizes in bytes, registers per thread."""

    name: str
    symbol: str
    registers: int
    shared_bytes: int
    stack_bytes: int
    spill_store_bytes: int
    spill_load_bytes: int

    @property
    def spill_bytes(self) -> int:
        """Registers spilled to local memory, stored and loaded."""
        return self.spill_store_bytes + self.spill_load_bytes


@dataclass(frozen=True)
class Program:
    """A compiled translation unit.

    Attributes:
        key: Content address: sha256 over source, defines, kernels, architecture, options, compiler version.
        symbols: Launched name to the symbol in PTX and cubin (they differ for templates and C++ names).
        cubin: Machine code; empty where the request did not ask for it.
        resources: Of every kernel; none without machine code.
        globals_bytes: Size of device globals, bytes; state there could outlive a launch.
    """

    key: str
    architecture: str
    ptx: str
    cubin: bytes
    symbols: dict[str, str]
    resources: tuple[KernelResources, ...]
    globals_bytes: int = 0


@dataclass(frozen=True)
class CompileResult:
    """The compiler's answer; `program` is None where it failed, and then `diagnostics` says why.

    Attributes:
        log: The compiler's text, bounded, without any path of the host.
        limit: Set to "deadline" or "memory" where the compiler was stopped rather than finished, by its own limits on
            processor time and memory; to "lost" where the machine had neither for it.
        unsupported: The instruction or feature that the architecture lacks, where that is why it failed.
    """

    program: Program | None
    diagnostics: tuple[Diagnostic, ...] = ()
    log: str = ""
    limit: str | None = None
    cached: bool = False
    compiler: str = field(default="")
    unsupported: str = ""
