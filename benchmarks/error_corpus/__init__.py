"""Kernels whose verdict is known: plain ones of user-like references, and ones that lose precision or a term.

The files beside this one hold them; `elementwise.toml` says in which form.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from sandbox.dtypes import DTYPE_BYTES
from tools.tasks import folder as task_folder
from tools.tasks.task import Task

_HERE = Path(__file__).parent
_PRELUDE = {
    "float16": (
        "#include <cuda_fp16.h>\ntypedef __half T;\n#define F(x) __half2float(x)\n#define H(x) __float2half_rn(x)\n"
    ),
    "bfloat16": (
        "#include <cuda_bf16.h>\ntypedef __nv_bfloat16 T;\n"
        "#define F(x) __bfloat162float(x)\n#define H(x) __float2bfloat16_rn(x)\n"
    ),
    "float32": "typedef float T;\n#define F(x) (x)\n#define H(x) ((float)(x))\n",
    "float64": "typedef double T;\n#define F(x) (x)\n#define H(x) (x)\n",
}


@dataclass(frozen=True)
class Sample:
    """One kernel of the corpus.

    Attributes:
        honest: Whether it must pass, or must be refused.
    """

    task: str
    dtype: str
    kernel: str
    honest: bool
    text: str


class Corpus:
    """The corpus, and where its tasks are written as folders."""

    def __init__(self, folder: Path) -> None:
        """Read the files; tasks go below `folder`."""
        self._folder = folder
        self._entries: dict[str, Any] = {}
        for path in sorted(_HERE.glob("*.toml")):
            self._entries |= tomllib.loads(path.read_text())

    def names(self) -> list[str]:
        """The tasks."""
        return list(self._entries)

    def samples(self) -> Iterator[Sample]:
        """Every kernel: first a task's plain one in every dtype, then the others."""
        for name, entry in self._entries.items():
            for dtype in entry["dtypes"]:
                yield Sample(name, dtype, "plain", True, _PRELUDE[dtype] + entry["kernel"])
            for kind, honest in (("honest", True), ("lost", False)):
                for kernel, change in entry.get(kind, {}).items():
                    text = _PRELUDE[change["dtype"]] + _changed(name, entry["kernel"], change)
                    yield Sample(name, change["dtype"], kernel, honest, text)

    def task(self, name: str, dtype: str) -> Task:
        """A task in one dtype, with its plain kernel as baseline."""
        entry = self._entries[name]
        folder = self._folder / f"{name}-{dtype}"
        if not folder.is_dir():
            folder.mkdir(parents=True)
            (folder / "task.toml").write_text(tomli_w.dumps(_table(name, entry, dtype)))
            (folder / "reference.py").write_text(entry["reference"].lstrip())
            (folder / "baseline.cu").write_text(_PRELUDE[dtype] + entry["kernel"])
        return task_folder.load(folder)


def _changed(name: str, kernel: str, change: Mapping[str, Any]) -> str:
    if "text" in change:
        return str(change["text"])
    for old, new in change["edits"]:
        if old not in kernel:
            msg = f"{name}: there is no `{old}` to change"
            raise ValueError(msg)
        kernel = kernel.replace(old, new, 1)
    return kernel


def _table(name: str, entry: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    table: dict[str, Any] = {"name": f"{name}_{dtype}", "summary": name.replace("_", " ") + "."}
    table["dims"] = list(entry["tests"][0])
    table |= {key: entry[key] for key in ("deterministic", "accumulate") if key in entry}
    table["args"] = [_argument(one, text, dtype) for one, text in entry["args"].items()]
    table["cost"] = {"flops": "1", "bytes": "1"}
    table["test"] = [{"dims": dims} for dims in entry["tests"]]
    table["bench"] = [{"dims": dims} for dims in entry["benches"]]
    return table


def _argument(name: str, text: str, dtype: str) -> dict[str, str]:
    role, *words = text.split()
    chosen = words.pop(0) if words[0] in DTYPE_BYTES else dtype
    data = words.pop() if words[-1].endswith(")") else "normal(0, 1)"
    argument = {"name": name, "role": role, "dtype": chosen, "shape": " ".join(words)}
    return argument if role == "out" else argument | {"data": data}
