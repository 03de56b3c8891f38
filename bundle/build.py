"""Writes the MCP bundle: python bundle/build.py dist/warpwright.mcpb."""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_FOLDERS = ("warpwright", "agent", "tools", "sandbox", "prompts", "examples/tasks", "examples/suites")
_FILES = ("pyproject.toml", "README.md", "LICENSE", "bundle/serve.py")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def contents() -> Iterator[tuple[str, Path]]:
    """Yield what the bundle holds: name inside, file here."""
    yield "manifest.json", ROOT / "bundle/manifest.json"
    for name in _FILES:
        yield name, ROOT / name
    for folder in _FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), path


def build(target: Path) -> None:
    """Write the bundle; the same files give the same bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, path in contents():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            bundle.writestr(entry, path.read_bytes())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path, nargs="?", default=ROOT / "dist/warpwright.mcpb")
    build(parser.parse_args().target)
