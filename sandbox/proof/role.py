"""The worker's side of proofs: asks the verifier about one launch."""

from __future__ import annotations

import importlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.plan import Launch, ScalarArgument
from sandbox.proof.opinion import LaunchProof, Opinion
from sandbox.simulator.ptx.parser import PtxSyntaxError, parse
from sandbox.worker.messages import ProveCall

_SCHEMA = "spverify.kernel-input/v1"
_CHARACTERS = 600
_CONTRADICTED = frozenset({"potential_race", "not_wellsynced", "invalid_lifecycle"})
_DECIDED = _CONTRADICTED | {"race_free"}


@dataclass(frozen=True)
class ProofRole:
    """Role `prove`. It starts the verifier's program, which inherits every limit."""

    accepts: tuple[type[Any], ...] = (ProveCall,)

    def answer(self, call: ProveCall) -> LaunchProof:
        """Ask the verifier."""
        launch = call.launch
        started = time.monotonic()
        try:
            told = _configuration(call)
            found = _verified(call, told)
        except PtxSyntaxError as error:
            return _undecided(launch, f"its PTX cannot be read: {error}")
        except OSError as error:
            return _undecided(launch, f"the verifier cannot run under this isolation: {error}")
        result = str(found.get("result", ""))
        if result not in _DECIDED and time.monotonic() - started > call.seconds:
            return _undecided(launch, f"no answer within {call.seconds:g} s")
        if result == "race_free":
            return LaunchProof(launch.kernel, launch.line, Opinion.PROVED, "")
        opinion = Opinion.CONTRADICTED if result in _CONTRADICTED else Opinion.UNDECIDED
        return LaunchProof(launch.kernel, launch.line, opinion, _said(result, found))


def _configuration(call: ProveCall) -> dict[str, Any]:
    """The launch as the verifier reads it: sizes, and the value of every scalar in its parameter's type."""
    launch = call.launch
    entry = call.program.symbols.get(launch.kernel, launch.kernel)
    declared = parse(call.program.ptx).functions[entry].parameters
    scalars = [
        {"parameter": place, "type": parameter.kind, "value": argument.value}
        for place, (parameter, argument) in enumerate(zip(declared, launch.arguments, strict=True))
        if isinstance(argument, ScalarArgument)
    ]
    return {
        "schema": _SCHEMA,
        "entry": entry,
        "launch": {
            "grid_dim": list(launch.grid),
            "block_dim": list(launch.block),
            "cluster_dim": list(launch.cluster),
            "dynamic_shared_bytes": launch.shared_bytes,
        },
        "arguments": scalars,
    }


def _verified(call: ProveCall, told: Mapping[str, Any]) -> Mapping[str, Any]:
    with tempfile.TemporaryDirectory(prefix="proof-") as name:
        ptx, configuration = Path(name) / "kernel.ptx", Path(name) / "launch.json"
        ptx.write_text(call.program.ptx)
        configuration.write_text(json.dumps(told))
        verifier: Any = importlib.import_module("sentryward")
        # The loader finds what lies beside a program by /proc, which there is not.
        package = Path(verifier.__file__).parent
        os.environ["LD_LIBRARY_PATH"] = str(package.with_name(f"{package.name}.libs"))
        return verifier.verify(ptx, input=configuration, timeout_seconds=call.seconds)


def _undecided(launch: Launch, why: str) -> LaunchProof:
    return LaunchProof(launch.kernel, launch.line, Opinion.UNDECIDED, why[:_CHARACTERS])


def _said(result: str, found: Mapping[str, Any]) -> str:
    words = [result.replace("_", " ")]
    words += [str(one.get("message") or one.get("code") or "") for one in found.get("diagnostics", ())]
    return "; ".join(filter(None, words))[:_CHARACTERS]
