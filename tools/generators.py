"""Input data: the generator calls of a task, for example `normal(0, 1)`, and the inputs of a whole case.

Each generator makes values of one dtype, rounded into it, that some family of mistakes cannot survive:

- `uniform(low, high)`: floats, evenly spread. The plain case.
- `normal(mean, deviation)`: floats, bell-shaped. A large mean with a small deviation catches cancellation.
- `integers(low, high)`: whole numbers, both ends included, in any dtype. Small ones make sums exact in
  floating point too, so an answer that is off by one element is off by a lot more than rounding.
- `constant(value)`: one value everywhere. Catches wrong counts: a sum becomes size times value.
- `permutation()`: 0 to size - 1, shuffled. Each value names its element, so a wrong index shows.
- `ties(count)`: only `count` different values, consecutive whole numbers around 0. Catches maxima, sorts and
  selections that assume distinct values.
- `one_hot()`: zeros and a single 1 in each row: at the first, the last or a random position. Catches
  the edges of tiles and tails that are dropped.
- `large()` or `large(scale)`: floats of both signs up to `scale` (10000). `exp` overflows unless the maximum
  is subtracted. Integers: the upper half of the dtype's range, both signs where it has signs.
- `tiny()`: the smallest normal floats, both signs, up to 1024 times the least. Products underflow.
- `denormal()`: floats below the smallest normal one, both signs. Catches flushing to zero.
- `mixed()` or `mixed(decades)`: floats of both signs over `decades` (3) powers of ten either side of 1.
  Catches lost small terms and sums in a bad order.
"""

from __future__ import annotations

import ast
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.plan import Role
from tools.task import DTYPE_BYTES, Case, Task, TaskArgument, TaskError, argument_size

Array = np.ndarray[Any, Any]
Number = int | float

_MAX_CALL = 120


class GeneratorError(TaskError):
    """A generator call cannot be read, or does not suit the dtype."""


