"""What is fuzzed: each parser, what it may raise, and where its first seeds come from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.importing.modules.example_inputs import examples_text
from agent.importing.problems.definitions import read_definition, read_workloads
from agent.models import reply
from agent.store.replies import Reply
from sandbox.errors import UsageError, WorkerProtocolError
from sandbox.nsight import counters, gpu_facts
from sandbox.simulator.ptx import parser as ptx
from sandbox.wire import MessageLimits, parse_header
from tools import expressions
from tools.kernel import file as kernel_file
from tools.kernel.host_code import host_launches, without_host_code
from tools.tasks.generators import parse_call
from tools.tasks.proposing import propose
from tools.tasks.table import read_table

ROOT = Path(__file__).parents[2]
_NSIGHT = (
    '"ID","Kernel Name","Metric Name","Metric Unit","Metric Value"\n'
    '"0","k","gpu__time_duration.sum","ns","1,2"\n'
)
_PUBLISHED = """{"name": "twice", "op_type": "elementwise",
 "axes": {"n": {"type": "var"}, "d": {"type": "const", "value": 8}},
 "inputs": {"x": {"shape": ["n", "d"], "dtype": "float32"}},
 "outputs": {"y": {"shape": ["n", "d"], "dtype": "float32"}},
 "reference": "def run(x):\\n    return 2 * x\\n"}\x1e
{"uuid": "1", "axes": {"n": 4}, "inputs": {"x": {"type": "random"}}}
"""
_TASKS = ROOT / "examples" / "tasks"


@dataclass(frozen=True)
class Target:
    """A parser.

    Attributes:
        read: Takes bytes, as libFuzzer gives them.
        refuses: What it raises of texts that are none; anything else is a fault.
        seeds: Texts to begin with, beside those of the corpus.
    """

    name: str
    read: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...]
    seeds: Callable[[], Iterator[str]]

    def __call__(self, data: bytes) -> None:
        """Read once; raise only what is a fault."""
        try:
            self.read(data)
        except self.refuses:
            return


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _files(pattern: str) -> Callable[[], Iterator[str]]:
    return lambda: (path.read_text() for path in sorted(_TASKS.glob(pattern)))


def _kernel(data: bytes) -> object:
    read = kernel_file.parse(data)
    return kernel_file.sweep(read, cap=64)


def _host(data: bytes) -> object:
    text = _text(data)
    return without_host_code(text), host_launches(text)


def _expression(data: bytes) -> object:
    return expressions.parse(_text(data)).evaluate({"n": 7, "m": 12, "BLOCK": 128})


def _published(data: bytes) -> object:
    """A definition and its workloads, a character of their own between them."""
    definition, _, workloads = _text(data).partition("\x1e")
    read = read_definition(definition, "definition.json")
    return read_workloads(workloads, read, "workload.jsonl")


def _answers(data: bytes) -> object:
    text = _text(data)
    given = Reply(text)
    return reply.kernel_of(text), reply.plans_of(given), reply.critique_of(given), reply.no_answer(given)


def _replies() -> Iterator[str]:
    for path in sorted(_TASKS.glob("*/baseline.cu"))[:4]:
        yield f"Here it is.\n```cuda\n{path.read_text()}```\n"
    plans = [{"parent": None, "features": ["vectorized_loads"], "why": "it waits for loads"}]
    yield f"```json\n{json.dumps(plans)}\n```"
    yield '{"bottleneck": "dram", "cause": "loads", "next_step": "wider loads"}'


def _ptx_seeds() -> Iterator[str]:
    yield (
        ".version 9.0\n.target sm_90\n.address_size 64\n.visible .entry k(.param .u64 a, .param .u32 n)\n"
        "{\n.reg .pred %p<2>;\n.reg .b32 %r<4>;\n.reg .b64 %rd<4>;\n.shared .align 4 .b8 tile[64];\n"
        "ld.param.u64 %rd1, [a];\nmov.u32 %r1, %tid.x;\nsetp.lt.u32 %p1, %r1, 4;\n@%p1 bra $L1;\n"
        "mul.wide.u32 %rd2, %r1, 4;\nadd.s64 %rd3, %rd1, %rd2;\nst.global.u32 [%rd3], %r1;\n"
        "bar.sync 0;\n$L1:\nret;\n}\n"
    )


TARGETS = {
    target.name: target
    for target in (
        Target("kernel_file", _kernel, (UsageError,), _files("*/baseline.cu")),
        Target("host_code", _host, (UsageError,), _files("*/baseline.cu")),
        Target(
            "proposed_task", lambda data: propose(_text(data), "mine"), (UsageError,), _files("*/baseline.cu")
        ),
        Target(
            "task_table",
            lambda data: read_table(_text(data), "task.toml"),
            (UsageError,),
            _files("*/task.toml"),
        ),
        Target(
            "expression",
            _expression,
            (UsageError,),
            lambda: iter(["ceil_div(n, BLOCK) * (m if n > 3 else 1)"]),
        ),
        Target(
            "generator", lambda data: parse_call(_text(data)), (UsageError,), lambda: iter(["normal(0, 1)"])
        ),
        Target("ptx", lambda data: ptx.parse(_text(data)), (ptx.PtxSyntaxError,), _ptx_seeds),
        Target(
            "message_header",
            lambda data: parse_header(data, MessageLimits()),
            (WorkerProtocolError,),
            lambda: iter(
                ['{"body": {"a": 1}, "buffers": [{"name": "b", "dtype": "float32", "shape": [2, 3]}]}']
            ),
        ),
        Target("reply", _answers, (), _replies),
        Target("published_problem", _published, (UsageError,), lambda: iter([_PUBLISHED])),
        Target(
            "example_inputs",
            lambda data: examples_text(_text(data)),
            (UsageError,),
            lambda: iter(["float32[64,128], int32[64], 1e-5, true"]),
        ),
        Target(
            "nsight_report",
            lambda data: counters.read(_text(data)),
            (),
            lambda: iter([_NSIGHT]),
        ),
        Target(
            "gpu_facts",
            lambda data: gpu_facts.read(_text(data), ("name", "uuid")),
            (),
            lambda: iter(["NVIDIA H200, GPU-1\n"]),
        ),
    )
}
