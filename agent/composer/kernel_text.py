"""Puts a kernel file together: header comment, directives, includes, code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agent.composer.expressions import Kind, Types, storage
from agent.composer.names import Names
from agent.composer.shapes import ShapeError
from tools.tasks.task import TaskArgument

_HEADERS: Mapping[str, str] = {"float16": "cuda_fp16.h", "bfloat16": "cuda_bf16.h"}


@dataclass(frozen=True)
class KernelParameter:
    """A kernel's parameter and what a launch hands to it."""

    declaration: str
    argument: str


@dataclass(frozen=True)
class DeclaredBuffers:
    """Names and parameters of the task arguments that a kernel touches."""

    names: Mapping[str, str]
    parameters: tuple[KernelParameter, ...]


def buffers(arguments: Iterable[TaskArgument], names: Names, *, read_only: bool) -> DeclaredBuffers:
    """Declare task arguments as parameters.

    Args:
        arguments: In the order to declare them.
        names: Where to take identifiers from.
        read_only: Promise that nothing else points there, which lets loads go through the read-only cache.
    """
    chosen: dict[str, str] = {}
    parameters: list[KernelParameter] = []
    for argument in arguments:
        name = chosen[argument.name] = names.fresh(argument.name)
        kind = storage(argument.dtype)
        if argument.is_scalar:
            declaration = f"const {kind} {name}"
            if argument.dtype in _HEADERS:
                raise ShapeError(f"scalar {argument.name} of dtype {argument.dtype}")
        else:
            const = "const " if argument.role == "in" else ""
            declaration = f"{const}{kind}*{' __restrict__' if read_only else ''} {name}"
        parameters.append(KernelParameter(declaration, argument.name))
    return DeclaredBuffers(chosen, tuple(parameters))


def extent(name: str, text: str) -> KernelParameter:
    """A size as a parameter of type int."""
    return KernelParameter(f"const int {name}", text)


def kernel(name: str, parameters: Sequence[KernelParameter], body: str, *, threads: str) -> str:
    """Write a kernel around its body."""
    declared = ", ".join(parameter.declaration for parameter in parameters)
    head = f'extern "C" __global__ void __launch_bounds__({threads})\n{name}({declared})'
    return f"{head} {{\n{indent(body)}}}\n"


def launch(name: str, shape: str, parameters: Sequence[KernelParameter]) -> str:
    """Write a launch directive; `shape` is what stands between the triple brackets."""
    return f"//@ launch {name}<<<{shape}>>>({', '.join(parameter.argument for parameter in parameters)})"


def tune(name: str, default: int, values: Sequence[int], *, swept: bool = True) -> str:
    """Write a tunable, or a plain define where it is not to be swept."""
    if not swept:
        return f"//@ define {name} = {default}"
    return f"//@ tune {name} = {default} in {', '.join(map(str, values))}"


def indent(text: str) -> str:
    """Shift text by one level; preprocessor pragmas move along."""
    return "".join(f"    {line}\n" if line else "\n" for line in text.splitlines())


def with_declared(declarations: str, body: str) -> str:
    """Put declarations, `const int NAME = ...;` a line, before what uses them; leave out those that nothing uses."""
    for line in reversed(declarations.splitlines()):
        name = line.split(" = ", 1)[0].rsplit(" ", 1)[-1]
        if re.search(rf"\b{name}\b", body):
            body = f"{line}\n{body}"
    return body


def file_text(
    headline: str,
    features: Sequence[str],
    directives: Sequence[str],
    dtypes: Iterable[str],
    code: Sequence[str],
) -> str:
    """Join the parts of a kernel file."""
    used = sorted({_HEADERS[dtype] for dtype in dtypes if dtype in _HEADERS})
    top = [f"// {headline}", f"// features: {', '.join(features) or 'none'}", *directives]
    includes = [f"#include <{header}>" for header in used]
    parts = ["\n".join(top), "\n".join(includes), *(part.strip("\n") for part in code)]
    return "\n\n".join(part for part in parts if part) + "\n"


PACK = """\
// WIDTH neighbours that move in one memory instruction.
template <typename T>
struct alignas(sizeof(T) * WIDTH < 16 ? sizeof(T) * WIDTH : 16) Pack {
    T lane[WIDTH];
};
"""


SIZED_PACK = """\
// N neighbours that move in one memory instruction.
template <typename T, int N>
struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Pack {
    T lane[N];
};
"""


def combine(op: str, kind: Kind, types: Types, left: str, right: str) -> str:
    """Write one step of a reduction."""
    if op in ("sum", "prod"):
        return f"{left} {'+' if op == 'sum' else '*'} {right}"
    if kind is Kind.REAL:
        return f"{types.function('f' + op)}({left}, {right})"
    return f"{op}({left}, {right})"


def accumulate(op: str, kind: Kind, types: Types, name: str, value: str) -> str:
    """Write the statement that takes one more value into a running result."""
    if op in ("sum", "prod"):
        return f"{name} {'+' if op == 'sum' else '*'}= {value};\n"
    if kind is not Kind.REAL and types.integer != "int":
        value = (
            f"({types.integer})({value})"  # places and sizes are plain int: C++ would not know which function
        )
    return f"{name} = {combine(op, kind, types, name, value)};\n"


def identity(op: str, kind: Kind, types: Types) -> str:
    """The value that a reduction starts from."""
    if op in ("sum", "prod"):
        start = 0 if op == "sum" else 1
        return types.literal(start) if kind is Kind.REAL else str(start)
    if kind is Kind.REAL:
        return "-INFINITY" if op == "max" else "INFINITY"
    largest = "0x7fffffff" if types.integer == "int" else "0x7fffffffffffffffLL"
    return f"-{largest} - 1" if op == "max" else largest
