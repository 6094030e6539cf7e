# SPDX-License-Identifier: Apache-2.0
"""Reads a loader's options: a misspelt name or a wrong kind is refused, not overlooked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelkeep.loaders.base import LoadSpec
from modelkeep.spec.errors import InvalidValue, LoadFailed
from modelkeep.spec.tensor import TensorSpec


def check_known(spec: LoadSpec, known: Sequence[str]) -> None:
    """Refuse options that the loader does not have.

    Raises:
        LoadFailed: naming the unknown ones and the known.
    """
    unknown = sorted(set(spec.options) - set(known))
    if unknown:
        expected = f"options of the loader {spec.loader}: {', '.join(known)}"
        raise LoadFailed(f"model {spec.name}", expected, ", ".join(unknown))


def _refuse(spec: LoadSpec, key: str, expected: str) -> LoadFailed:
    return LoadFailed(f"model {spec.name}: option {key}", expected, repr(spec.options.get(key)))


def text(spec: LoadSpec, key: str) -> str | None:
    """A text that is not empty, or None where the option is absent."""
    value = spec.options.get(key)
    if value is not None and not (isinstance(value, str) and value):
        raise _refuse(spec, key, "a text")
    return value


def texts(spec: LoadSpec, key: str) -> tuple[str, ...]:
    """A list of texts; empty where the option is absent."""
    value = spec.options.get(key, [])
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
        raise _refuse(spec, key, "a list of texts")
    return tuple(value)


def count(spec: LoadSpec, key: str) -> int | None:
    """A whole number of 1 or more, or None where the option is absent."""
    value = spec.options.get(key)
    if value is not None and (type(value) is not int or value < 1):
        raise _refuse(spec, key, "a whole number of 1 or more")
    return value


def seconds(spec: LoadSpec, key: str) -> float:
    """Seconds of 0 or more; 0 where the option is absent."""
    value = spec.options.get(key, 0.0)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
        raise _refuse(spec, key, "a number of seconds, 0 or more")
    return float(value)


def flag(spec: LoadSpec, key: str) -> bool:
    """True or false; false where the option is absent."""
    value = spec.options.get(key, False)
    if not isinstance(value, bool):
        raise _refuse(spec, key, "true or false")
    return value


def tensors(subject: str, rows: Any) -> tuple[TensorSpec, ...]:
    """Declared inputs or outputs, rows of (name, datatype, shape).

    Raises:
        LoadFailed: another form, or a name twice.
    """
    if not isinstance(rows, (list, tuple)):
        raise LoadFailed(subject, "a list of (name, datatype, shape)", repr(rows))
    try:
        specs = tuple(TensorSpec.of(row) for row in rows)
    except InvalidValue as error:
        raise LoadFailed(f"{subject}: {error.subject}", error.expected, error.got) from error
    names = [one.name for one in specs]
    if len(set(names)) != len(names):
        raise LoadFailed(subject, "each name once", ", ".join(names))
    for one in specs:
        if any(size < -1 for size in one.shape):
            got = str(list(one.shape))
            raise LoadFailed(f"{subject}: tensor {one.name}", "sizes of -1 or more", got)
    return specs
