"""PTX text to a `Module`. One pass over the lines; every statement ends in `;`, a brace or a label's colon."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from sandbox.simulator.ptx.declarations import parse_parameters, parse_variable
from sandbox.simulator.ptx.locations import Locations
from sandbox.simulator.ptx.operands import parse_operand, split_operands
from sandbox.simulator.ptx.registers import registers_read, registers_written
from sandbox.simulator.ptx.syntax import (
    FormalParameter,
    Function,
    Guard,
    Instruction,
    Module,
    Operand,
    Register,
    Variable,
)


class PtxSyntaxError(ValueError):
    """The text is not PTX that this parser reads; the message shows the statement."""


_HEADER = re.compile(
    r"\.(entry|func)\b\s*(\((?P<results>[^)]*)\))?\s*(?P<name>[\w$]+)\s*(\((?P<params>.*)\))?", re.S
)
_REGISTERS = re.compile(r"\.reg\s*\.(\w+)\s+(.*)", re.S)
_INSTRUCTION = re.compile(r"(?:@(!?)(%?[\w$]+)\s+)?([a-z]\w*)((?:\.[\w:]+)*)\s*(.*)", re.S)
_LABEL = re.compile(r"([\w$]+)\s*:")
_TERMINATORS = re.compile(r"[;{}]")


@dataclass(frozen=True)
class _Statement:
    """What an instruction's text says, wherever it stands."""

    opcode: str
    modifiers: tuple[str, ...]
    operands: tuple[Operand, ...]
    guard: Guard | None
    text: str
    written: tuple[str, ...]
    read: tuple[str, ...]


def _statement(text: str, operand: Callable[[str], Operand], rename: Callable[[str], str]) -> _Statement:
    match = _INSTRUCTION.fullmatch(text)
    if match is None:
        raise PtxSyntaxError(f"not an instruction: {text!r}")
    negated, predicate, opcode, modifiers, rest = match.groups()
    operands = tuple(operand(part) for part in split_operands(rest))
    guard = Guard(Register(rename(predicate)), negated == "!") if predicate else None
    return _Statement(
        opcode,
        tuple(modifiers.split(".")[1:]),
        operands,
        guard,
        " ".join(text.split()),
        registers_written(opcode, operands),
        registers_read(opcode, operands, guard),
    )


@lru_cache(maxsize=1 << 14)
def _known_statement(text: str) -> _Statement:
    """A statement whose registers have the names that it gives them: one kernel's sizes share most of theirs."""
    return _statement(text, lambda part: parse_operand(part, str), str)


@dataclass
class _Body:
    """A function while its statements are read.

    Attributes:
        renames: Whether some register has another name than its declaration gives it.
    """

    header: re.Match[str]
    registers: dict[str, str] = field(default_factory=dict[str, str])
    scopes: list[dict[str, str]] = field(default_factory=lambda: [{}])
    variables: list[Variable] = field(default_factory=list[Variable])
    instructions: list[Instruction] = field(default_factory=list[Instruction])
    labels: dict[str, int] = field(default_factory=dict[str, int])
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    parameters: list[FormalParameter] = field(default_factory=list[FormalParameter])
    operands: dict[str, Operand] = field(default_factory=dict[str, Operand])
    renames: bool = False

    def operand(self, text: str) -> Operand:
        """Parse an operand; most are written many times in one scope."""
        found = self.operands.get(text)
        if found is None:
            found = self.operands[text] = parse_operand(text, self.rename)
        return found

    def open_scope(self) -> None:
        self.scopes.append({})
        self.operands.clear()

    def close_scope(self) -> None:
        self.scopes.pop()
        self.operands.clear()

    def rename(self, name: str) -> str:
        """The unique name of a register: inline assembly redeclares names in inner scopes."""
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return name

    def declare(self, kind: str, name: str) -> None:
        unique = name if name.startswith("%") else f"%{name}"
        if len(self.scopes) > 1 and unique in self.registers:
            unique = f"{unique}@{len(self.registers)}"
        self.renames |= unique != name
        self.scopes[-1][name] = unique
        self.operands.pop(name, None)
        self.registers[unique] = kind


