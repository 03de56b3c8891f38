"""task.toml and `TaskSpec`, both ways, led by the fields; a mistake is told with its line and what was expected."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from tools.expressions import split_arguments
from tools.tasks.errors import TaskError
from tools.tasks.task import TaskSpec

T = TypeVar("T")

_HEADER = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_.-]+)\s*\]\]?")
_INLINE = re.compile(r"\s*\{")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*[=.]")
_Table = Mapping[str, object]


@dataclass(frozen=True)
class Place:
    """One table of the file: `[[test]]` number 2 is section "test", index 1; the top is section ""."""

    section: str = ""
    index: int = 0


class KeyLines:
    """The lines of a task.toml, by table and key; good enough for messages."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._lines: dict[tuple[Place, str], int] = {(Place(), ""): 1}
        counts: Counter[str] = Counter()
        place, array = Place(), ""
        for number, line in enumerate(text.splitlines(), start=1):
            if header := _HEADER.match(line):
                place = Place(header[1], counts[header[1]])
                counts[header[1]] += 1
                self._lines[(place, "")] = number
            elif key := _KEY.match(line):
                self._lines.setdefault((place, key[1]), number)
                array = "" if place.section else key[1]
            elif array and _INLINE.match(line):
                self._lines[(Place(array, counts[array]), "")] = number
                counts[array] += 1

    def error(self, reason: str, place: Place, key: str = "") -> TaskError:
        """Return what to raise of a key of a table, or of the whole table."""
        top = Place()
        near = [(place, key), (place, ""), (top, place.section), (top, place.section.partition(".")[0])]
        places = near if place.section else [(place, key), (Place(key), "")]
        line = next((self._lines[item] for item in places if item in self._lines), 1)
        where = f"[{place.section}] " if place.section else ""
        return TaskError(f"{self._file}:{line}: {where}{key + ': ' if key else ''}{reason}")


def read_table(text: str, file: str) -> tuple[TaskSpec, KeyLines]:
    """Read the text of a task.toml: every key has its type and its limits; what it means is not looked at.

    Args:
        text: The whole file.
        file: Its name, for messages.

    Returns:
        What it says, and where it says it.

    Raises:
        TaskError: It is not TOML, or has not the form of a task; the text names file, line and what was expected.
    """
    try:
        table: _Table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = re.search(r"\(at line (\d+)", str(error))
        line = int(match[1]) if match else text.count("\n") + 1
        raise TaskError(f"{file}:{line}: expected TOML: {error}") from None
    lines = KeyLines(text, file)
    return _Reader(lines).build(TaskSpec, table, Place()), lines


@dataclass(frozen=True)
class TableEntry:
    """A field of one of the task's classes, and its key in task.toml.

    Attributes:
        section: A table within the class's own that holds the key; empty where it is that table itself.
        default: What it is where the key is missing; `MISSING` of dataclasses where it must not be.
        limits: The field's metadata.
    """

    name: str
    hint: Any
    section: str
    key: str
    default: Any
    limits: Mapping[str, Any]


@cache
def entries(owner: type) -> tuple[TableEntry, ...]:
    """List the fields of one of the task's classes, in order, with their keys in task.toml."""
    hints = get_type_hints(owner)
    return tuple(_entry(one, hints[one.name]) for one in dataclasses.fields(owner))


def _entry(one: dataclasses.Field[Any], hint: Any) -> TableEntry:
    section, _, key = str(one.metadata.get("toml", one.name)).rpartition(".")
    default = one.default if one.default_factory is dataclasses.MISSING else one.default_factory()
    return TableEntry(one.name, _without_none(hint), section, key, default, one.metadata)


def to_table(owner: type, value: object) -> dict[str, Any]:
    """Return the TOML values that are read as this instance of one of the task's classes (or of a subclass)."""
    table: dict[str, Any] = {}
    for one in entries(owner):
        item = getattr(value, one.name)
        if item != one.default:
            inside = table.setdefault(one.section, {}) if one.section else table
            names = (*inside[one.key], *item) if "table_of" in one.limits else ()
            inside[one.key] = _by_name(one, item, names) if names else _toml(one, item)
    return table


def _toml(entry: TableEntry, item: Any) -> Any:
    if entry.limits.get("joined"):
        return ", ".join(item)
    if dataclasses.is_dataclass(entry.hint):
        return to_table(cast("type", entry.hint), item)
    if get_origin(entry.hint) is not tuple:
        return item
    member = cast("type", get_args(entry.hint)[0])
    return [one if member is str else to_table(member, one) for one in item]


def _by_name(entry: TableEntry, item: Mapping[str, object], names: tuple[str, ...]) -> dict[str, Any]:
    member = cast("type", get_args(entry.hint)[1])
    return {name: to_table(member, item[name]) if name in item else {} for name in names}


def _without_none(hint: Any) -> Any:
    members = [one for one in get_args(hint) if one is not type(None)]
    return members[0] if type(None) in get_args(hint) else hint


