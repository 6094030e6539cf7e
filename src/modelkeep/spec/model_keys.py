# SPDX-License-Identifier: Apache-2.0
"""The keys that a ``[models.NAME]`` table may have, and how each is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import InvalidValue
from modelkeep.spec.requirement import PRIORITIES, LayoutChoice
from modelkeep.spec.uri import SourceUri

# key → (what it must be, its Python types)
KEYS: dict[str, tuple[str, tuple[type, ...]]] = {
    "source": ("a source URI or a list of them", (str, list)),
    "revision": ("text", (str,)),
    "digest": ("sha256:<64 hex digits>", (str,)),
    "files": ("a list of globs", (str, list)),
    "exclude": ("a list of globs", (str, list)),
    "layout": ("LAYOUT or LAYOUT:org/name", (str,)),
    "loader": ("a loader's name", (str,)),
    "device": ("a device such as cpu or cuda:0", (str,)),
    "options": ("a table", (dict,)),
    "priority": ("one of " + ", ".join(PRIORITIES), (str,)),
    "fallback": ("another model's name", (str,)),
    "enabled": ("true or false", (bool,)),
    "allow_pickle": ("true or false", (bool,)),
    "allow_code": ("true or false", (bool,)),
    "metadata": ("a table", (dict,)),
}
LOCKED_KEYS = ("source", "revision", "digest", "files", "exclude", "layout")


def _texts(value: Any) -> tuple[str, ...]:
    many = [value] if isinstance(value, str) else value
    for part in many:
        if not isinstance(part, str) or not part:
            raise InvalidValue("list", "texts that are not empty", repr(part))
    return tuple(many)


def _sources(value: Any) -> dict[str, Any]:
    uris = tuple(SourceUri.parse(text) for text in _texts(value))
    if not uris:
        raise InvalidValue("source", "at least one source URI", "an empty list")
    return {"sources": uris}


def _priority(value: str) -> dict[str, Any]:
    if value not in PRIORITIES:
        raise InvalidValue("priority", "one of " + ", ".join(PRIORITIES), repr(value))
    return {"priority": value}


_READERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "source": _sources,
    "digest": lambda value: {"digest": Digest.parse(value)},
    "files": lambda value: {"files": _texts(value)},
    "exclude": lambda value: {"exclude": _texts(value)},
    "layout": lambda value: {"layout": LayoutChoice.parse(value)},
    "priority": _priority,
}


def read_key(key: str, value: Any) -> dict[str, Any]:
    """Fields of a Requirement from one key's value.

    Raises:
        InvalidValue: it does not parse.
    """
    if key in _READERS:
        return _READERS[key](value)
    if isinstance(value, str) and not value:
        raise InvalidValue(key, KEYS[key][0], "an empty text")
    return {key: value}


def kind_of(value: object) -> str:
    """What was written instead, for an error."""
    names = {bool: "a flag", str: "a text", int: "a number", float: "a number"}
    names |= {list: "a list", dict: "a table"}
    return f"{names.get(type(value), type(value).__name__)} ({value!r:.60})"
