"""Reading what NVRTC and its assembler print: diagnostics, and resources of every kernel.

The text may hold lines of files that the candidate included, and paths of the host; neither may leave.
So it is taken apart, and only what belongs to the kernel file or to CUDA's headers is put together again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox.program import Diagnostic, KernelResources

LOG_BYTES = 64 << 10
"""The most that is kept of the compiler's text."""

NAME_MAP = "__nv_name_map"
"""The file that NVRTC pretends for name expressions."""

_MAX_DIAGNOSTICS = 50
_MESSAGE_CHARACTERS = 1_000
_HEAD = re.compile(
    r"^(?:(?P<file>[^\n]*?)\((?P<line>\d+)\)|(?P<end>At end of source)): "
    r"(?P<severity>(?:catastrophic |internal )?error|warning|remark)(?: #[\w-]+)?: (?P<message>.*)$"
)
_OTHER = re.compile(r"^(?:ptxas|nvrtc)[^:\n]*?\b(?P<severity>error|fatal|warning)\s*:\s*(?P<message>.*)$")
_NOISE = re.compile(r"^ptxas info\s*: Compile time|^Remark: |^\s*$")
_INFO = re.compile(r"^ptxas\s+(?:info\s*:|\.)")
_ENTRY = re.compile(r"Compiling entry function '([^']+)'")
_PROPERTIES = re.compile(r"Function properties for (\S+)")
_STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_HEXADECIMAL = re.compile(r"\b0x[0-9a-f]{1,8}\b(?= bytes| max)")
_USED = re.compile(r"Used (\d+) registers")
_SHARED = re.compile(r"(\d+)(?:\+(\d+) )?\s*bytes smem")
_SUMMARY = re.compile(r"\d+ .* detected in the compilation of .*|Compilation terminated\.")
_NOT_OPENED = re.compile(r'cannot open source file "[^"]*"')
_LACKING = re.compile(
    r"(?:Instruction|Feature) '(?P<what>[^']+)' (?:not supported on|requires) \.?target '?(?P<target>[\w.]+)"
)
_HOST = re.compile(
    r'device-side kernel launch could not be processed|identifier "cuda[A-Z]\w*" is undefined|'
    r'identifier "(?:atoi|getenv|fopen|exit)" is undefined|'
    r'namespace "std" has no member "(?:cout|cerr|endl|vector|string|map|chrono|mt19937|unique_ptr)"'
)
_HOST_HINT = "; this is host code: leave it out, the `//@ launch` lines are what launches kernels"
_CURAND_HINT = "; cuRAND's headers come with: pip install 'warpwright[curand]'"
_ECHO = "Error in parsing name expression"
_HIDDEN = (
    "the kernel includes a file that is not one of CUDA's headers; what the compiler says of it is not shown"
)


@dataclass(frozen=True)
class Sources:
    """Which files the compiler's text may speak of.

    Attributes:
        kernel: Name of the kernel file.
        roots: Include folders as the compiler sees them; they are cut off from what is shown.
        supplied: Names of the headers in memory.
    """

    kernel: str
    roots: Sequence[str]
    supplied: Sequence[str]

    def shown(self, path: str) -> str | None:
        """Return how to show a file, or None where nothing of it may be shown."""
        if path in (self.kernel, NAME_MAP) or path in self.supplied:
            return path
        for root in sorted(self.roots, key=len, reverse=True):
            if path.startswith(root + "/") and "/../" not in path:
                return path[len(root) + 1 :]
        return None

    def scrub(self, text: str) -> str:
        """Cut the include folders off from the paths in a text."""
        for root in sorted(self.roots, key=len, reverse=True):
            text = text.replace(root + "/", "")
        return text


@dataclass(frozen=True)
class CompilerReport:
    """What the compiler's text says."""

    diagnostics: tuple[Diagnostic, ...]
    log: str
    resources: tuple[KernelResources, ...]


