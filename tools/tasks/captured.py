"""Data that were captured: .npz files in a task's folder, read without pickles and checked against the task."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import math
import re
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib import format as npy

from sandbox.dtypes import FLOATS, numpy_dtype
from tools.tasks.errors import TaskError
from tools.tasks.task import CapturedCase, Case, TaskArgument, TaskSpec, WholeTask, argument_size

Array = np.ndarray[Any, Any]

MAX_BYTES = 2 << 20
"""Of all captured files of a task, and of what each holds unpacked: every kernel is run on all of it, and it travels
with the orders to other machines, whose requests are bounded."""
_HEADER = 4096
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.npz", re.ASCII)
_BITS = np.dtype("V2")
"""How NumPy writes bfloat16, which it does not know."""


def pack(arrays: Mapping[str, Array]) -> bytes:
    """Return arrays as a .npz file; the same arrays are the same bytes, whenever they are packed."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            plain = array.view(_BITS) if array.dtype.name == "bfloat16" else array
            npy.write_array(member, np.asarray(plain, order="C"), version=(1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return made.getvalue()


def captured_case(
    file: str, dims: Mapping[str, int], arrays: Mapping[str, Array], data: Mapping[str, str]
) -> tuple[CapturedCase, str]:
    """Return a case with these arrays, and the content of its file in base64.

    Args:
        file: What the file is called.
        dims: The sizes.
        arrays: By argument.
        data: Generator calls of the other inputs.
    """
    packed = pack(arrays)
    digest = hashlib.sha256(packed).hexdigest()
    return CapturedCase(dict(dims), dict(data), file=file, sha256=digest), as_text(packed)


def as_text(data: bytes) -> str:
    """Return a captured file's content as drafts hold it."""
    return base64.b64encode(data).decode()


def as_bytes(text: str) -> bytes:
    """Return what `as_text` was given.

    Raises:
        TaskError: It is no base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise TaskError("captured files: expected base64") from None


def file_problem(name: str) -> str:
    """Say why a name is not that of a captured file; empty where it is."""
    return (
        "" if _FILE.fullmatch(name) else f"expected the name of a .npz file beside task.toml, found `{name}`"
    )


def captured_values(task: WholeTask, case: Case) -> Mapping[str, Array]:
    """Return the captured arrays of a case by argument, in their dtypes and shapes; scalars have no axis.

    Raises:
        TaskError: The file cannot be read; a task that was loaded has none such.
    """
    if not isinstance(case, CapturedCase):
        return {}
    dtypes = {one.name: one.dtype for one in task.arguments}
    found = _unpacked(task.captured_files[case.file])
    return {name: _seen_as(array, dtypes[name]) for name, array in found.items()}


def all_captured(task: WholeTask, case: Case) -> bool:
    """Whether nothing of a case is drawn, so that every seed stands for the same input."""
    captured = captured_values(task, case)
    return bool(captured) and all(one.name in captured for one in task.arguments if one.role != "out")


@lru_cache(maxsize=8)
def _unpacked(text: str) -> dict[str, Array]:
    return unpack(as_bytes(text))


def unpack(data: bytes) -> dict[str, Array]:
    """Read a .npz file; nothing in it is unpickled, and nothing is unpacked beyond `MAX_BYTES`.

    Raises:
        TaskError: It is none, or holds too much; the text says what was expected.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            size = sum(one.file_size for one in members)
            if size > MAX_BYTES:
                raise TaskError(f"expected at most {MAX_BYTES >> 20} MiB of arrays, found {size / 2**20:.1f}")
            return {one.filename.removesuffix(".npy"): _member(archive, one) for one in members}
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        KeyError,
    ):
        raise TaskError("expected a .npz file, as numpy.savez writes it") from None


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise TaskError(f"{member.filename}: expected an array that is stored or deflated")
    with archive.open(member) as packed:
        # Without a number it would unpack more than it is said to hold.
        stream = io.BytesIO(packed.read(member.file_size))
    try:
        version = npy.read_magic(stream)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, fortran, dtype = read(stream, max_header_size=_HEADER)
    except (ValueError, KeyError, TypeError, SyntaxError, tokenize.TokenError):
        raise TaskError(f"{member.filename}: expected an array as numpy.save writes it") from None
    if dtype.hasobject or dtype.fields is not None or dtype.subdtype is not None or not dtype.isnative:
        raise TaskError(f"{member.filename}: expected plain numbers, found dtype {dtype}")
    content = stream.read()
    if any(type(side) is not int or side < 1 for side in shape):
        raise TaskError(f"{member.filename}: expected sides of at least 1, found shape {shape}")
    if len(content) != math.prod(shape) * dtype.itemsize or not dtype.itemsize:
        raise TaskError(
            f"{member.filename}: expected an array of shape {shape}, found another number of bytes"
        )
    flat = np.frombuffer(content, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def captured_problem(spec: TaskSpec, case: CapturedCase, files: Mapping[str, str]) -> tuple[str, str] | None:
    """Hold the file of a captured case against what its task says of it.

    Args:
        spec: The task.
        case: One of its captured cases.
        files: The contents of all its captured files by name, in base64.

    Returns:
        The key at fault and what was expected, where the file is spoilt or not the one that is meant, or an array is
        missing, has another dtype or shape, or holds NaN; else None.

    Raises:
        TaskError: A content is no base64.
    """
    total = sum(len(as_bytes(text)) for text in files.values())
    if total > MAX_BYTES:
        found = f"found {total / 2**20:.1f}"
        return "file", f"expected at most {MAX_BYTES >> 20} MiB of captured files, {found}"
    data = as_bytes(files[case.file])
    digest = hashlib.sha256(data).hexdigest()
    if digest != case.sha256:
        found = case.sha256 or "nothing"
        return "sha256", f'expected "{digest}", which is that of {case.file}, found {found}'
    try:
        problem = _problem(spec, case, unpack(data))
    except TaskError as error:
        problem = str(error)
    return ("file", f"{case.file}: {problem}") if problem else None


def _problem(spec: TaskSpec, case: CapturedCase, arrays: Mapping[str, Array]) -> str:
    """What is wrong with the arrays of a case; empty where nothing is."""
    filled = {one.name: one for one in spec.arguments if one.data is not None}
    if unknown := [name for name in arrays if name not in filled]:
        return f"expected arrays for inputs ({', '.join(filled)}), found `{unknown[0]}`"
    if twice := [name for name in arrays if name in case.data]:
        return f"expected `{twice[0]}` in the file or in data, found it in both"
    if missing := [name for name in filled if name not in arrays and name not in case.data]:
        held = ", ".join(arrays) or "nothing"
        return f"expected an array `{missing[0]}`, found {held}; say in data what draws it where it was not captured"
    if not arrays:
        return "expected arrays, found none"
    problems = (array_problem(filled[name], array, case.dims) for name, array in arrays.items())
    return next((problem for problem in problems if problem), "")


def array_problem(argument: TaskArgument, array: Array, dims: Mapping[str, int]) -> str:
    """Say why an array cannot be what an argument is at these sizes; empty where it can."""
    wanted = numpy_dtype(argument.dtype)
    bits = argument.dtype == "bfloat16" and array.dtype == _BITS
    if array.dtype != wanted and not bits:
        return f"expected {argument.dtype} for `{argument.name}`, found {array.dtype.name}"
    shape = argument_size(argument, dims)
    if array.shape != shape:
        return f"expected shape {_shape(shape)} for `{argument.name}`, found {_shape(array.shape)}"
    if argument.dtype == "bool" and (array.view(np.uint8) > 1).any():
        return f"expected bytes of 0 and 1 for `{argument.name}`, found others"
    if argument.dtype in FLOATS:
        wrong = np.argwhere(np.isnan(_seen_as(array, argument.dtype).astype(np.float64)))
        if len(wrong):
            first = [int(one) for one in wrong[0]]
            return (
                f"expected numbers in `{argument.name}`, found NaN in {len(wrong)} places, the first at {first}: what"
                " comes of NaN says nothing of a kernel"
            )
    return ""


def _shape(sides: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, sides))}]"


def _seen_as(array: Array, dtype: str) -> Array:
    return array.view(numpy_dtype(dtype)) if array.dtype == _BITS else array
