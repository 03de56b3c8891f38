"""`install`: the server's entry in an MCP client's configuration, written or printed, never over what is there."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from agent.cli.outcome import ExitStatus, conclude
from sandbox.errors import UsageError

NAME = "warpwright"


class ClientName(StrEnum):
    """The clients whose configuration is known."""

    CLAUDE_DESKTOP = "claude-desktop"
    CLAUDE_CODE = "claude-code"
    VSCODE = "vscode"
    CURSOR = "cursor"
    CODEX = "codex"
    GEMINI_CLI = "gemini-cli"


@dataclass(frozen=True)
class Configuration:
    """Where a client keeps its servers.

    Attributes:
        path: The file, below the person's home, or below the current folder where that is what the client reads.
        key: Under which its servers stand.
        typed: Whether an entry says that it is a process (`"type": "stdio"`).
    """

    path: Path
    key: str = "mcpServers"
    typed: bool = False


def configuration(client: ClientName, home: Path, here: Path, platform: str) -> Configuration:
    """Return where a client keeps its servers on a platform (`sys.platform`)."""
    desktop = {
        "darwin": home / "Library/Application Support/Claude",
        "win32": home / "AppData/Roaming/Claude",
    }.get(platform, home / ".config/Claude")
    return {
        ClientName.CLAUDE_DESKTOP: Configuration(desktop / "claude_desktop_config.json"),
        ClientName.CLAUDE_CODE: Configuration(here / ".mcp.json"),
        ClientName.VSCODE: Configuration(here / ".vscode/mcp.json", "servers", typed=True),
        ClientName.CURSOR: Configuration(home / ".cursor/mcp.json"),
        ClientName.CODEX: Configuration(home / ".codex/config.toml", "mcp_servers"),
        ClientName.GEMINI_CLI: Configuration(home / ".gemini/settings.json"),
    }[client]


def entry(command: Path, *, typed: bool) -> dict[str, Any]:
    """Return the server's entry, with an absolute path: clients start it from anywhere."""
    kind = {"type": "stdio"} if typed else {}
    return {**kind, "command": str(command), "args": ["serve"]}


def added(text: str, into: Configuration, server: Mapping[str, Any]) -> str | None:
    """Return a configuration file's text with the server in it; None where it is there already.

    Raises:
        UsageError: The file is not what its client reads, or has another server of that name.
    """
    if into.path.suffix == ".toml":
        return _added_to_toml(text, into, server)
    try:
        read: object = json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise UsageError(
            f"{into.path} is not plain JSON ({error}): add the server by hand, see --print"
        ) from None
    if not isinstance(read, dict):
        raise UsageError(f"{into.path} holds no object: add the server by hand, see --print")
    whole = cast("dict[str, Any]", read)
    servers = whole.setdefault(into.key, {})
    if _known(servers.get(NAME), server, into.path):
        return None
    servers[NAME] = dict(server)
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _added_to_toml(text: str, into: Configuration, server: Mapping[str, Any]) -> str | None:
    import tomllib

    import tomli_w

    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{into.path} is not TOML ({error}): add the server by hand, see --print") from None
    if _known(read.get(into.key, {}).get(NAME), server, into.path):
        return None
    block = tomli_w.dumps({into.key: {NAME: dict(server)}})
    return f"{text.rstrip()}\n\n{block}" if text.strip() else block


def _known(there: object, server: Mapping[str, Any], path: Path) -> bool:
    if there is not None and there != server:
        raise UsageError(f"{path} has another server called {NAME}, which is left as it is: see --print")
    return there is not None


def install(
    client: Annotated[ClientName, typer.Argument(help="Which client.", show_default=False)],
    only_print: Annotated[
        bool, typer.Option("--print", help="Print file and entry, and write nothing.")
    ] = False,
) -> None:
    """Add the MCP server to a client's configuration.

    Claude Code and VS Code read a file of the current folder; the others one of your home. Nothing that is there is
    changed.
    """

    async def work() -> ExitStatus:
        into = configuration(client, Path.home(), Path.cwd(), sys.platform)
        server = entry(_command(), typed=into.typed)
        if only_print:
            typer.echo(f"{into.path}:")
            typer.echo(added("", into, server) or "")
            return ExitStatus.DONE
        text = into.path.read_text(encoding="utf-8") if into.path.is_file() else ""
        changed = added(text, into, server)
        if changed is None:
            typer.echo(f"{into.path} has it already")
            return ExitStatus.DONE
        into.path.parent.mkdir(parents=True, exist_ok=True)
        into.path.write_text(changed, encoding="utf-8")
        typer.echo(f"added to {into.path}; restart {client} to load it")
        return ExitStatus.DONE

    conclude(work, as_json=False)


def _command() -> Path:
    """The command of this environment, by its absolute path."""
    beside = Path(sys.executable).with_name(NAME)
    if beside.is_file():
        return beside
    called = Path(sys.argv[0]).absolute()
    if called.is_file():
        return called
    raise UsageError(
        f"no command {NAME} lies beside {sys.executable}: install it there with pip install {NAME}"
    )