def read(log: str, sources: Sources, names: Sequence[str], symbols: Mapping[str, str]) -> CompilerReport:
    """Read the compiler's text.

    Args:
        log: All of it.
        sources: Which files it may speak of.
        names: Launched kernels, in the order in which NVRTC was given them.
        symbols: Launched name to symbol, for those that were found.
    """
    diagnostics: list[Diagnostic] = []
    kept: list[str] = []
    infos: list[str] = []
    for block in _blocks(log):
        if _INFO.match(block[0]):
            infos.append(block[0])
            kept.append(block[0])
            continue
        if _ECHO in block[0] and diagnostics:
            continue  # NVRTC says again that it could not look a launched name up
        diagnostic, lines = _diagnostic(block, sources, names)
        kept += lines
        if diagnostic is not None and diagnostic not in diagnostics:
            diagnostics.append(diagnostic)
    text = "\n".join(kept).encode()[:LOG_BYTES].decode(errors="ignore")
    return CompilerReport(_ordered(diagnostics), text, _resources(infos, symbols))


def lacking(diagnostics: Sequence[Diagnostic]) -> str:
    """Return the first instruction or feature that the assembler says this architecture lacks; empty if none."""
    found = (_LACKING.search(one.message) for one in diagnostics if one.severity == "error")
    return next((match["what"] for match in found if match), "")


