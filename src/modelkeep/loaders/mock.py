# SPDX-License-Identifier: Apache-2.0
"""Answers of a declared shape with no weights behind them, for tests and dry runs.

The same question gets the same answer, here and on any machine: the values
are drawn from a digest of the inputs. Options: ``inputs`` and ``outputs``
(lists of [name, datatype, shape]; without outputs the inputs come back),
``values`` (a fixed answer per output), ``delay_s`` (per answer), ``load_s``,
``fail`` (the text with which the load fails).
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modelkeep.loaders import options
from modelkeep.loaders.base import LoadSpec, Values
from modelkeep.spec.errors import InvalidValue, LoadFailed
from modelkeep.spec.tensor import NUMPY_NAMES, Schema, TensorSpec

if TYPE_CHECKING:
    from modelkeep.loaders.values import Array

_KNOWN = ("delay_s", "fail", "inputs", "load_s", "outputs", "values")


class MockLoader:
    """Loads nothing."""

    def weigh(self, spec: LoadSpec) -> int:
        """Nothing."""
        return 0

    def load(self, spec: LoadSpec) -> MockModel:
        """Wait ``load_s``, then be there or fail, as the options say.

        Raises:
            LoadFailed: the option ``fail``, or an option that is wrong.
        """
        options.check_known(spec, _KNOWN)
        subject = f"model {spec.name}"
        schema = Schema(
            options.tensors(f"{subject}: inputs", spec.options.get("inputs", [])),
            options.tensors(f"{subject}: outputs", spec.options.get("outputs", [])),
            "mock",
        )
        fixed = _fixed(subject, schema, spec.options.get("values", {}))
        model = MockModel(schema, fixed, delay_s=options.seconds(spec, "delay_s"))
        time.sleep(options.seconds(spec, "load_s"))
        fail = options.text(spec, "fail")
        if fail is not None:
            raise LoadFailed(subject, "it to load", fail)
        return model


class MockModel:
    """A model that answers from a digest of the question."""

    def __init__(self, schema: Schema, fixed: Mapping[str, Array], *, delay_s: float) -> None:
        self.schema = schema
        self._fixed = fixed
        self._delay_s = delay_s

    def predict(self, inputs: Values) -> Values:
        """Answer after the declared delay.

        Raises:
            BadInput: an input is not as declared.
        """
        time.sleep(self._delay_s)
        given: dict[str, Any] = dict(inputs)
        if self.schema.inputs:
            from modelkeep.loaders.values import inputs_of

            given = dict(inputs_of(inputs, self.schema.inputs))
        if not self.schema.outputs:
            return given
        seed = _digest_of(given)
        free = _first_length(given)
        return {
            one.name: self._fixed[one.name] if one.name in self._fixed else _drawn(one, free, seed)
            for one in self.schema.outputs
        }

    def close(self) -> None:
        """There is nothing to close."""


def _fixed(subject: str, schema: Schema, answers: object) -> dict[str, Array]:
    if not isinstance(answers, Mapping):
        raise LoadFailed(f"{subject}: option values", "a table", repr(answers))
    if not answers:
        return {}
    from modelkeep.loaders.values import array_of

    by_name = {one.name: one for one in schema.outputs}
    unknown = sorted(set(answers) - set(by_name))
    if unknown:
        expected = f"declared outputs: {', '.join(by_name) or 'none'}"
        raise LoadFailed(f"{subject}: option values", expected, ", ".join(unknown))
    try:
        return {name: array_of(value, by_name[name]) for name, value in answers.items()}
    except InvalidValue as error:
        place = f"{subject}: option values: {error.subject}"
        raise LoadFailed(place, error.expected, error.got) from error


def _digest_of(values: Mapping[str, Any]) -> bytes:
    digest = hashlib.sha256()
    for name in sorted(values):
        value = values[name]
        if hasattr(value, "dtype"):
            head: object = [name, str(value.dtype), list(value.shape)]
            body = repr(value.tolist()).encode() if value.dtype == object else value.tobytes()
        else:
            head, body = [name], json.dumps(value, sort_keys=True, default=repr).encode()
        digest.update(json.dumps(head).encode() + b"\0" + body)
    return digest.digest()


def _first_length(values: Mapping[str, Any]) -> int:
    first = next(iter(values.values()), None)
    shape = getattr(first, "shape", None)
    if shape is None:
        return len(first) if isinstance(first, (list, tuple)) else 1
    return int(shape[0]) if shape else 1


def _drawn(spec: TensorSpec, free: int, seed: bytes) -> Array:
    """Numbers from 0 to 1, whole numbers from 0 to 127, or texts of hex digits."""
    import numpy as np

    shape = tuple(free if size == -1 else size for size in spec.shape)
    count = math.prod(shape)
    stream = hashlib.shake_256(seed + spec.name.encode()).digest(4 * count)
    if spec.datatype == "BYTES":
        array: Array = np.empty(count, dtype=object)
        array[:] = [stream[4 * at : 4 * at + 4].hex().encode() for at in range(count)]
        return array.reshape(shape)
    numbers = np.frombuffer(stream, "<u4").reshape(shape)
    if spec.datatype.startswith("FP"):
        # 11 bits are exact in every width of float.
        return ((numbers >> 21) / 2048).astype(NUMPY_NAMES[spec.datatype])
    limit = 2 if spec.datatype == "BOOL" else 128
    return (numbers % limit).astype(NUMPY_NAMES[spec.datatype])
