# SPDX-License-Identifier: Apache-2.0
"""The folder forms that frameworks expect. Pure: they say where, others place."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from modelkeep import plugins
from modelkeep.layouts.base import Layout

_TABLE = {
    "plain": ("modelkeep.layouts.plain", "Plain"),
    "huggingface": ("modelkeep.layouts.huggingface", "HuggingFace"),
}


def find(name: str) -> Layout:
    """The layout of that name, a built-in or a plugin's.

    Raises:
        InvalidValue: there is none.
    """
    if name in _TABLE:
        module, member = _TABLE[name]
        return cast(Layout, getattr(import_module(module), member)())
    made = cast(type[Layout], plugins.find("modelkeep.layouts", name, tuple(_TABLE)))
    return made()
