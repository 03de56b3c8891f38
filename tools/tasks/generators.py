"""Input data: the generator calls of a task, for example `normal(0, 1)`, and the inputs of a whole case."""

from __future__ import annotations

import math
import zlib

import numpy as np

from sandbox.dtypes import DTYPE_BYTES, numpy_dtype
from tools.tasks.captured import captured_values
from tools.tasks.errors import GeneratorError, TaskError
from tools.tasks.task import Case, TaskArgument, TaskSpec, WholeTask, argument_size
from tools.tasks.value_families import FAMILIES, Array, Filling, Number, rounded

_MAX_CALL = 120
_IN_A_ROW = frozenset({"normal", "uniform", "integers", "constant"})
"""Families that draw element by element: a slice at a time gives the same values in a fraction of the memory."""
_SLICE = 1 << 20


def parse_call(call: str) -> tuple[str, tuple[Number, ...]]:
    """Read a generator call into its name and numbers; nothing is evaluated.

    Raises:
        GeneratorError: It is not a call of a known generator with the right number of plain numbers.
    """
    expected = f"expected a call of one of {', '.join(FAMILIES)}, for example `normal(0, 1)`"
    if len(call) > _MAX_CALL or not call.isascii() or not call.isprintable():
        raise GeneratorError(f"{expected}; found `{call[:40]!a}`")
    name, bracket, rest = call.strip().partition("(")
    name = name.strip()
    if name not in FAMILIES or not bracket or not rest.endswith(")"):
        raise GeneratorError(f"{expected}; found `{call}`")
    inner = rest[:-1].strip()
    numbers = tuple(_number(part.strip(), call) for part in inner.split(",")) if inner else ()
    _, least, most = FAMILIES[name]
    if not least <= len(numbers) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise GeneratorError(f"`{name}` takes {wanted} numbers, found {len(numbers)} in `{call}`")
    return name, numbers


def _number(text: str, call: str) -> Number:
    if text in ("inf", "-inf", "nan") and call.strip().startswith("constant"):
        return float(text)
    for number in (int, float):
        try:
            value = number(text)
        except ValueError:
            continue
        if abs(value) <= 1e300:
            return value
    raise GeneratorError(f"expected a plain number in `{call}`, found `{text}`")


def generate(call: str, shape: tuple[int, ...], dtype: str, rng: np.random.Generator) -> Array:
    """Make one array.

    Args:
        call: A generator call, see `tools.tasks.value_families`.
        shape: Its shape; `()` for a scalar.
        dtype: A name of `sandbox.dtypes`.
        rng: Where the random numbers come from.

    Returns:
        A C-ordered array of that shape and dtype; floating values are rounded into the dtype, and finite unless
        the call is `specials()`, `constant(inf)`, `constant(-inf)` or `constant(nan)`.

    Raises:
        GeneratorError: The call cannot be read, or does not suit the dtype.
    """
    name, numbers = parse_call(call)
    if dtype not in DTYPE_BYTES:
        raise GeneratorError(f"expected a dtype ({', '.join(DTYPE_BYTES)}), found `{dtype}`")
    size = math.prod(shape)
    if name not in _IN_A_ROW or size <= _SLICE:
        return _drawn(name, numbers, Filling(shape, numpy_dtype(dtype), dtype, rng)).reshape(shape)
    made = np.empty(size, numpy_dtype(dtype))
    for start in range(0, size, _SLICE):
        part = made[start : start + _SLICE]
        part[:] = _drawn(name, numbers, Filling(part.shape, numpy_dtype(dtype), dtype, rng))
    return made.reshape(shape)


def _drawn(name: str, numbers: tuple[Number, ...], filling: Filling) -> Array:
    values = FAMILIES[name][0](filling, *numbers)
    return np.ascontiguousarray(rounded(np.asarray(values), filling))


def check_call(call: str, dtype: str) -> None:
    """Raise GeneratorError unless the call can be read and suits the dtype."""
    generate(call, (1,), dtype, np.random.default_rng(0))


def inputs_for(task: WholeTask, case: Case, seed: int) -> dict[str, Array]:
    """Make the inputs of a case; those that were captured are as they were.

    Args:
        task: Whose in and inout arguments to fill.
        case: Sizes, and generators that replace the arguments' own.
        seed: At least 0. Each argument has its own stream, which depends on seed, sizes and its name.

    Returns:
        Arrays by argument name, in the arguments' shapes and dtypes, C order; scalars are not among them.
    """
    captured = captured_values(task, case)
    return {
        one.name: captured[one.name].copy()
        if one.name in captured
        else _fill(one, case, seed, argument_size(one, case.dims))
        for one in _inputs(task)
    }


def samples_for(task: TaskSpec, case: Case, seed: int, limit: int) -> dict[str, Array]:
    """Make samples of the inputs of a case: flat arrays of at most `limit` elements, in the right dtypes.

    An argument with `one_hot()` is sampled in whole rows where one fits into the limit.
    """
    samples: dict[str, Array] = {}
    for argument in _inputs(task):
        shape = argument_size(argument, case.dims)
        size = math.prod(shape)
        row = shape[-1] if shape else 1
        if size <= limit:
            sample = shape
        elif row <= limit:
            sample = (limit // row, row)
        else:
            sample = (limit,)
        samples[argument.name] = _fill(argument, case, seed, sample).reshape(-1)
    return samples


def scalars_for(task: WholeTask, case: Case, seed: int) -> dict[str, Number]:
    """Make the values of the task's scalars for a case, rounded into their dtypes."""
    scalars = [argument for argument in task.arguments if argument.is_scalar]
    captured = captured_values(task, case) if scalars else dict[str, Array]()
    values = {
        one.name: captured[one.name] if one.name in captured else _fill(one, case, seed, ())
        for one in scalars
    }
    return {name: _plain(value.astype(object).item()) for name, value in values.items()}


def _plain(value: Number) -> Number:
    return int(value) if isinstance(value, bool) else value


def constant_scalar(argument: TaskArgument) -> Number | None:
    """Return the value of a scalar whose data is `constant(v)`, rounded into its dtype; else None."""
    if argument.data is None or parse_call(argument.data)[0] != "constant":
        return None
    value = generate(argument.data, (), argument.dtype, np.random.default_rng(0))
    return float(value) if "float" in argument.dtype else int(value)


def _inputs(task: TaskSpec) -> list[TaskArgument]:
    return [argument for argument in task.arguments if argument.is_input]


def _fill(argument: TaskArgument, case: Case, seed: int, shape: tuple[int, ...]) -> Array:
    call = case.data.get(argument.name, argument.data)
    if call is None:
        raise TaskError(f"{argument.name}: expected a generator call as data, found none")
    sizes = sorted(case.dims.items())
    entropy = [seed, zlib.crc32(argument.name.encode()), *(size for _, size in sizes)]
    rng = np.random.default_rng(np.random.SeedSequence(entropy))
    try:
        return generate(call, shape, argument.dtype, rng)
    except GeneratorError as error:
        raise GeneratorError(f"{argument.name}: {error}") from None
