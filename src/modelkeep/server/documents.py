# SPDX-License-Identifier: Apache-2.0
"""JSON bodies: read strictly, written for every reader. Pure.

Read as RFC 8259 says, and stricter: no key twice in one object. One thing
more is read: the words NaN, Infinity and -Infinity, because Python's and
Triton's clients write them for numbers. They are never written.
"""

from __future__ import annotations

import json
import reprlib
from typing import Any

from modelkeep.spec.errors import BadInput

BODY = "request body"


def show(value: object) -> str:
    """A value for an error's text, cut short."""
    return reprlib.repr(value)


def read_document(body: bytes) -> Any:
    """The value that a JSON text stands for.

    Raises:
        BadInput: not JSON, not in a Unicode encoding, nested too deep, or an
            object that has a key twice.
    """
    if not body:
        raise BadInput(BODY, "a JSON object", "nothing")
    try:
        return json.loads(body, object_pairs_hook=_once)
    except RecursionError as error:
        raise BadInput(BODY, "JSON nested less deeply", "more levels than can be read") from error
    except ValueError as error:
        raise BadInput(BODY, "JSON", str(error)) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for at, key in enumerate(keys) if key in keys[:at])
        raise BadInput(BODY, "each key once in an object", f"{show(twice)} twice")
    return table


def write_document(document: object) -> bytes:
    """UTF-8 JSON; half surrogates, which UTF-8 lacks, are written as escapes.

    Raises:
        ValueError: a number that JSON does not have; TypeError: another value.
    """
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(document, allow_nan=False, separators=(",", ":")).encode()
