"""Kernel files: one `.cu` text with device code and, in `//@` directives, how to launch it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

from sandbox.errors import UsageError
from sandbox.plan import LaunchMode
from tools.kernel import directives
from tools.kernel.directives import (
    ConstantArray,
    Define,
    DirectiveError,
    Fill,
    LaunchDirective,
    Scratch,
    Tunable,
)
from tools.kernel.host_code import HostPart, without_host_code
from tools.kernel.names import ALLOWED_HEADERS, header_allowed, macro_name_fault
from tools.kernel.options import CompilerOptions, read_options
from tools.kernel.sections import MARK, Section, place_of, sections_of
from tools.kernel.source_text import code_lines, spelled_by_pasting, words

__all__ = [
    "Define",
    "KernelFile",
    "KernelFileError",
    "LaunchDirective",
    "LaunchMode",
    "Scratch",
    "Tunable",
    "parse",
    "sweep",
]

MAX_BYTES = 256 * 1024
"""Largest kernel file, bytes of UTF-8."""
MAX_OF_EACH = 64
"""Most directives of one kind in a file."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_LONE_RETURN = re.compile(r"\r(?!\n)")
_PREPROCESSOR = re.compile(r"\s*(?:#|%:|\?\?=)\s*(include_next|include|import|embed)\b\s*(.*)", re.DOTALL)
_TARGET = re.compile(r"""<([^<>"]+)>\s*|"([^<>"]+)"\s*""")
_PROBE = re.compile(r"\b__has_(?:include|embed)\w*")


_OF_ITS_COMPILATION = ("__DATE__", "__TIME__", "__TIMESTAMP__", "__FILE__", "__BASE_FILE__", "__builtin_FILE")
"""What tells when, or as what, a file was compiled."""


