"""Programs compiled elsewhere and carried in a file, or compiled on the spot by nvcc.

    python -m benchmarks.gpu.programs --out FILE [--architecture sm_90]

writes the file, on a machine with warpwright installed: every program that `python -m benchmarks.gpu` asks for.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from benchmarks.gpu import instruction_tests
from benchmarks.gpu.kernels import Entry, entries
from sandbox import codec, message_file
from sandbox.program import CompileRequest, CompileResult, Diagnostic
from tools.stages.compiling import Compiles, CompileStage


@dataclass(frozen=True)
class Carried:
    """One compilation in the file."""

    key: str
    result: CompileResult


def request_key(request: CompileRequest) -> str:
    """Return what a request is found by."""
    return hashlib.sha256(json.dumps(astuple(request)).encode()).hexdigest()


class CarriedCompiler:
    """Answers from a file; what is not in it is a failed compilation, and says so."""

    def __init__(self, file: Path) -> None:
        """Read the file.

        Raises:
            WorkerProtocolError: It is none that `write` wrote.
        """
        self._results: dict[str, CompileResult] = {}
        with file.open("rb") as opened:
            while (message := message_file.read(opened)) is not None:
                carried = codec.from_message(message, Carried)
                self._results[carried.key] = carried.result

    async def compile(self, request: CompileRequest, *, cpu_s: float) -> CompileResult:
        """Look it up."""
        found = self._results.get(request_key(request))
        if found is not None:
            return found
        text = f"not among the carried programs ({request.architecture}): write the file anew from this source tree"
        return CompileResult(None, (Diagnostic("error", text),))

    async def aclose(self) -> None:
        """Nothing to stop."""


class Recorder:
    """Passes requests on and remembers the answers."""

    def __init__(self, compiler: Compiles) -> None:
        """Record what this compiler says."""
        self._compiler = compiler
        self.results: dict[str, CompileResult] = {}

    async def compile(self, request: CompileRequest, *, cpu_s: float) -> CompileResult:
        """Compile and remember."""
        result = await self._compiler.compile(request, cpu_s=cpu_s)
        self.results[request_key(request)] = result
        return result


async def write(
    compiler: Compiles, architecture: str, file: Path, kernels: Sequence[Entry]
) -> tuple[int, list[str]]:
    """Compile all that these kernels and the instruction tests need into a file.

    Returns:
        How many programs it holds, and what did not compile.
    """
    recorder = Recorder(compiler)
    stage = CompileStage(recorder, architecture)
    failed: list[str] = []
    for entry in kernels:
        for text in dict.fromkeys((entry.task.baseline, entry.text)):
            for case in (*entry.task.tests, *entry.task.benches):
                compiled = await stage.compile(entry.task, text, case.dims)
                if compiled.build is None:
                    failed.append(f"{entry.group}/{entry.variant}: {compiled.report.message}")
    for request in instruction_tests.requests(architecture):
        result = await recorder.compile(request, cpu_s=60)
        if result.program is None:
            failed.append(f"instruction tests: {result.log[:500]}")
    with file.open("wb") as opened:
        for key, result in recorder.results.items():
            message_file.append(opened, codec.to_message(Carried(key, result)))
    return len(recorder.results), list(dict.fromkeys(failed))


async def _main(file: Path, architecture: str, only: tuple[str, ...]) -> int:
    from sandbox.compiler.service import Compiler
    from sandbox.isolation.choose import choose_isolation

    with tempfile.TemporaryDirectory() as cache:
        async with Compiler(choose_isolation(), cache=Path(cache)) as compiler:
            count, failed = await write(compiler, architecture, file, entries(only))
    sys.stdout.write(f"{count} programs for {architecture} in {file}, {file.stat().st_size >> 10} KiB\n")
    sys.stdout.write("".join(f"{line}\n" for line in failed))
    return 1 if failed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 where something did not compile."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.programs", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, required=True, help="the file")
    parser.add_argument("--architecture", default="sm_90", help="of the GPU (%(default)s)")
    parser.add_argument("--task", action="append", default=[], help="only this one, as in the table")
    given = parser.parse_args(arguments)
    return asyncio.run(_main(given.out, given.architecture, tuple(given.task)))


if __name__ == "__main__":
    raise SystemExit(main())
