# SPDX-License-Identifier: Apache-2.0
"""Edits the text of models.toml; comments and order stay. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from modelkeep.spec.errors import InvalidValue, UnknownModel
from modelkeep.spec.requirement import check_name
from modelkeep.spec.uri import SourceUri

STARTER = """\
# The models that this project needs. After a change: modelkeep sync
#
# [models.sentences]
# source = "hf:sentence-transformers/all-MiniLM-L6-v2"   # also pypi:, https:, file:
# files = ["*.safetensors", "*.json", "*.txt"]           # one copy of the weights, no code
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
        InvalidValue: there is a model of that name already, or the text is such
            that no table can be added at its end.
    """
    if name in _parse(text).get("models", {}):
        raise InvalidValue(
            f"model {name}", "a name that models.toml does not have yet", "one it has"
        )
    kept = {key: value for key, value in keys.items() if value not in (None, "", [], (), False)}
    table = tomlkit.dumps({"models": {name: kept}})
    before = f"{text.rstrip()}\n\n" if text.strip() else ""
    after = before + table
    try:
        tomllib.loads(after)
    except tomllib.TOMLDecodeError as error:
        expected = "models.toml with its models as [models.NAME] tables"
        raise InvalidValue(f"model {name}", expected, str(error)) from error
    return after


def remove_models(text: str, names: Iterable[str]) -> str:
    """The text without these models, in every profile.

    Raises:
        UnknownModel: a name that is not there.
        InvalidValue: the text is no TOML.
    """
    for name in names:
        # Parsed anew for each: tomlkit loses count of tables that stand apart.
        document = _parse(text)
        models = document.get("models", {})
        if name not in models:
            known = ", ".join(models) or "none"
            raise UnknownModel(f"model {name}", f"one of models.toml ({known})", "no such model")
        del models[name]
        for profile in document.get("profiles", {}).values():
            profile.get("models", {}).pop(name, None)
        text = tomlkit.dumps(document)
    return text


def _parse(text: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise InvalidValue("models.toml", "TOML", str(error)) from error
