"""A kernel file in several files: `#include "x.cuh"` from its own folder, put in its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from tools.kernel.file import MAX_BYTES, KernelFileError

_INCLUDE = re.compile(
    r'^[ \t]*#[ \t]*include[ \t]*"([A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.(?:cuh|h|hpp|inl))"[ \t]*\r?$',
    re.MULTILINE,
)
_ONCE = re.compile(r"^[ \t]*#[ \t]*pragma[ \t]+once[ \t]*\r?$", re.MULTILINE)
_MOST_FILES = 32


def with_included(text: str, folders: Sequence[Path], file: str = "kernel.cu") -> str:
    """Put the files that a kernel file includes from some folders in the place of their includes, each once.

    Lines of the result count from its own beginning, what was put in among them. An include that none of the folders
    has stays as it is: it may be a header of CUDA's.

    Args:
        text: The kernel file.
        folders: Where its files may lie; only there, not below.
        file: The name to show in messages.

    Raises:
        KernelFileError: A file cannot be read as text, or all of them together are too long.
    """
    if '"' not in text or not _INCLUDE.search(text):
        return text
    seen: set[str] = set()

    def put_in(found: re.Match[str]) -> str:
        name = found[1]
        path = next((folder / name for folder in folders if (folder / name).is_file()), None)
        if path is None:
            return found[0]
        if name in seen:
            return f"// {name} stands above"
        seen.add(name)
        if len(seen) > _MOST_FILES:
            raise KernelFileError(f"expected at most {_MOST_FILES} files of its own", 1, file)
        return f"// {name}\n{_expanded(_text(path, file), put_in)}\n// end of {name}"

    whole = _expanded(text, put_in)
    if len(whole.encode(errors="replace")) > MAX_BYTES:
        raise KernelFileError(f"expected at most {MAX_BYTES // 1024} KiB with what it includes", 1, file)
    return whole


def _expanded(text: str, put_in: Callable[[re.Match[str]], str]) -> str:
    return _INCLUDE.sub(put_in, text)


def _text(path: Path, file: str) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise KernelFileError(f"expected {path.name} to be at most {MAX_BYTES // 1024} KiB", 1, file)
        return _ONCE.sub("", path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise KernelFileError(f"expected text in {path.name}: {error}", 1, file) from None
