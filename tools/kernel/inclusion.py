"""The files that a kernel file includes from its own folder, put behind it in one text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tools.kernel.file import MAX_BYTES, KernelFileError
from tools.kernel.sections import MARK, OWN_INCLUDE, sections_of

_MOST_FILES = 32


def with_included(text: str, folders: Sequence[Path], file: str = "kernel.cu") -> str:
    """Put the files that a kernel file includes from some folders behind it, each once (`tools.kernel.sections`).

    An include that none of the folders has stays alone: it may be a header of CUDA's.

    Args:
        text: The kernel file; files that stand behind it already are taken as they are.
        folders: Where its files may lie; only there, not below.
        file: The name to show in messages.

    Raises:
        KernelFileError: A file cannot be read as text, or all of them together are too long.
    """
    whole, seen = text, {section.name for section in sections_of(text)}
    waiting = OWN_INCLUDE.findall(text)
    while waiting:
        name = waiting.pop(0)
        path = next((folder / name for folder in folders if (folder / name).is_file()), None)
        if path is None or name in seen:
            continue
        seen.add(name)
        if len(seen) > _MOST_FILES:
            raise KernelFileError(f"expected at most {_MOST_FILES} files of its own", 1, file)
        part = _text(path, file)
        waiting += OWN_INCLUDE.findall(part)
        whole = "".join([whole, "" if whole.endswith("\n") else "\n", f"{MARK}{name}\n", part])
    if len(whole.encode(errors="replace")) > MAX_BYTES:
        raise KernelFileError(f"expected at most {MAX_BYTES // 1024} KiB with what it includes", 1, file)
    return whole


def _text(path: Path, file: str) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise KernelFileError(f"expected {path.name} to be at most {MAX_BYTES // 1024} KiB", 1, file)
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise KernelFileError(f"expected text in {path.name}: {error}", 1, file) from None