class _ModuleParser:
    def __init__(self, text: str, file_name: str) -> None:
        self.version = ""
        self.target = ""
        self.functions: dict[str, Function] = {}
        self.variables: dict[str, Variable] = {}
        self.body: _Body | None = None
        self.skip = 0
        self.locations = Locations(text, file_name)

    def read(self, text: str) -> None:
        buffer = ""
        for raw in text.splitlines():
            line = raw.split("//", 1)[0].strip() if '"' not in raw else raw.strip()
            if not line:
                continue
            if not buffer and self._directive(line):
                continue
            buffer = self._consume(f"{buffer} {line}" if buffer else line)
        if self.body is not None:
            raise PtxSyntaxError("the module ends inside a function")

    def _directive(self, line: str) -> bool:
        word = line.split(None, 1)[0]
        if word == ".loc":
            self.locations.read(line)
        elif word == ".version":
            self.version = line.split()[1]
        elif word == ".target":
            self.target = line.split()[1].rstrip(",")
        elif word not in {".file", ".address_size"}:
            return False
        return True

    def _consume(self, buffer: str) -> str:
        while buffer:
            if self.skip:
                buffer = self._skip(buffer)
                continue
            if label := _LABEL.match(buffer) if self.body else None:
                buffer = self._label(label[1], buffer[label.end() :].lstrip())
                continue
            position = self._end_of_statement(buffer)
            if position is None:
                return buffer
            statement, mark = buffer[:position].strip(), buffer[position]
            buffer = buffer[position + 1 :].lstrip()
            self._statement(statement, mark)
        return ""

    def _skip(self, buffer: str) -> str:
        for position, mark in enumerate(buffer):
            self.skip += {"{": 1, "}": -1}.get(mark, 0)
            if not self.skip:
                return buffer[position + 1 :].lstrip()
        return ""

    @staticmethod
    def _end_of_statement(buffer: str) -> int | None:
        """The next terminator; a brace inside a statement is an operand list or an initialiser."""
        match = _TERMINATORS.search(buffer)
        if match is None:
            return None
        if match[0] == ";" or match.start() == 0 or re.match(r"(\.\w+\s+)*\.(entry|func|section)\b", buffer):
            return match.start()
        end = buffer.find(";", match.start())
        return end if end >= 0 else None

    def _label(self, name: str, rest: str) -> str:
        assert self.body is not None
        table = re.match(r"\.branchtargets\s+([^;]*);", rest)
        if table:
            self.body.tables[name] = tuple(part.strip() for part in table[1].split(","))
            return rest[table.end() :].lstrip()
        if rest.startswith(".callprototype"):
            return rest.split(";", 1)[1].lstrip() if ";" in rest else ""
        self.body.labels[name] = len(self.body.instructions)
        return rest

    def _statement(self, statement: str, mark: str) -> None:
        if self.body is None:
            self._top_level(statement, mark)
        elif mark == "{":
            self.body.open_scope()
        elif mark == "}":
            self.body.close_scope()
            if not self.body.scopes:
                self._finish(self.body)
        else:
            self._inner(self.body, statement)

    def _top_level(self, statement: str, mark: str) -> None:
        header = _HEADER.search(statement)
        if statement.startswith(".section"):
            self.skip = 1
        elif header and mark == "{":
            self.body = _Body(header)
            self.line = None
        elif header or not statement or statement.startswith((".pragma", ".alias")):
            return
        else:
            variable = parse_variable(statement)
            self.variables[variable.name] = variable

    def _inner(self, body: _Body, statement: str) -> None:
        if not statement.startswith("."):
            body.instructions.append(self._instruction(body, statement))
        elif match := _REGISTERS.match(statement):
            for name in match[2].split(","):
                _declare_range(body, match[1], name.strip())
        elif statement.startswith(".param"):
            body.parameters.extend(parse_parameters(statement))
        elif not statement.startswith((".pragma", ".maxntid", ".minnctapersm", ".reqntid")):
            body.variables.append(parse_variable(statement))

    def _instruction(self, body: _Body, statement: str) -> Instruction:
        said = (
            _statement(statement, body.operand, body.rename) if body.renames else _known_statement(statement)
        )
        return Instruction(
            said.opcode,
            said.modifiers,
            said.operands,
            said.guard,
            self.locations.line,
            said.text,
            self.locations.header,
            said.written,
            said.read,
        )

    def _finish(self, body: _Body) -> None:
        header = body.header
        name = header["name"]
        most = _extent(header.string, "maxntid")
        self.functions[name] = Function(
            name=name,
            is_entry=header[1] == "entry",
            parameters=tuple(parse_parameters(header["params"] or "")),
            results=tuple(parse_parameters(header["results"] or "")),
            registers=body.registers,
            variables=(
                *body.variables,
                *(Variable(p.name, "param", p.size, p.align) for p in body.parameters),
            ),
            body=tuple(body.instructions),
            labels=body.labels,
            tables=body.tables,
            cluster=_extent(header.string, "reqnctapercluster"),
            most_threads=None if most is None else math.prod(most),
            block=_extent(header.string, "reqntid"),
        )
        self.body = None


def _extent(header: str, directive: str) -> tuple[int, int, int] | None:
    """`.directive nx{, ny{, nz}}` of an entry (PTX ISA 9.0, sections 11.4 and 11.7)."""
    match = re.search(rf"\.{directive}\s+([\d\s,]+)", header)
    if match is None:
        return None
    x, y, z = ([int(part) for part in match[1].split(",")] + [1, 1])[:3]
    return (x, y, z)


def _declare_range(body: _Body, kind: str, name: str) -> None:
    """`%r<57>` declares %r0 to %r56."""
    if match := re.fullmatch(r"(%?[\w$]+)<(\d+)>", name):
        for number in range(int(match[2])):
            body.declare(kind, f"{match[1]}{number}")
    else:
        body.declare(kind, name)


def parse(text: str, file_name: str = "kernel.cu") -> Module:
    """Parse a PTX module.

    Args:
        text: PTX as NVRTC emits it.
        file_name: The source whose line numbers instructions carry.

    Raises:
        PtxSyntaxError: The text is not PTX that this parser reads.
    """
    reader = _ModuleParser(text, file_name)
    try:
        reader.read(text.replace("\0", ""))
    except PtxSyntaxError:
        raise
    except (ValueError, LookupError) as error:  # a number or a name that is none, within a statement
        raise PtxSyntaxError(str(error)) from error
    return Module(reader.version, reader.target, reader.functions, reader.variables)
