"""The launch that a kernel file says itself, as far as a task can be proposed from it."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.errors import UsageError
from tools.expressions import Expression, ExpressionError
from tools.kernel.directives import LaunchDirective
from tools.kernel.file import parse


@dataclass(frozen=True)
class OwnLaunch:
    """What a kernel file says of its one launch.

    Attributes:
        arguments: Names of buffers, scalars and sizes, in order.
        block: Threads along x, and along y where there are several; tunables have their defaults.
        macros: Lines of C that define the file's tunables, and what follows from them alone.
    """

    kernel: str
    arguments: tuple[str, ...]
    block: tuple[int, ...]
    macros: str
    line: int


def own_launch(text: str) -> OwnLaunch | None:
    """Return the launch of a kernel file; None for a text that says none.

    Raises:
        UsageError: It cannot be read, or it says more than one launch of named arguments.
    """
    if "//@" not in text:
        return None
    file = parse(text)
    if not file.launches:
        return None
    launch, more = file.launches[0], file.launches[1:]
    if more or file.scratch or file.constants:
        line = more[0].line if more else (*file.scratch, *file.constants)[0].line
        raise UsageError(
            f"line {line}: a task is proposed from one launch without scratch and constant memory; make one with"
            " `warpwright init --like`, and give this file as --start"
        )
    numbers = file.defaults
    for one in file.defines:
        try:
            numbers |= {one.name: one.expression.evaluate(numbers)}
        except ExpressionError:
            continue  # it depends on a size
    block = tuple(_number(one, numbers, launch) for one in launch.block)
    while len(block) > 1 and block[-1] == 1:
        block = block[:-1]
    if len(block) > 2:
        raise UsageError(f"line {launch.line}: expected a block along x and y, found {len(block)} axes")
    macros = "".join(f"#define {name} {value}\n" for name, value in numbers.items())
    return OwnLaunch(launch.kernel, tuple(_names(launch)), block, macros, launch.line)


def _names(launch: LaunchDirective) -> list[str]:
    names: list[str] = []
    for one in launch.arguments:
        if one.name is None or not one.name.isidentifier():
            raise UsageError(
                f"line {launch.line}: `{one.text}` is no name of an argument or a size, and says neither"
            )
        names.append(one.name)
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"line {launch.line}: `{twice[0]}` is passed twice")
    return names


def _number(expression: Expression, numbers: dict[str, int], launch: LaunchDirective) -> int:
    try:
        return expression.evaluate(numbers)
    except ExpressionError as error:
        raise UsageError(f"line {launch.line}: the block depends on a size ({error})") from None