@dataclass(frozen=True)
class _Target:
    """What to fill: a shape of a dtype, from one stream of random numbers."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    name: str
    rng: np.random.Generator

    @property
    def floating(self) -> bool:
        return "float" in self.name

    def signs(self) -> Array:
        return self.rng.integers(0, 2, self.shape) * 2.0 - 1.0


def numpy_dtype(name: str) -> np.dtype[Any]:
    """Return the NumPy dtype of that name; bfloat16 comes from ml_dtypes.

    Raises:
        TaskError: There is no such dtype.
    """
    if name not in DTYPE_BYTES:
        raise TaskError(f"expected a dtype ({', '.join(DTYPE_BYTES)}), found `{name}`")
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


@dataclass(frozen=True)
class _Limits:
    """The finite range of a dtype: largest value, smallest normal, smallest subnormal."""

    largest: float
    normal: float
    subnormal: float


def _limits(dtype: np.dtype[Any]) -> _Limits:
    if dtype.name == "bfloat16":  # NumPy's finfo does not know it
        return _Limits(float.fromhex("0x1.fep127"), 2.0**-126, 2.0**-133)
    info = np.finfo(dtype)
    return _Limits(float(info.max), float(info.smallest_normal), float(info.smallest_subnormal))


def _rounded(values: Array, target: _Target) -> Array:
    """Round into the dtype; what lies outside its range becomes its nearest finite value."""
    if not target.floating:
        return values.astype(target.dtype)
    largest = _limits(target.dtype).largest
    return np.clip(values, -largest, largest).astype(target.dtype)


def _floats_only(target: _Target, name: str) -> None:
    if not target.floating:
        raise GeneratorError(
            f"`{name}` makes floating point values; expected another generator for {target.name}"
        )


def _range(target: _Target) -> tuple[int, int]:
    """The whole numbers that an integer dtype holds."""
    if target.name == "bool":
        return 0, 1
    info = np.iinfo(target.dtype)
    return int(info.min), int(info.max)


def _uniform(target: _Target, low: Number, high: Number) -> Array:
    _floats_only(target, "uniform")
    if low > high:
        raise GeneratorError(f"uniform: expected low <= high, found {low} and {high}")
    return target.rng.uniform(low, high, target.shape)


def _normal(target: _Target, mean: Number, deviation: Number) -> Array:
    _floats_only(target, "normal")
    if deviation < 0:
        raise GeneratorError(f"normal: expected a deviation of at least 0, found {deviation}")
    return target.rng.normal(mean, deviation, target.shape)


def _integers(target: _Target, low: Number, high: Number) -> Array:
    if not isinstance(low, int) or not isinstance(high, int) or low > high:
        raise GeneratorError(f"integers: expected whole low <= high, found {low} and {high}")
    least, most = (-(2**53), 2**53) if target.floating else _range(target)
    if low < least or high > most:
        raise GeneratorError(
            f"integers: expected {least} to {most} for {target.name}, found {low} and {high}"
        )
    kind = np.uint64 if high > 2**63 - 1 else np.int64
    return target.rng.integers(low, high, target.shape, dtype=kind, endpoint=True)


def _constant(target: _Target, value: Number) -> Array:
    if not target.floating:
        least, most = _range(target)
        if value != int(value) or not least <= value <= most:
            raise GeneratorError(f"constant: expected a whole {target.name}, found {value}")
        return np.full(target.shape, int(value), target.dtype)
    return np.full(target.shape, float(value))


def _permutation(target: _Target) -> Array:
    size = math.prod(target.shape)
    if not target.floating and size - 1 > _range(target)[1]:
        raise GeneratorError(f"permutation: expected a dtype that holds {size - 1}, found {target.name}")
    return target.rng.permutation(size).reshape(target.shape)


def _ties(target: _Target, count: Number) -> Array:
    if not isinstance(count, int) or not 1 <= count <= 1000:
        raise GeneratorError(f"ties: expected a whole count from 1 to 1000, found {count}")
    least = 0 if not target.floating and _range(target)[0] == 0 else -(count // 2)
    return _integers(target, least, least + count - 1)


def _one_hot(target: _Target) -> Array:
    shape = target.shape or (1,)
    values = np.zeros(shape)
    rows = values.reshape(-1, shape[-1])
    anywhere = target.rng.integers(0, shape[-1], len(rows))
    edge = (np.arange(len(rows)) + target.rng.integers(0, 3)) % 3
    columns = np.where(edge == 0, 0, np.where(edge == 1, shape[-1] - 1, anywhere))
    rows[np.arange(len(rows)), columns] = 1
    return values.reshape(target.shape)


def _large(target: _Target, scale: Number = 10000) -> Array:
    if target.floating:
        if scale <= 0:
            raise GeneratorError(f"large: expected a scale above 0, found {scale}")
        return target.rng.uniform(-scale, scale, target.shape)
    least, most = _range(target)
    values = _integers(target, most // 2, most)
    flip = target.rng.integers(0, 2, target.shape, dtype=np.int64) if least < 0 else 0
    return np.where(flip, -values, values)


def _tiny(target: _Target) -> Array:
    _floats_only(target, "tiny")
    return target.signs() * _limits(target.dtype).normal * target.rng.uniform(1, 1024, target.shape)


def _denormal(target: _Target) -> Array:
    _floats_only(target, "denormal")
    limits = _limits(target.dtype)
    steps = int(limits.normal / limits.subnormal)
    return target.signs() * target.rng.integers(1, steps, target.shape) * limits.subnormal


def _mixed(target: _Target, decades: Number = 3) -> Array:
    _floats_only(target, "mixed")
    if not 0 < decades <= 30:
        raise GeneratorError(f"mixed: expected up to 30 decades, found {decades}")
    return target.signs() * 10.0 ** target.rng.uniform(-decades, decades, target.shape)


_GENERATORS: Mapping[str, tuple[Callable[..., Array], int, int]] = {
    "uniform": (_uniform, 2, 2),
    "normal": (_normal, 2, 2),
    "integers": (_integers, 2, 2),
    "constant": (_constant, 1, 1),
    "permutation": (_permutation, 0, 0),
    "ties": (_ties, 1, 1),
    "one_hot": (_one_hot, 0, 0),
    "large": (_large, 0, 1),
    "tiny": (_tiny, 0, 0),
    "denormal": (_denormal, 0, 0),
    "mixed": (_mixed, 0, 1),
}
GENERATOR_NAMES = tuple(_GENERATORS)


def parse_call(call: str) -> tuple[str, tuple[Number, ...]]:
    """Read a generator call into its name and numbers; nothing is evaluated.

    Raises:
        GeneratorError: It is not a call of a known generator with the right number of plain numbers.
    """
    expected = f"expected a call of one of {', '.join(GENERATOR_NAMES)}, for example `normal(0, 1)`"
    if len(call) > _MAX_CALL or not call.isascii() or not call.isprintable():
        raise GeneratorError(f"{expected}; found `{call[:40]!a}`")
    name, bracket, rest = call.strip().partition("(")
    name = name.strip()
    if name not in _GENERATORS or not bracket or not rest.endswith(")"):
        raise GeneratorError(f"{expected}; found `{call}`")
    inner = rest[:-1].strip()
    numbers = tuple(_number(part.strip(), call) for part in inner.split(",")) if inner else ()
    _, least, most = _GENERATORS[name]
    if not least <= len(numbers) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise GeneratorError(f"`{name}` takes {wanted} numbers, found {len(numbers)} in `{call}`")
    return name, numbers


def _number(text: str, call: str) -> Number:
    try:
        value: object = ast.literal_eval(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError):
        value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e300:
        raise GeneratorError(f"expected a plain number in `{call}`, found `{text}`")
    return value


def generate(call: str, shape: tuple[int, ...], dtype: str, rng: np.random.Generator) -> Array:
    """Make one array.

    Args:
        call: A generator call, see the top of this module.
        shape: Its shape; `()` for a scalar.
        dtype: A dtype name of `tools.task.DTYPE_BYTES`.
        rng: Where the random numbers come from.

    Returns:
        A C-ordered array of that shape and dtype; floating values are rounded into the dtype and finite.

    Raises:
        GeneratorError: The call cannot be read, or does not suit the dtype.
    """
    name, numbers = parse_call(call)
    target = _Target(shape, numpy_dtype(dtype), dtype, rng)
    values = _GENERATORS[name][0](target, *numbers)
    return np.ascontiguousarray(_rounded(np.asarray(values), target)).reshape(shape)


def check_call(call: str, dtype: str) -> None:
    """Raise GeneratorError unless the call can be read and suits the dtype."""
    generate(call, (1,), dtype, np.random.default_rng(0))


def inputs_for(task: Task, case: Case, seed: int) -> dict[str, Array]:
    """Make the inputs of a case.

    Args:
        task: Whose in and inout arguments to fill.
        case: Sizes, and generators that replace the arguments' own.
        seed: At least 0. Each argument has its own stream, which depends on seed, sizes and its name.

    Returns:
        Arrays by argument name, in the arguments' shapes and dtypes, C order; scalars are not among them.
    """
    return {
        argument.name: _fill(argument, case, seed, argument_size(argument, case.dims))
        for argument in _inputs(task)
    }


def samples_for(task: Task, case: Case, seed: int, limit: int) -> dict[str, Array]:
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


def scalars_for(task: Task, case: Case, seed: int) -> dict[str, Number]:
    """Make the values of the task's scalars for a case, rounded into their dtypes."""
    return {
        argument.name: _fill(argument, case, seed, ()).astype(object).item()
        for argument in task.arguments
        if argument.role is None
    }


def constant_scalar(argument: TaskArgument) -> Number | None:
    """Return the value of a scalar whose data is `constant(v)`, rounded into its dtype; else None."""
    if argument.data is None or parse_call(argument.data)[0] != "constant":
        return None
    value = generate(argument.data, (), argument.dtype, np.random.default_rng(0))
    return float(value) if "float" in argument.dtype else int(value)


def _inputs(task: Task) -> list[TaskArgument]:
    return [argument for argument in task.arguments if argument.role in (Role.IN, Role.INOUT)]


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
