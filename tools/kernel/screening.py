"""Static screening: constructs that honest kernels seldom need are named in the report; no verdict comes of it.

What is read is the compiled code, so neither macros nor string tricks hide anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tools.reports import Suspicion

_LOCATION = re.compile(r"^\s*\.loc\s+\d+\s+(\d+)")
_VARIABLE = re.compile(r"^\s*(?:\.visible\s+|\.weak\s+)?\.global\s.*?([\w$]+)\s*(?:\[|=|;)")
_DECLARED = re.compile(r"^\s*(?:\.visible\s+|\.weak\s+)?\.global\s", re.MULTILINE)
_BEGIN, _END = "// begin inline asm", "// end inline asm"
_WORD = re.compile(r"[\w$]+")
_FUNCTIONS = (".entry", ".visible .entry", ".func", ".visible .func", ".weak .entry")
_INVISIBLE = ("$str", "__unnamed", "_ZTV", "$")
_SHOWN = 20


@dataclass(frozen=True)
class _Rule:
    """A construct; what it is made of stands nowhere in code that has none of its `words`."""

    construct: str
    words: tuple[str, ...]
    pattern: re.Pattern[str]
    why: str


_RULES = (
    _Rule(
        "clock read",
        ("%clock", "%globaltimer"),
        re.compile(r"%clock|%globaltimer"),
        "a kernel that knows the time can behave differently when it is timed",
    ),
    _Rule(
        "grid number",
        ("%gridid",),
        re.compile(r"%gridid"),
        "it differs from launch to launch, and can serve as a counter",
    ),
    _Rule(
        "place in the GPU",
        ("smid",),
        re.compile(r"%n?smid\b"),
        "a result must not depend on the multiprocessor that a block runs on",
    ),
    _Rule(
        "sleep",
        ("nanosleep",),
        re.compile(r"\bnanosleep\b"),
        "waiting is seldom work; it can distort what is measured",
    ),
    _Rule(
        "cache policy",
        ("evict_last", "createpolicy", "prefetch"),
        re.compile(r"evict_last|createpolicy|\bprefetch"),
        "lines kept in the cache can outlive the launch; timing flushes them",
    ),
    _Rule(
        "device heap",
        ("malloc", "free"),
        re.compile(r"^(?:call.*\s)?(?:malloc|free),"),
        "what it allocates can outlive the launch",
    ),
    _Rule(
        "printing",
        ("vprintf",),
        re.compile(r"^(?:call.*\s)?vprintf,"),
        "what a kernel prints is never believed",
    ),
)
_ODD_INLINE = re.compile(
    r"^\s*(?:@!?%\w+\s+)?(?P<opcode>trap|exit|brkpt|pmevent|discard|applypriority|setmaxnreg)\b"
)


def screen(ptx: str) -> tuple[Suspicion, ...]:
    """Return what is suspicious in compiled code, each construct once a source line, at most twenty.

    Args:
        ptx: As the compiler gave it, with `.loc` directives.
    """
    rules = tuple(rule for rule in _RULES if any(word in ptx for word in rule.words))
    if not rules and _BEGIN not in ptx and not _DECLARED.search(ptx):
        return ()
    found = dict.fromkeys(_suspicions(ptx, rules))
    return tuple(found)[:_SHOWN]


def _mentioned(ptx: str) -> frozenset[str]:
    """Names in code and in initial values: headers define a thousand constants that no kernel has to do with."""
    words: set[str] = set()
    inside = False
    for text in ptx.splitlines():
        if text.startswith(_FUNCTIONS):
            inside = True
        elif text.startswith("}"):
            inside = False
        words.update(_WORD.findall(text if inside else text.partition("=")[2]))
    return frozenset(words)


def _suspicions(ptx: str, rules: Sequence[_Rule]) -> Iterator[Suspicion]:
    line: int | None = None
    inline = inside = False
    mentioned = _mentioned(ptx)
    for text in ptx.splitlines():
        if location := _LOCATION.match(text):
            line = int(location[1])
            continue
        if text.startswith(_FUNCTIONS):
            inside = True
        elif text.startswith("}"):
            inside, line = False, None
        variable = None if inside else _VARIABLE.match(text)
        if variable and variable[1] in mentioned and not variable[1].startswith(_INVISIBLE):
            why = "it outlives a launch; it is put back to its first value before every run"
            yield Suspicion(f"device variable {variable[1]}", None, why)
        stripped = text.strip()
        inline = stripped == _BEGIN or (inline and stripped != _END)
        if inside:
            yield from _instruction(stripped, line, rules, inline=inline)


def _instruction(text: str, line: int | None, rules: Sequence[_Rule], *, inline: bool) -> Iterator[Suspicion]:
    if not text.startswith("//"):
        for rule in rules:
            if rule.pattern.search(text):
                yield Suspicion(rule.construct, line, rule.why)
    odd = _ODD_INLINE.match(text) if inline else None
    if odd:
        yield Suspicion(f"inline PTX `{odd['opcode']}`", line, "an instruction that computes nothing")
