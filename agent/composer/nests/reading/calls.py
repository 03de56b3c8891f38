"""Functions of a reference's own, and what they are called with."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.composer.nests.arrays import NotExpressed
from agent.composer.nests.reading.turns import Scope


class Returned(Exception):
    """`return`, with what is returned."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


@dataclass(frozen=True, eq=False)
class OwnFunction:
    """A function of the reference's own.

    Attributes:
        defaults: Of its parameters, as they were when it was defined.
        scope: The names around it.
        is_library: Whether it is not the reference's own, but one that is written like that.
    """

    node: ast.FunctionDef | ast.Lambda
    body: Sequence[ast.stmt]
    defaults: Mapping[str, Any]
    scope: Scope
    is_library: bool = False

    def bound(self, around: Scope, arguments: Sequence[Any], words: Mapping[str, Any]) -> Scope:
        """Its names when it is called so, on top of those around it."""
        spec = self.node.args
        names = [one.arg for one in (*spec.posonlyargs, *spec.args)]
        known = [*names, *(one.arg for one in spec.kwonlyargs)]
        given = dict(self.defaults) | dict(zip(names, arguments, strict=False))
        more = {name: value for name, value in words.items() if name not in known}
        given |= {name: value for name, value in words.items() if name in known}
        for name in known:
            if name not in given:
                raise NotExpressed(f"a call without `{name}`")
        if spec.vararg:
            given[spec.vararg.arg] = tuple(arguments[len(names) :])
        elif len(arguments) > len(names):
            raise NotExpressed("a call with more arguments than there are parameters")
        if spec.kwarg:
            given[spec.kwarg.arg] = more
        elif more:
            raise NotExpressed(f"a call with `{next(iter(more))}`, which is no parameter")
        return around | given

    def free_names(self) -> set[str]:
        """Names that it mentions and that are no parameters."""
        spec = self.node.args
        own = {one.arg for one in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)}
        return {one.id for part in self.body for one in ast.walk(part) if isinstance(one, ast.Name)} - own


def defaults_of(spec: ast.arguments) -> dict[str, ast.expr]:
    """The defaults of parameters by name."""
    names = [one.arg for one in (*spec.posonlyargs, *spec.args)]
    found = dict(zip(names[len(names) - len(spec.defaults) :], spec.defaults, strict=True))
    later = zip(spec.kwonlyargs, spec.kw_defaults, strict=True)
    return found | {one.arg: part for one, part in later if part is not None}