def _ordered(diagnostics: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Put errors first, in the compiler's order, and bound their number."""
    errors = [one for one in diagnostics if one.severity == "error"]
    others = [one for one in diagnostics if one.severity != "error"]
    return tuple((errors + others)[:_MAX_DIAGNOSTICS])


def _blocks(log: str) -> list[list[str]]:
    """Split the text: a diagnostic's head or an assembler's line starts a block."""
    blocks: list[list[str]] = []
    # The assembler ends its part with a NUL; str.splitlines would split at more than the compiler does.
    for line in log.replace("\0", "\n").split("\n"):
        if _NOISE.match(line):
            continue
        heads = _HEAD.match(line) or _OTHER.match(line) or _INFO.match(line) or not line.startswith(" ")
        if heads or not blocks:
            blocks.append([line])
        else:
            blocks[-1].append(line)
    return blocks


def _diagnostic(
    block: list[str], sources: Sources, names: Sequence[str]
) -> tuple[Diagnostic | None, list[str]]:
    """Return the diagnostic in a block, and the lines of it that may be shown."""
    other = _OTHER.match(block[0])
    if other:
        message = _HEXADECIMAL.sub(lambda found: str(int(found[0], 16)), sources.scrub(other["message"]))
        message = message[:_MESSAGE_CHARACTERS]
        severity = "warning" if other["severity"] == "warning" else "error"
        return Diagnostic(severity, message), [sources.scrub(line) for line in block]
    head = _HEAD.match(block[0])
    if head is None:
        # A closing line ("3 errors detected"), or a line of who knows which file: only the former is shown.
        return None, [block[0]] if _SUMMARY.fullmatch(block[0]) else []
    severity = head["severity"] if head["severity"] in ("warning", "remark") else "error"
    if head["end"]:
        return Diagnostic(severity, f"at the end of the file: {head['message']}"), [block[0]]
    shown = sources.shown(head["file"])
    if shown is None:
        return Diagnostic("error", _HIDDEN), [_HIDDEN]
    line = int(head["line"])
    message = sources.scrub(" ".join([head["message"], *_continued(block)]))[:_MESSAGE_CHARACTERS]
    if shown == NAME_MAP:
        name = _looked_up(block, names)
        text = f"the launched `{name}` is no __global__ function of the file"
        if "overloaded function" in message:
            text = f"more than one function is called `{name}`, perhaps one of CUDA's own: rename the kernel"
        return Diagnostic("error", text), [text]
    if shown == sources.kernel:
        if _HOST.search(message):
            message += _HOST_HINT
        if found := _NOT_OPENED.match(message):  # why not would tell what there is on the host
            hint = _CURAND_HINT if "curand" in found[0] else ""
            return Diagnostic(severity, found[0] + hint, line), [found[0] + hint]
        return Diagnostic(severity, message, line), [sources.scrub(part) for part in block]
    if severity != "error":
        return None, []  # what CUDA's headers warn of is no concern of who wrote the kernel
    text = f"{shown}({line}): {severity}: {message}"
    return Diagnostic(severity, f"{message} (in {shown}, line {line})"), [text]


def _looked_up(block: list[str], names: Sequence[str]) -> str:
    """Return the launched name that a diagnostic about a name expression quotes."""
    quoted = re.sub(r"\s", "", "".join(block).partition("nv_mangled_name ")[2].partition("^")[0])
    return next((name for name in names if re.sub(r"\s", "", name) == quoted), quoted or "?")


def _continued(block: list[str]) -> list[str]:
    """Return the lines that carry a message on: those before the quoted source line, and after its caret."""
    carets = [index for index, line in enumerate(block) if line.strip() == "^"]
    around = [*block[1 : carets[0] - 1], *block[carets[0] + 1 :]] if carets else block[1:]
    return [line.strip() for line in around if line.startswith(" " * 10)][:8]


def _resources(infos: list[str], symbols: Mapping[str, str]) -> tuple[KernelResources, ...]:
    launched = {symbol: name for name, symbol in symbols.items()}
    entry, described = "", ""
    registers: dict[str, tuple[int, int]] = {}
    stacks: dict[str, tuple[int, int, int]] = {}
    for line in infos:
        if found := _ENTRY.search(line):
            entry = found[1]
        elif found := _PROPERTIES.search(line):
            described = found[1]
        elif found := _STACK.search(line):
            stacks[described] = (int(found[1]), int(found[2]), int(found[3]))
        elif (found := _USED.search(line)) and entry:
            shared = _SHARED.search(line)
            registers[entry] = (int(found[1]), int(shared[1]) + int(shared[2] or 0) if shared else 0)
    return tuple(
        KernelResources(launched.get(symbol, symbol), symbol, used, shared, *stacks.get(symbol, (0, 0, 0)))
        for symbol, (used, shared) in registers.items()
    )


_GLOBAL = re.compile(
    r"^\s*(?:\.visible |\.weak |\.common )?\.global (?:\.attribute\([^)]*\) )?(?:\.align \d+ )?"
    r"\.(?P<kind>[a-z]+)(?P<bits>\d+) (?P<name>[\w$]+)(?:\[(?P<count>\d+)\])?(?P<initial> = )?",
    re.MULTILINE,
)
_TOKEN = re.compile(r"[\w$]+")
_STRING = re.compile(r"\$str(?:\$\d+)?|__unnamed_\d+")
_FILE = re.compile(r'^(\s*\.file\s+\d+ )"([^"\n]*)"', re.MULTILINE)
_ENTRIES = re.compile(r"\.entry ([\w$]+)")


def entries(ptx: str) -> frozenset[str]:
    """Return the symbols of the kernels in PTX."""
    return frozenset(_ENTRIES.findall(ptx))


def globals_bytes(ptx: str) -> int:
    """Return the bytes of device globals that the code in this PTX refers to, string literals left out."""
    variables = {found["name"]: found for found in _GLOBAL.finditer(ptx)}
    uses = dict.fromkeys(variables, 0)
    for token in _TOKEN.findall(ptx):
        if token in uses:
            uses[token] += 1
    return sum(
        int(found["bits"]) // 8 * int(found["count"] or 1)
        for name, found in variables.items()
        if uses[name] > 1 and not (found["initial"] and _STRING.fullmatch(name))
    )


def normalise_ptx(ptx: str, sources: Sources) -> str:
    """Return PTX whose `.file` lines name no path of the machine, so that it is the same everywhere."""

    def renamed(found: re.Match[str]) -> str:
        path = found[2]
        if path.rsplit("/", 1)[-1] == sources.kernel:
            return f'{found[1]}"{sources.kernel}"'
        return f'{found[1]}"{sources.shown(path) or "hidden"}"'

    return _FILE.sub(renamed, ptx)
