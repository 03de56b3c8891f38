"""How a reference imports: modules of ours by their plain names, and what takes the place of others."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from sandbox.reference import special, torch_operators
from sandbox.reference.running_error.namespace import Overlay

Import = Callable[..., Any]


def importing(replaced: Mapping[str, ModuleType]) -> Import:
    """Return an `__import__` that knows our own modules, gives `special` for SciPy's, and replaces modules."""
    facade = _special()
    replaced = {torch_operators.MODULE: _torch_operators()} | dict(replaced)

    def load(
        name: str,
        globals: Any = None,
        locals: Any = None,
        fromlist: Any = (),
        level: int = 0,
    ) -> Any:
        if name == "special" or (name == "scipy.special" and fromlist):
            return facade
        if name in ("scipy.special", "scipy"):
            return _scipy(facade)
        if name in replaced:
            top = name.partition(".")[0]
            return replaced[name if fromlist else top]
        found = builtins.__import__(name, globals, locals, fromlist, level)
        return replaced.get(name.partition(".")[0], found) if not fromlist else found

    return load


def _torch_operators() -> ModuleType:
    facade = ModuleType(torch_operators.MODULE)
    facade.__dict__["aten"] = torch_operators.aten
    return facade


def _special() -> ModuleType:
    facade = ModuleType("special")
    facade.__dict__.update({name: getattr(special, name) for name in special.NAMES})

    def missing(name: str) -> Any:
        try:
            return getattr(builtins.__import__("scipy.special", fromlist=["special"]), name)
        except ImportError:
            known = ", ".join(special.NAMES)
            raise AttributeError(f"no special function {name}; there are {known}") from None

    facade.__dict__["__getattr__"] = missing
    return facade


def _scipy(facade: ModuleType) -> ModuleType:
    try:
        found = builtins.__import__("scipy")
    except ImportError:
        found = ModuleType("scipy")
    return Overlay(found, {"special": facade})
