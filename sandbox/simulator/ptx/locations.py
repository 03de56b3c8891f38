"""From `.file` and `.loc` to the kernel file's lines (PTX ISA 9.0, section 11.5)."""

from __future__ import annotations

import re

_FILE = re.compile(r'\.file\s+(\d+)\s+"([^"]*)"')
_LOC = re.compile(r"\.loc\s+(\d+)\s+(\d+)\s+(\d+)(?:.*inlined_at\s+(\d+)\s+(\d+)\s+(\d+))?")
_DEPTH = 64

_Spot = tuple[int, int, int]
"""File number, line, column."""


class Locations:
    """Follows the `.loc` directives of a module.

    Attributes:
        line: Line of the kernel file that the code being read comes from, None before the first: where a header
            was inlined, the line that called it.
        header: Path of the header that the code comes from, empty for the kernel file itself.
    """

    def __init__(self, text: str, file_name: str) -> None:
        self.line: int | None = None
        self.header = ""
        self._files = {int(number): path for number, path in _FILE.findall(text)}
        ours = [number for number, path in self._files.items() if path.rsplit("/", 1)[-1] == file_name]
        self._ours = ours[0] if ours else None
        self._callers: dict[_Spot, _Spot] = {}

    def read(self, directive: str) -> None:
        """Take in one `.loc`. Each names one caller only; those of the callers were named before."""
        match = _LOC.match(directive)
        if match is None:
            return
        numbers = [int(number) for number in match.groups() if number is not None]
        spot: _Spot = (numbers[0], numbers[1], numbers[2])
        if len(numbers) > 3:
            self._callers[spot] = (numbers[3], numbers[4], numbers[5])
        else:
            self._callers.pop(spot, None)
        self.header = "" if self._ours in {None, spot[0]} else self._files.get(spot[0], "")
        for _ in range(_DEPTH):
            if spot[0] == self._ours or spot not in self._callers:
                break
            spot = self._callers[spot]
        if spot[1] and self._ours in {None, spot[0]}:
            self.line = spot[1]
