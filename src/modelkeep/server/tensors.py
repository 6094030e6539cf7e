# SPDX-License-Identifier: Apache-2.0
"""One tensor: its JSON form and its array. Pure.

Open Inference Protocol V2, "Tensor Data": row-major, nested as the shape says
or flat; written flat. JSON has no NaN and no infinities, so floats that are
not finite are the words "NaN", "Infinity" and "-Infinity", as in Protocol
Buffers' JSON mapping; NumPy reads these words as floats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelkeep.server.documents import show
from modelkeep.spec.errors import BadInput
from modelkeep.spec.tensor import DATATYPES, NUMPY_NAMES, TensorSpec

_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
# What JSON elements may be, by the kind letter of NumPy's dtype.
_ELEMENTS: dict[str, tuple[set[type], str]] = {
    "b": ({bool}, "true or false"),
    "i": ({int}, "whole numbers"),
    "u": ({int}, "whole numbers"),
    "f": ({int, float, str}, 'numbers, "NaN", "Infinity" or "-Infinity"'),
    "O": ({str}, "texts"),
}


def to_array(tensor: TensorSpec, data: object) -> NDArray[Any]:
    """The array that a tensor's JSON data stand for.

    Args:
        tensor: what the request says of it; the shape has no -1.
        data: nested as the shape, or flat.

    Returns:
        An array of that shape; of Python bytes for BYTES (texts become UTF-8).

    Raises:
        BadInput: another count or nesting than the shape's, an element of another
            kind, or one that the datatype cannot hold.
    """
    subject = f"input {tensor.name}"
    elements = _row_major(subject, tensor.shape, data)
    dtype = np.dtype(NUMPY_NAMES[tensor.datatype])
    kinds, expected = _ELEMENTS[dtype.kind]
    if not set(map(type, elements)) <= kinds:
        wrong = next(element for element in elements if type(element) not in kinds)
        raise BadInput(subject, f"{expected} for {tensor.datatype}", show(wrong))
    flat = _FILL[dtype.kind](subject, dtype, elements)
    try:
        return flat.reshape(tensor.shape)
    except ValueError as error:
        raise BadInput(subject, "a shape that an array can have", show(tensor.shape)) from error


def _row_major(subject: str, shape: Sequence[int], data: object) -> list[Any]:
    if not isinstance(data, list):
        raise BadInput(subject, "data as a list", show(data))
    if list not in set(map(type, data)):
        count = math.prod(shape)
        if len(data) != count:
            raise BadInput(subject, f"{count} elements for shape {list(shape)}", str(len(data)))
        return data
    level: list[Any] = [data]
    for size in shape:
        for row in level:
            if not isinstance(row, list) or len(row) != size:
                got = f"{len(row)} elements" if isinstance(row, list) else show(row)
                raise BadInput(subject, f"lists of {size} for shape {list(shape)}", got)
        level = list(chain.from_iterable(level))
    return level


def _fill_flags(subject: str, dtype: np.dtype[Any], elements: list[Any]) -> NDArray[Any]:
    return np.array(elements, dtype=dtype)


def _fill_whole(subject: str, dtype: np.dtype[Any], elements: list[Any]) -> NDArray[Any]:
    limits = np.iinfo(dtype)
    for value in (min(elements, default=0), max(elements, default=0)):
        if not limits.min <= value <= limits.max:
            expected = f"whole numbers from {limits.min} to {limits.max}"
            raise BadInput(subject, f"{expected} for {DATATYPES[dtype.name]}", show(value))
    return np.array(elements, dtype=dtype)


def _fill_floats(subject: str, dtype: np.dtype[Any], elements: list[Any]) -> NDArray[Any]:
    if str in set(map(type, elements)):
        elements = [_number(subject, value) for value in elements]
    expected = f"numbers that {DATATYPES[dtype.name]} can hold"
    try:
        wide = np.array(elements, dtype=np.float64)
    except OverflowError as error:
        raise BadInput(subject, expected, show(max(elements, key=abs))) from error
    with np.errstate(over="ignore"):
        narrow = wide.astype(dtype)
    burst = np.isinf(narrow) & ~np.isinf(wide)
    if burst.any():
        raise BadInput(subject, expected, show(float(wide[burst][0])))
    return narrow


def _number(subject: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value not in _WORDS:
        raise BadInput(subject, _ELEMENTS["f"][1], show(value))
    return _WORDS[value]


def _fill_bytes(subject: str, dtype: np.dtype[Any], elements: list[Any]) -> NDArray[Any]:
    flat = np.empty(len(elements), dtype=dtype)
    try:
        flat[:] = [text.encode() for text in elements]
    except UnicodeEncodeError as error:
        raise BadInput(subject, "texts of whole Unicode characters", show(error.object)) from error
    return flat


_FILL = {
    "b": _fill_flags,
    "i": _fill_whole,
    "u": _fill_whole,
    "f": _fill_floats,
    "O": _fill_bytes,
}


def to_tensor(name: str, value: object) -> dict[str, Any]:
    """The JSON form of one output: an array, a number, a text, or regular lists of these.

    Whole Python numbers become INT64, other numbers FP64, texts and bytes BYTES.

    Raises:
        BadInput: the protocol has no tensor for the value, or bytes are not
            UTF-8, which is all that its JSON form can carry.
    """
    subject = f"output {name}"
    array = _as_array(subject, value)
    datatype = DATATYPES.get(array.dtype.name)
    if datatype is None:
        raise BadInput(subject, "a datatype of " + ", ".join(NUMPY_NAMES), array.dtype.name)
    return {
        "name": name,
        "datatype": datatype,
        "shape": list(array.shape),
        "data": _elements(subject, array),
    }


def _as_array(subject: str, value: object) -> NDArray[Any]:
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        if array.dtype.kind in "SU":
            array = array.astype(object)
    else:
        try:
            array = np.array(value, dtype=object)
        except ValueError as error:
            raise _no_tensor(subject, value) from error
    return _typed(subject, array) if array.dtype.kind == "O" else array


def _typed(subject: str, array: NDArray[Any]) -> NDArray[Any]:
    kinds = set(map(type, array.ravel().tolist()))
    if all(issubclass(kind, (str, bytes)) for kind in kinds):
        return array
    if len(kinds) == 1 and issubclass(kind := next(iter(kinds)), np.generic):
        return array.astype(kind)
    if kinds == {bool}:
        return array.astype(np.bool_)
    try:
        if kinds == {int}:
            return array.astype(np.int64)
        if kinds <= {int, float}:
            return array.astype(np.float64)
    except OverflowError as error:
        raise _no_tensor(subject, array.tolist()) from error
    raise _no_tensor(subject, array.tolist())


def _no_tensor(subject: str, value: object) -> BadInput:
    expected = "a regular array of one datatype (the predict route carries any JSON value)"
    return BadInput(subject, expected, show(value))


def _elements(subject: str, array: NDArray[Any]) -> list[Any]:
    elements: list[Any] = array.ravel().tolist()
    if array.dtype.kind == "O":
        return [_text(subject, element) for element in elements]
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return [element if math.isfinite(element) else _word(element) for element in elements]
    return elements


def _word(number: float) -> str:
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _text(subject: str, element: str | bytes) -> str:
    if isinstance(element, str):
        return element
    try:
        return element.decode()
    except UnicodeDecodeError as error:
        expected = "UTF-8, for JSON has only text (the predict route writes other bytes as base64)"
        raise BadInput(subject, expected, f"{len(element)} bytes that are not") from error
