"""What never leaves over HTTP: where files lie on the server's machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult

from agent.home import Home

_PACKAGES = Path(__file__).resolve().parents[3]


class Discretion:
    """Middleware of a server that puts names in the place of folders: of its home, of this program, of its person."""

    def __init__(self, home: Home) -> None:
        """Know the folders, the deepest first."""
        folders = {home.root: "HOME", _PACKAGES: "WARPWRIGHT", Path(sys.prefix): "PYTHON", Path.home(): "~"}
        named = [(str(path), name) for path, name in folders.items() if path != Path(path.anchor)]
        self._folders = sorted(named, key=lambda pair: -len(pair[0]))

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Answer one request."""
        try:
            result = await call_next(ctx)
        except MCPError as error:
            raise MCPError(error.code, self.without_paths(error.message), error.data) from error
        if isinstance(result, CallToolResult):
            plain = result.model_dump(mode="json", by_alias=True, exclude_none=True)
            return CallToolResult.model_validate(self._cleaned(plain))
        return cast("dict[str, Any]", self._cleaned(result)) if isinstance(result, dict) else result

    def without_paths(self, text: str) -> str:
        """Return a text with names in the place of folders."""
        for folder, name in self._folders:
            text = text.replace(folder, name)
        return text

    def _cleaned(self, value: object) -> object:
        if isinstance(value, str):
            return self.without_paths(value)
        if isinstance(value, dict):
            return {key: self._cleaned(one) for key, one in cast("dict[str, object]", value).items()}
        if isinstance(value, list):
            return [self._cleaned(one) for one in cast("list[object]", value)]
        return value
