"""`warpwright.toml`: what a person always wants, in the home; what a project wants, in its folder; flags win."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.budget import SearchBudget, TokenPrice
from agent.home import Home
from agent.model_settings import ModelSettings
from sandbox.errors import UsageError

NAME = "warpwright.toml"
_COMMANDS = "run programs of their choice on your machine"
_OWN_FILE_ONLY = {"base_url": "be sent your key", "coder_command": _COMMANDS, "coder_writes": _COMMANDS}
"""Keys of [models] that a project's file may not set, and what its writer could do else."""
M = TypeVar("M", bound=BaseModel)


class _ModelTable(ModelSettings):
    model: str | None = None
    base_url: str | None = None


class _StoreTable(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    database: str | None = None


class _SupervisorTable(BaseModel):
    """How much a home's supervisor does.

    Attributes:
        jobs_at_once: Jobs that share the workers of its machine; more would only make each other wait.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    jobs_at_once: int = Field(default=8, ge=1, le=256)


class SettingsFile(BaseModel):
    """What the files say: `[models]`, `[budget]`, `[store]`, `[supervisor]` and `[prices."MODEL"]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    models: _ModelTable = Field(default_factory=_ModelTable)
    budget: SearchBudget = Field(default_factory=SearchBudget)
    prices: dict[str, TokenPrice] = Field(default_factory=dict[str, TokenPrice])
    store: _StoreTable = Field(default_factory=_StoreTable)
    supervisor: _SupervisorTable = Field(default_factory=_SupervisorTable)

    def model_settings(self, **flags: object) -> ModelSettings:
        """Return how models are asked; flags that were given, which are not None, come first."""
        known = self.models.model_dump(exclude={"model", "base_url", "prices"})
        return _validated(ModelSettings, {**known, "prices": self.prices, **_given(flags)})

    def without_programs(self) -> Self:
        """Return the settings without the programs that they name."""
        tables = self.models.model_copy(update={"coder_command": None, "coder_writes": ()})
        return self.model_copy(update={"models": tables})

    def limits(self, **flags: float | None) -> SearchBudget:
        """Return the budget; flags that were given come first."""
        return _validated(SearchBudget, {**self.budget.model_dump(), **_given(flags)})


def read_settings(home: Home, project: Path) -> SettingsFile:
    """Return the settings of a home with those of a project on top.

    Raises:
        UsageError: A file cannot be read; the text names it and what was expected.
    """
    tables = _tables(home.root / NAME), _tables(project / NAME)
    if project != home.root:
        for name, danger in _OWN_FILE_ONLY.items():
            if name in tables[1].get("models", {}):
                flag = f"--{name.replace('_', '-')}"
                raise UsageError(
                    f"{project / NAME}: {name} of [models] is taken from {home.root / NAME} or {flag} alone, since"
                    f" whoever wrote a project's file would {danger}"
                )
        if tables[1].get("store"):
            raise UsageError(
                f"{project / NAME}: [store] is taken from {home.root / NAME} or WARPWRIGHT_DATABASE alone, since"
                " whoever wrote a project's file would be sent your runs"
            )
    merged = {
        name: {**tables[0].get(name, {}), **tables[1].get(name, {})} for name in {**tables[0], **tables[1]}
    }
    return SettingsFile.model_validate(merged)


def _tables(path: Path) -> dict[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    try:
        tables = tomllib.loads(text)
        SettingsFile.model_validate(tables)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:4])
        raise UsageError(
            f'{path}: {wrong}; known are [models], [budget], [store], [supervisor] and [prices."MODEL"]'
        ) from None
    return tables


def _validated(shape: type[M], values: Mapping[str, object]) -> M:
    try:
        return shape.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(f"{_flag(str(one['loc'][0]))}: {one['msg']}" for one in error.errors()[:4])
        raise UsageError(wrong) from None


def _flag(name: str) -> str:
    return {"timeout_s": "--model-timeout", "coder": "--coder-model"}.get(name, f"--{name.replace('_', '-')}")


def _given(flags: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in flags.items() if value is not None}
