# SPDX-License-Identifier: Apache-2.0
"""From JSON values and loose arrays to arrays of a declared datatype and shape. Pure.

What may change its type: whole numbers to any whole-number type that holds
them or to a float, floats to a float of another width, texts to BYTES as
UTF-8. Nothing is rounded to a whole number, and truth values stay such.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelkeep.loaders.base import Values
from modelkeep.spec.errors import BadInput, InvalidValue, PredictFailed
from modelkeep.spec.tensor import DATATYPES, NUMPY_NAMES, TensorSpec

Array = NDArray[Any]
_AXES = 32


def array_of(value: object, spec: TensorSpec) -> Array:
    """A value as an array of the declared datatype and shape.

    A scalar where the shape has one axis counts as one element.

    Raises:
        InvalidValue: it cannot be, without losing something.
    """
    array = typed(value, spec)
    if array.ndim == 0 and len(spec.shape) == 1:
        array = array.reshape(1)
    fits = array.ndim == len(spec.shape) and all(
        size in (-1, length) for size, length in zip(spec.shape, array.shape, strict=True)
    )
    if not fits:
        raise InvalidValue(spec.name, f"shape {list(spec.shape)}", f"shape {list(array.shape)}")
    return array


def typed(value: object, spec: TensorSpec) -> Array:
    """A value as an array of the declared datatype, of whatever shape it has.

    Raises:
        InvalidValue: another datatype, or a list whose rows differ in length.
    """
    if spec.datatype == "BYTES":
        return _bytes_array(value, spec)
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError) as error:
        got = f"rows of different lengths or kinds ({error})"
        raise InvalidValue(spec.name, spec.datatype, got) from error
    wanted = np.dtype(NUMPY_NAMES[spec.datatype])
    if array.dtype == np.float64 and wanted == np.uint64:
        array = _whole(value, array)
    if array.dtype == wanted:
        return array
    if array.size == 0 and array.dtype.kind in "biuf":
        return array.astype(wanted)
    return _cast(array, wanted, spec)


def _whole(value: object, array: Array) -> Array:
    """Undo what numpy does to small and huge whole numbers in one list: floats."""
    objects = np.asarray(value, dtype=object)
    if isinstance(value, np.ndarray) or not all(type(one) is int for one in objects.flat):
        return array
    try:
        return objects.astype(np.uint64)
    except OverflowError:
        return array


def _cast(array: Array, wanted: np.dtype[Any], spec: TensorSpec) -> Array:
    given, aim = array.dtype.kind, wanted.kind
    whole = given in "iu"
    if not (whole and aim in "iuf") and not (given == aim == "f"):
        raise InvalidValue(spec.name, spec.datatype, _kind_of(array))
    if whole and aim in "iu":
        limits = np.iinfo(wanted)
        low, high = int(array.min()), int(array.max())
        if low < limits.min or high > limits.max:
            expected = f"{spec.datatype}: whole numbers from {limits.min} to {limits.max}"
            raise InvalidValue(spec.name, expected, f"{low} to {high}")
    with np.errstate(over="ignore"):
        cast: Array = array.astype(wanted)
    if aim == "f" and not np.array_equal(np.isfinite(array), np.isfinite(cast)):
        expected = f"{spec.datatype}: numbers up to {np.finfo(wanted).max}"
        raise InvalidValue(spec.name, expected, f"{np.abs(array).max()}")
    return cast


def _kind_of(array: Array) -> str:
    if array.dtype.kind in "US":
        return "texts"
    return DATATYPES.get(str(array.dtype), str(array.dtype)) if array.dtype != object else "objects"


def _bytes_array(value: object, spec: TensorSpec) -> Array:
    rows: Any = value.tolist() if isinstance(value, np.ndarray) else value
    shape = value.shape if isinstance(value, np.ndarray) else _shape_of(rows)
    if len(shape) > _AXES:
        raise InvalidValue(spec.name, f"at most {_AXES} axes", "more")
    flat: list[bytes] = []
    _gather(rows, shape, spec, flat)
    array = np.empty(len(flat), dtype=object)
    array[:] = flat
    return array.reshape(shape)


def _shape_of(rows: Any) -> tuple[int, ...]:
    shape: list[int] = []
    while isinstance(rows, (list, tuple)):
        shape.append(len(rows))
        if not rows or len(shape) > _AXES:
            break
        rows = rows[0]
    return tuple(shape)


def _gather(rows: Any, shape: Sequence[int], spec: TensorSpec, flat: list[bytes]) -> None:
    if not shape:
        flat.append(_element(rows, spec))
        return
    if not isinstance(rows, (list, tuple)) or len(rows) != shape[0]:
        raise InvalidValue(spec.name, spec.datatype, "rows of different lengths")
    for row in rows:
        _gather(row, shape[1:], spec, flat)


def _element(one: object, spec: TensorSpec) -> bytes:
    if isinstance(one, str):
        try:
            return one.encode()
        except UnicodeEncodeError as error:
            raise InvalidValue(spec.name, "BYTES or a text that UTF-8 has", str(error)) from error
    if isinstance(one, (bytes, bytearray, memoryview)):
        return bytes(one)
    got = "rows of different lengths" if isinstance(one, (list, tuple)) else type(one).__name__
    raise InvalidValue(spec.name, "BYTES or texts", got)


def inputs_of(
    values: Values, specs: Sequence[TensorSpec], *, unranked: Collection[str] = ()
) -> dict[str, Array]:
    """Every declared input as an array, in the declared order.

    Args:
        values: what was sent.
        specs: what is declared.
        unranked: names whose shape is not known and so not checked.

    Raises:
        BadInput: a name is missing or not known, or a value does not fit.
    """
    names = [spec.name for spec in specs]
    if set(values) != set(names):
        got = ", ".join(sorted(map(str, values))) or "none"
        raise BadInput("inputs", ", ".join(names), got)
    arrays = {}
    for spec in specs:
        read = typed if spec.name in unranked else array_of
        try:
            arrays[spec.name] = read(values[spec.name], spec)
        except InvalidValue as error:
            raise BadInput(f"input {error.subject}", error.expected, error.got) from error
    return arrays


def outputs_of(answer: Mapping[str, Any], specs: Sequence[TensorSpec]) -> dict[str, Any]:
    """An answer with its declared outputs as arrays; further ones pass as they are.

    Raises:
        PredictFailed: a declared output is missing, or is not as declared.
    """
    outputs = dict(answer)
    for spec in specs:
        if spec.name not in outputs:
            got = ", ".join(map(str, outputs)) or "none"
            raise PredictFailed("outputs", spec.name, got)
        try:
            outputs[spec.name] = array_of(outputs[spec.name], spec)
        except InvalidValue as error:
            raise PredictFailed(f"output {error.subject}", error.expected, error.got) from error
    return outputs


def texts_of(array: Array, name: str) -> Array:
    """BYTES elements as Python texts.

    Raises:
        BadInput: an element is not UTF-8.
    """
    texts = np.empty(array.size, dtype=object)
    for index, one in enumerate(array.reshape(-1)):
        try:
            texts[index] = one.decode()
        except UnicodeDecodeError as error:
            got = f"element {index} with byte {one[error.start]:#04x} at {error.start}"
            raise BadInput(f"input {name}", "UTF-8", got) from error
    return texts.reshape(array.shape)
