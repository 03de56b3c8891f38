"""`//@ options`: what of the compiler's options a kernel file may ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tools.kernel.directives import DirectiveError
from tools.kernel.names import macro_name_fault

_SWITCHES = ("ftz", "prec-div", "prec-sqrt", "fmad")
_SWITCH = re.compile(rf"--?({'|'.join(_SWITCHES)})=(true|false)")
_REGISTERS = re.compile(r"--?maxrregcount=(\d{1,3})")
_MACRO = re.compile(r"-D\s*(\w+)(?:=(-?\d{1,18}))?")
_FAST_MATH = ("-use_fast_math", "--use_fast_math")
_FEWEST_REGISTERS, _MOST_REGISTERS = 16, 255
ALLOWED = (
    "-use_fast_math, -ftz=, -prec-div=, -prec-sqrt=, -fmad= (true or false), -maxrregcount=N, -DNAME=INTEGER"
)


@dataclass(frozen=True)
class CompilerOptions:
    """What one directive asks for: options as NVRTC takes them, and macros."""

    options: tuple[str, ...]
    macros: tuple[tuple[str, str], ...]
    line: int


def read_options(text: str, line: int) -> CompilerOptions:
    """Read what follows `options`.

    Raises:
        DirectiveError: An option is not one of those that are allowed.
    """
    options: list[str] = []
    macros: dict[str, str] = {}
    for word in re.sub(r"-D\s+", "-D", text).split():
        if word in _FAST_MATH:
            options.append("--use_fast_math")
        elif found := _SWITCH.fullmatch(word):
            options.append(f"--{found[1]}={found[2]}")
        elif (found := _REGISTERS.fullmatch(word)) and _FEWEST_REGISTERS <= int(found[1]) <= _MOST_REGISTERS:
            options.append(f"--maxrregcount={found[1]}")
        elif found := _MACRO.fullmatch(word):
            if fault := macro_name_fault(found[1]):
                raise DirectiveError(fault)
            macros[found[1]] = found[2] or "1"
        else:
            raise DirectiveError(f"expected options of {ALLOWED}; found `{word[:60]}`")
    if not options and not macros:
        raise DirectiveError(f"expected `options` and some of {ALLOWED}; found none")
    return CompilerOptions(tuple(dict.fromkeys(options)), tuple(macros.items()), line)
