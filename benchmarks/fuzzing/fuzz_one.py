"""One target under libFuzzer, in a process of its own.

python -m benchmarks.fuzzing.fuzz_one NAME [OPTION OF LIBFUZZER]... [FOLDER]
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["agent", "tools", "sandbox"]):
    from benchmarks.fuzzing.targets import TARGETS

if __name__ == "__main__":
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()
