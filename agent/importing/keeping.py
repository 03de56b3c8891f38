"""Tasks that were made of what a user gave, kept by their content, so that runs, reports and exports find them."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

from agent.home import Home
from sandbox.errors import UsageError
from tools.tasks import folder as task_folder
from tools.tasks.drafting import files_of, write_folder
from tools.tasks.task import Task, WholeTask


def kept_task(draft: WholeTask, home: Home, beside: Mapping[str, str] | None = None) -> Task:
    """Keep a draft below the home and return it as a task; the same draft again is the same folder.

    Args:
        draft: The task.
        home: Where it is kept.
        beside: Files that lie in its folder too, by name.

    Raises:
        UsageError: A field of it cannot be used; nothing is kept.
    """
    more = dict(beside or {})
    texts = [*files_of(draft).values(), *draft.captured_files.values(), *more.values()]
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()
    target = home.imported / f"{draft.name}-{digest[:12]}"
    if target.is_dir():
        return task_folder.load(target)
    home.imported.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=home.imported, ignore_cleanup_errors=True) as made:
        folder = Path(made) / draft.name
        write_folder(draft, folder)
        for name, text in more.items():
            (folder / name).write_text(text, encoding="utf-8")
        try:
            task_folder.load(folder)
        except UsageError as error:
            raise UsageError(str(error).replace(f"{folder.resolve()}/", "")) from None
        with contextlib.suppress(OSError):  # another process kept the same one just now
            folder.rename(target)
    return task_folder.load(target)
