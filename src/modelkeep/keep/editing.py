# SPDX-License-Identifier: Apache-2.0
"""Edits the text of models.toml; comments and order stay. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import tomlkit
from tomlkit.items import Table

from modelkeep.spec.errors import InvalidValue, UnknownModel
from modelkeep.spec.requirement import check_name
from modelkeep.spec.uri import SourceUri

STARTER = """\
# The models that this project needs. After a change: modelkeep sync
#
# [models.sentences]
# source = "hf:sentence-transformers/all-MiniLM-L6-v2"   # also pypi:, https:, file:
# loader = "sentence-transformers"                       # how `modelkeep serve` runs it
# priority = "critical"                                  # critical, preload or lazy
"""


def default_name(uri: SourceUri) -> str:
    """A model's name from where it comes: the last part of the repository, URL or path."""
    parts = [part for part in uri.body.rstrip("/").split("/") if part]
    last = parts[-1] if parts else ""
    if uri.scheme in ("http", "https"):
        last = last.partition("?")[0].rpartition(".")[0] or last
    name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in last)
    return check_name(name.strip("-._").lower())


def add_model(text: str, name: str, keys: Mapping[str, Any]) -> str:
    """The text with one more ``[models.NAME]`` table at its end.

    Args:
        keys: those of the table; empty and None values are left out.

    Raises:
        InvalidValue: there is a model of that name already.
    """
    document = tomlkit.parse(text)
    models = cast("Table", document.setdefault("models", tomlkit.table(is_super_table=True)))
    if name in models:
        raise InvalidValue(
            f"model {name}", "a name that models.toml does not have yet", "one it has"
        )
    table = tomlkit.table()
    for key, value in keys.items():
        if value not in (None, "", [], (), False):
            table.add(key, list(value) if isinstance(value, tuple) else value)
    models.add(name, table)
    return tomlkit.dumps(document)


def remove_models(text: str, names: Iterable[str]) -> str:
    """The text without these models, in every profile.

    Raises:
        UnknownModel: a name that is not there.
    """
    document = tomlkit.parse(text)
    models = document.get("models", {})
    profiles = document.get("profiles", {})
    for name in names:
        if name not in models:
            known = ", ".join(models) or "none"
            raise UnknownModel(f"model {name}", f"one of models.toml ({known})", "no such model")
        models.remove(name)
        for profile in profiles.values():
            profile.get("models", {}).pop(name, None)
    return tomlkit.dumps(document)
