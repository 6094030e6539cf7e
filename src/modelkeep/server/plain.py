# SPDX-License-Identifier: Apache-2.0
"""The predict route's form: JSON values as they are, bytes as base64. Pure.

``{"b64": "…"}`` stands for bytes wherever a value may stand. Back go arrays as
nested lists, bytes as text where they are UTF-8 and else as ``{"b64": "…"}``,
and null for NaN and the infinities, which JSON does not have.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from modelkeep.runtime.served import Answer
from modelkeep.server.documents import BODY, show
from modelkeep.spec.errors import BadInput, PredictFailed

MAX_DEPTH = 64


def parse_predict(document: object) -> dict[str, Any]:
    """The named values of ``{"inputs": {name: value}}``.

    Raises:
        BadInput: another form, base64 that is not strict (RFC 4648 §4), or
            values nested more than 64 deep.
    """
    if not isinstance(document, dict) or set(document) != {"inputs"}:
        raise BadInput(BODY, '{"inputs": {name: value}}', show(document))
    inputs = document["inputs"]
    if not isinstance(inputs, dict):
        raise BadInput("inputs", "a JSON object of names and values", show(inputs))
    return {name: _read(f"input {name}", value, MAX_DEPTH) for name, value in inputs.items()}


def predict_response(answer: Answer) -> dict[str, Any]:
    """``{"model", "version", "outputs": {name: value}}``.

    Raises:
        PredictFailed: the model gave something that JSON has no form for.
    """
    outputs = {
        str(name): _write(f"output {name} of {answer.model}", value, MAX_DEPTH)
        for name, value in answer.outputs.items()
    }
    return {"model": answer.model, "version": answer.version, "outputs": outputs}


def _read(subject: str, value: Any, depth: int) -> Any:
    if not depth:
        raise BadInput(subject, f"values nested at most {MAX_DEPTH} deep", "more")
    if isinstance(value, list):
        if not {list, dict} & set(map(type, value)):
            return value
        return [_read(subject, element, depth - 1) for element in value]
    if isinstance(value, dict):
        if set(value) == {"b64"}:
            return _bytes(subject, value["b64"])
        return {key: _read(subject, element, depth - 1) for key, element in value.items()}
    return value


def _bytes(subject: str, text: object) -> bytes:
    if not isinstance(text, str):
        raise BadInput(subject, "base64 as a text", show(text))
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise BadInput(subject, "base64 (RFC 4648, with padding)", str(error)) from error


def _write(subject: str, value: Any, depth: int) -> Any:
    if not depth:
        raise PredictFailed(subject, f"values nested at most {MAX_DEPTH} deep", "more")
    if isinstance(value, (np.ndarray, np.generic)):
        return _write_array(subject, np.asarray(value), depth)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _text_or_base64(bytes(value))
    if isinstance(value, (list, tuple)):
        return [_write(subject, element, depth - 1) for element in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _write(subject, element, depth - 1) for key, element in value.items()}
    raise PredictFailed(subject, "arrays, JSON values or bytes", type(value).__name__)


def _write_array(subject: str, array: np.ndarray[Any, Any], depth: int) -> Any:
    kind = array.dtype.kind
    if kind in "biuU":
        return array.tolist()
    if kind == "f":
        # Longer floats than Python's come out of tolist() as they are.
        numbers = array.astype(np.float64, copy=False)
        finite = np.isfinite(numbers)
        if finite.all():
            return numbers.tolist()
        loose = numbers.astype(object)
        loose[~finite] = None
        return loose.tolist()
    if kind in "OS":
        return _write(subject, array.tolist(), depth - 1)
    raise PredictFailed(subject, "arrays of flags, numbers, texts or bytes", array.dtype.name)


def _text_or_base64(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}