class _Reader:
    """Builds the task's classes from parsed TOML, or raises with the line of the key at fault."""

    def __init__(self, lines: KeyLines) -> None:
        self._error = lines.error
        self._tabled = {one.limits["table_of"] for one in entries(TaskSpec) if "table_of" in one.limits}

    def build(self, owner: type[T], table: _Table, place: Place) -> T:
        values: dict[str, Any] = {}
        known = entries(owner)
        for section in dict.fromkeys(one.section for one in known):
            given, where = table, place
            keys = list(dict.fromkeys(one.section or one.key for one in known))
            if section:
                given, where = self._table(table.get(section, {}), place, section), Place(section)
                keys = [one.key for one in known if one.section == section]
            self._known(given, keys, where)
            for one in known:
                if one.section == section and (one.key in given or one.default is dataclasses.MISSING):
                    values[one.name] = self._value(one, given.get(one.key), where)
        return owner(**values)

    def _known(self, table: _Table, known: list[str], place: Place) -> None:
        for key in table:
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                hint = f"; did you mean `{close[0]}`?" if close else ""
                raise self._error(f"expected one of {', '.join(known)}, found `{key}`{hint}", place, key)

    def _value(self, entry: TableEntry, value: object, place: Place) -> Any:
        hint, origin = entry.hint, get_origin(entry.hint)
        if hint is bool:
            if not isinstance(value, bool):
                raise self._error("expected true or false", place, entry.key)
            return value
        if hint is float:
            return self._number(entry, value, place)
        if hint is int:
            return self._whole(entry, value, place)
        if "table_of" in entry.limits:
            return self._by_name(entry, value, place)
        if origin is Literal:
            return self._choice(entry, value, place)
        if dataclasses.is_dataclass(hint):
            return self.build(cast("type[Any]", hint), self._table(value, place, entry.key), Place(entry.key))
        if origin is dict:
            return self._mapping(entry, value, place)
        if origin is tuple and not entry.limits.get("joined"):
            member = get_args(hint)[0]
            return self._names(entry, value, place) if member is str else self._tables(entry, value, place)
        text = self._text(entry, value, place)
        return self._bounded(entry, tuple(split_arguments(text)), place) if origin is tuple else text

    def _bounded(self, entry: TableEntry, value: tuple[T, ...], place: Place) -> tuple[T, ...]:
        most = entry.limits.get("max_length", math.inf)
        if len(value) > most:
            raise self._error(f"expected at most {most}, found {len(value)}", place, entry.key)
        return value

    def _text(self, entry: TableEntry, value: object, place: Place) -> str:
        if not isinstance(value, str) or not value.strip():
            found = "nothing" if value is None else repr(value)
            raise self._error(f"expected a text, found {found}", place, entry.key)
        text, most = value.strip(), entry.limits.get("max_length", math.inf)
        if not entry.limits.get("joined") and len(text) > most:
            raise self._error(f"expected at most {most} characters, found {len(text)}", place, entry.key)
        return text

    def _choice(self, entry: TableEntry, value: object, place: Place) -> str:
        text, known = self._text(entry, value, place), get_args(entry.hint)
        if text not in known:
            raise self._error(f"expected one of {', '.join(known)}, found `{text}`", place, entry.key)
        return text

    def _number(self, entry: TableEntry, value: object, place: Place) -> float:
        least, most = entry.limits["gt"], entry.limits.get("le", math.inf)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not least < cast("float", value) <= most or value == math.inf:
            limit = f"above {least}" + ("" if most == math.inf else f" and at most {most}")
            raise self._error(f"expected a number {limit}, found {value!r}", place, entry.key)
        return float(cast("float", value))

    def _whole(self, entry: TableEntry, value: object, place: Place) -> int:
        if not _is_size(value):
            raise self._error(f"expected a whole number of at least 1, found {value!r}", place, entry.key)
        return cast("int", value)

    def _by_name(self, entry: TableEntry, value: object, place: Place) -> dict[str, Any]:
        """Tables by name; nothing where the key holds the list of names alone, which another field reads."""
        if not isinstance(value, dict):
            return {}
        member, found = get_args(entry.hint)[1], dict[str, Any]()
        for name, one in cast("dict[str, object]", value).items():
            if not isinstance(one, dict):
                keys = ", ".join(known.key for known in entries(member))
                reason = f"expected a table of {keys}, found {one!r}"
                raise self._error(reason, Place(entry.key), name)
            found[name] = self.build(member, cast("_Table", one), Place(f"{entry.key}.{name}"))
        return {name: one for name, one in found.items() if one != member()}

    def _names(self, entry: TableEntry, value: object, place: Place) -> tuple[str, ...]:
        if isinstance(value, dict) and entry.key in self._tabled:
            value = list(cast("dict[str, object]", value))
        if not isinstance(value, list) or not value:
            raise self._error(f"expected a list of {entry.limits['items']}", place, entry.key)
        for name in cast("list[object]", value):
            if not isinstance(name, str):
                raise self._error(
                    f"expected a list of {entry.limits['items']}, found {name!r}", place, entry.key
                )
        return self._bounded(entry, tuple(cast("list[str]", value)), place)

    def _tables(self, entry: TableEntry, value: object, place: Place) -> tuple[Any, ...]:
        if value is None or value == []:
            raise self._error(f"expected at least one [[{entry.key}]] table", place, entry.key)
        items = cast("list[object]", value) if isinstance(value, list) else []
        if not items or not all(isinstance(item, dict) for item in items):
            raise self._error(f"expected [[{entry.key}]] tables", place, entry.key)
        member, tables = get_args(entry.hint)[0], cast("list[_Table]", items)
        found = tuple(self.build(member, item, Place(entry.key, index)) for index, item in enumerate(tables))
        return self._bounded(entry, found, place)

    def _mapping(self, entry: TableEntry, value: object, place: Place) -> dict[str, Any]:
        table = dict(self._table(value, place, entry.key))
        self._bounded(entry, tuple(table), place)
        kind = get_args(entry.hint)[1]
        for name, item in table.items():
            right = _is_size(item) if kind is int else isinstance(item, kind)
            if not right:
                reason = f"expected {entry.limits['items']} for {name}, found {item!r}"
                raise self._error(reason, place, entry.key)
        return table

    def _table(self, value: object, place: Place, key: str) -> _Table:
        if not isinstance(value, dict):
            raise self._error("expected a table", place, key)
        return cast("_Table", value)


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 2**31
