"""Compile results on disk, by content. One file an entry: a checksum, then a message as on the wire."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from dataclasses import replace
from pathlib import Path

from sandbox import codec, wire
from sandbox.errors import WorkerProtocolError
from sandbox.program import CompileResult

_LIMITS = wire.MessageLimits()
_SUFFIX = ".compiled"


class CompileCache:
    """A folder of compile results. An unreadable entry is a miss; a full disk costs only the saving."""

    def __init__(self, folder: Path, *, max_bytes: int = 1 << 30) -> None:
        """Use a folder; it is made when the first entry is written.

        Args:
            folder: Where entries lie.
            max_bytes: Beyond it, the entries that were not used for longest go.
        """
        self._folder = folder
        self._max_bytes = max_bytes

    def get(self, key: str) -> CompileResult | None:
        """Return the entry, marked as cached, or None where there is none that is whole."""
        path = self._path(key)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        digest, _, message = content.partition(b"\n")
        if hashlib.sha256(message).hexdigest().encode() != digest:
            return None
        try:
            return replace(codec.from_message(_parse(message), CompileResult), cached=True)
        except WorkerProtocolError:  # written by another version of ours
            return None

    def put(self, key: str, result: CompileResult) -> None:
        """Write an entry in one step; whoever reads sees all of it or nothing."""
        message = b"".join(bytes(part) for part in wire.pack(codec.to_message(result), _LIMITS))
        path = self._path(key)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(hashlib.sha256(message).hexdigest().encode() + b"\n" + message)
                os.replace(name, path)
            except OSError:
                Path(name).unlink(missing_ok=True)

    def prune(self) -> None:
        """Remove the entries that were not used for longest until the folder is within its size."""
        entries: list[tuple[float, int, Path]] = []
        for path in self._folder.glob(f"*/*{_SUFFIX}"):
            with contextlib.suppress(OSError):
                status = path.stat()
                entries.append((status.st_mtime, status.st_size, path))
        excess = sum(size for _, size, _ in entries) - self._max_bytes
        for _, size, path in sorted(entries):
            if excess <= 0:
                return
            with contextlib.suppress(OSError):
                path.unlink()
            excess -= size

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}{_SUFFIX}"


def _parse(content: bytes) -> wire.Message:
    start = wire.PREAMBLE_BYTES
    end = start + wire.header_length(content[:start], _LIMITS)
    outline = wire.parse_header(content[start:end], _LIMITS)
    buffers: list[tuple[str, wire.Buffer]] = []
    for name, dtype, shape in outline.buffers:
        if dtype != wire.BYTES or end + shape[0] > len(content):
            raise WorkerProtocolError("not an entry of the compile cache")
        buffers.append((name, content[end : end + shape[0]]))
        end += shape[0]
    return wire.Message(outline.body, tuple(buffers))
