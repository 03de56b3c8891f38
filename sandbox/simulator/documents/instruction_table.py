"""docs/ptx.md from the catalogue: `python -m sandbox.simulator.documents.instruction_table` writes it anew."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sandbox.simulator.instructions  # noqa: F401  # pyright: ignore[reportUnusedImport]  fills the catalogue
from sandbox.simulator.decode.code import CONTROL
from sandbox.simulator.instructions.catalogue import FORMULAS, STEPS, Entry
from sandbox.simulator.instructions.refused import REFUSED

DOCUMENT = Path(__file__).parents[3] / "docs" / "ptx.md"

_CHAPTERS = {
    "9.7.1": "Integer arithmetic",
    "9.7.2": "Extended-precision integer arithmetic",
    "9.7.3": "Floating point",
    "9.7.4": "Half precision",
    "9.7.5": "Mixed precision",
    "9.7.6": "Comparison and selection",
    "9.7.7": "Half-precision comparison",
    "9.7.8": "Logic and shifts",
    "9.7.9": "Data movement and conversion",
    "9.7.12": "Control flow",
    "9.7.13": "Synchronisation and communication",
    "9.7.14": "Warp-level matrices",
    "9.7.17": "Stack",
    "9.7.18": "Video",
    "9.7.19": "Miscellaneous",
}
_HEAD = """# PTX that the simulator runs

Written by `python -m sandbox.simulator.documents.instruction_table`; a test compares it. Sections are those of
the PTX ISA 9.0. `x.y` are the parts of a mnemonic that lead to an entry. An instruction, or a form of one, that is
not here ends the run as `unsupported`, with its mnemonic and the source line, when a thread reaches it. So do
`malloc`, `free` and launches from device code. Approximate instructions (`.approx`, `ex2`, `lg2`, `sin`, `cos`,
`tanh`, `rsqrt`) are computed more exactly than devices do; a NaN result may carry another payload than a device's.
"""


def table() -> str:
    """The whole document, Markdown."""
    rows = sorted(_rows(), key=lambda row: (_number(row[0]), row[1]))
    text = _HEAD
    for chapter, title in _CHAPTERS.items():
        inside = [row for row in rows if row[0].startswith(f"{chapter}.")]
        if inside:
            text += (
                f"\n## {title} ({chapter})\n\n| instruction | section | what it does |\n| --- | --- | --- |\n"
            )
            text += "".join(f"| `{name}` | {section} | {what} |\n" for section, name, what in inside)
    text += "\n## Refused by name\n\n| instruction | section | why |\n| --- | --- | --- |\n"
    return text + "".join(f"| `{one.name}` | {one.section} | {one.reason} |\n" for one in REFUSED)


def _rows() -> Iterable[tuple[str, str, str]]:
    """(section, name, what) once for every section that an entry names."""
    for name, (section, what) in CONTROL.items():
        yield section, name, what
    for entry in (*FORMULAS.values(), *STEPS.values()):
        for section in entry.section.split(", "):
            yield section, entry.opcode, _what(entry)


def _what(entry: Entry[Any]) -> str:
    first = re.sub(r"\s+", " ", (entry.build.__doc__ or "").split("\n\n")[0]).strip().rstrip(".")
    whole = f"{first}: {entry.note}" if entry.note else first
    return whole.replace("|", "\\|")


def _number(section: str) -> tuple[int, ...]:
    return tuple(int(part) for part in section.split("."))


def main(path: Path = DOCUMENT) -> None:
    """Write the document."""
    path.write_text(table())


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:2]))
