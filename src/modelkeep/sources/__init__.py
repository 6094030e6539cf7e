# SPDX-License-Identifier: Apache-2.0
"""Where models come from: each source says what it has, and opens it from any byte on.

Sources are found by scheme and imported only then.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from modelkeep import plugins
from modelkeep.sources.base import BringArchive, Source, Stream
from modelkeep.sources.context import Context
from modelkeep.spec.errors import InvalidValue, KeepError

__all__ = ["BringArchive", "Context", "Source", "Stream", "find"]

TABLE = {
    "hf": ("modelkeep.sources.hub", "Hub"),
    "https": ("modelkeep.sources.https", "Https"),
    "http": ("modelkeep.sources.https", "Https"),
    "file": ("modelkeep.sources.folder", "Folder"),
    "pypi": ("modelkeep.sources.package", "Package"),
}


def find(scheme: str, context: Context) -> Source:
    """The source of a scheme: ours, else the one entry point of that name.

    Raises:
        InvalidValue: nobody offers it, several do, or it does not start.
    """
    if scheme in TABLE:
        module, name = TABLE[scheme]
        return cast(Source, getattr(import_module(module), name)(context))
    found = plugins.find("modelkeep.sources", scheme, tuple(TABLE))
    factory = cast("Callable[[Context], Source]", found)
    try:
        return factory(context)
    except KeepError:
        raise
    except Exception as error:  # a plugin's door: its code may raise anything
        raise InvalidValue(f"source {scheme}", "a plugin that starts", f"{error!r}") from error