class KernelFileError(UsageError):
    """A kernel file breaks the contract; the message is `file:line: expected ...`.

    Attributes:
        file: The name shown; never a path of the host.
        line: From 1.
        reason: The message without file and line.
    """

    def __init__(self, reason: str, line: int, file: str = "kernel.cu") -> None:
        super().__init__(f"{file}:{line}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason


@dataclass(frozen=True)
class KernelFile:
    """A kernel file, read; each directive knows its line.

    Attributes:
        source: The whole text, lines ending in a line feed.
        tunables: In file order, as are the other three.
        file: The name shown in messages.
        includes: The headers included, in file order.
        left_out: What was for the host, and is blank in `source`.
        sections: The files of its own that it includes, which stand behind it in `source`.
    """

    source: str
    tunables: tuple[Tunable, ...]
    defines: tuple[Define, ...]
    scratch: tuple[Scratch, ...]
    launches: tuple[LaunchDirective, ...]
    file: str = "kernel.cu"
    includes: tuple[str, ...] = ()
    left_out: tuple[HostPart, ...] = ()
    fills: tuple[Fill, ...] = ()
    options: tuple[CompilerOptions, ...] = ()
    constants: tuple[ConstantArray, ...] = ()
    sections: tuple[Section, ...] = ()

    def error(self, reason: str, line: int) -> KernelFileError:
        """Make the error that names the file and the line in it of a line of the whole text."""
        return _in_own_file(KernelFileError(reason, line, self.file), self.sections)

    @property
    def defaults(self) -> dict[str, int]:
        """The tunables' default values by name, in file order."""
        return {tunable.name: tunable.default for tunable in self.tunables}


@lru_cache(maxsize=64)
def parse(text: str | bytes, file: str = "kernel.cu") -> KernelFile:
    """Read a kernel file; a judgement asks for each size of one anew.

    Args:
        text: The whole file; bytes must be UTF-8.
        file: The name to show in messages.

    Raises:
        KernelFileError: The file breaks the contract; whatever the text, nothing else is raised.
    """
    source, left_out = without_host_code(_decode(text, file))
    sections = sections_of(source)
    try:
        return _read(source, left_out, sections, file)
    except KernelFileError as error:
        raise _in_own_file(error, sections) from None


def _in_own_file(error: KernelFileError, sections: tuple[Section, ...]) -> KernelFileError:
    place = place_of(sections, error.line)
    return KernelFileError(error.reason, place.line, place.file) if place.file else error


def _read(
    source: str, left_out: tuple[HostPart, ...], sections: tuple[Section, ...], file: str
) -> KernelFile:
    includes = _includes(source, {section.name for section in sections}, file)
    _check_words(source, file)
    found = list(_directives(source, file))
    _check_names(found, file)
    kernel_file = KernelFile(
        source,
        tuple(item for item in found if isinstance(item, Tunable)),
        tuple(item for item in found if isinstance(item, Define)),
        tuple(item for item in found if isinstance(item, Scratch)),
        tuple(item for item in found if isinstance(item, LaunchDirective)),
        file,
        includes,
        left_out,
        tuple(item for item in found if isinstance(item, Fill)),
        tuple(item for item in found if isinstance(item, CompilerOptions)),
        tuple(item for item in found if isinstance(item, ConstantArray)),
        sections,
    )
    if not kernel_file.launches:
        reason = "expected at least one `//@ launch kernel<<<grid, block>>>(arguments)`, found none"
        raise KernelFileError(reason, 1, file)
    return kernel_file


def sweep(kernel_file: KernelFile, cap: int | None = None) -> list[dict[str, int]]:
    """List tunable settings worth trying, the defaults first, then those that differ least from them.

    Args:
        kernel_file: Whose tunables to vary.
        cap: Most settings to return; None returns the whole cartesian product.
    """
    return list(itertools.islice(_settings(kernel_file), cap))


def _settings(kernel_file: KernelFile) -> Iterator[dict[str, int]]:
    tunables = kernel_file.tunables
    others = {item.name: [value for value in item.values if value != item.default] for item in tunables}
    for changes in range(len(tunables) + 1):
        for changed in itertools.combinations(others, changes):
            for values in itertools.product(*(others[name] for name in changed)):
                yield kernel_file.defaults | dict(zip(changed, values, strict=True))


def _decode(text: str | bytes, file: str) -> str:
    try:
        data = text.encode() if isinstance(text, str) else text
        if len(data) > MAX_BYTES:
            reason = f"expected at most {MAX_BYTES // 1024} KiB, found {len(data) // 1024} KiB"
            raise KernelFileError(reason, 1, file)
        source = data.decode()
    except UnicodeEncodeError as error:
        line = error.object.count("\n", 0, error.start) + 1
        raise KernelFileError(
            "expected text that UTF-8 can hold, found a lone surrogate", line, file
        ) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        byte = error.object[error.start]
        raise KernelFileError(f"expected UTF-8 text, found byte 0x{byte:02x}", line, file) from None
    _check_characters(source, file)
    return source.replace("\r\n", "\n").removeprefix("\ufeff")


def _check_characters(source: str, file: str) -> None:
    for pattern, found in ((_CONTROL, "a control character"), (_LONE_RETURN, "a lone carriage return")):
        if match := pattern.search(source):
            line = source.count("\n", 0, match.start()) + 1
            reason = f"expected plain text, found {found} (0x{ord(match.group()):02x})"
            raise KernelFileError(reason, line, file)


def _check_words(source: str, file: str) -> None:
    why = "nothing may depend on when, or as what, a kernel was compiled"
    for line, word in words(source):
        if word in _OF_ITS_COMPILATION:
            raise KernelFileError(f"expected no `{word}`: {why}", line, file)
    if pasted := spelled_by_pasting(source, _OF_ITS_COMPILATION):
        raise KernelFileError(f"expected no pieces that `##` can make `{pasted}` of: {why}", 1, file)


def _includes(source: str, own: Collection[str], file: str) -> tuple[str, ...]:
    found: list[str] = []
    for line in code_lines(source):
        if probe := _PROBE.search(line.text):
            raise KernelFileError(f"expected no `{probe.group()}`: it looks at files", line.number, file)
        if match := _PREPROCESSOR.match(line.text):
            try:
                found += _include(match[1], match[2], own)
            except DirectiveError as error:
                raise KernelFileError(str(error), line.number, file) from None
    return tuple(found)


def _include(word: str, rest: str, own: Collection[str]) -> list[str]:
    """Return the header that is included; none where it is a file of the kernel's own."""
    if word != "include":
        raise DirectiveError(f"expected `#include`, found `#{word}`")
    target = _TARGET.fullmatch(rest)
    if target is None:
        found = rest.strip()[:60]
        raise DirectiveError(f"expected `#include <header>` with the header spelled out, found `{found}`")
    if target[2] in own:
        return []
    header: str = (target[1] or target[2]).strip()
    if not header_allowed(header):
        raise DirectiveError(
            f"expected one of the allowed headers ({ALLOWED_HEADERS}), found `{header[:60]}`"
        )
    return [header]


def _directive(text: str, line: int) -> directives.Directive | CompilerOptions:
    word, _, rest = text.partition(" ")
    return read_options(rest, line) if word == "options" else directives.parse(text, line)


def _directives(source: str, file: str) -> Iterator[directives.Directive | CompilerOptions]:
    counts: dict[type, int] = {}
    for number, line in enumerate(source.split("\n"), start=1):
        mark = line.find("//@")
        if mark < 0 or line.startswith(MARK):
            continue
        if line[:mark].strip():
            raise KernelFileError("expected `//@` at the start of its line", number, file)
        try:
            item = _directive(line[mark + 3 :].strip(), number)
        except DirectiveError as error:
            raise KernelFileError(str(error), number, file) from None
        counts[type(item)] = counts.get(type(item), 0) + 1
        if counts[type(item)] > MAX_OF_EACH:
            raise KernelFileError(f"expected at most {MAX_OF_EACH} directives of one kind", number, file)
        yield item


def _check_names(found: list[directives.Directive | CompilerOptions], file: str) -> None:
    lines: dict[str, int] = {}
    for item in found:
        if isinstance(item, LaunchDirective | Fill | ConstantArray | CompilerOptions):
            continue
        if isinstance(item, Tunable | Define) and (fault := macro_name_fault(item.name)):
            raise KernelFileError(fault, item.line, file)
        if item.name in lines:
            reason = f"expected a new name, found `{item.name}`, which line {lines[item.name]} defines"
            raise KernelFileError(reason, item.line, file)
        lines[item.name] = item.line
