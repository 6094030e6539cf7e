# SPDX-License-Identifier: Apache-2.0
"""models.lock: what each wish resolved to, byte by byte, in deterministic text."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import InvalidDocument, KeepError
from modelkeep.spec.listing import Archive, Origin
from modelkeep.spec.manifest import FileRow, Manifest
from modelkeep.spec.requirement import LayoutChoice, check_name

VERSION = 1
_HEAD = """\
# Written by `modelkeep lock` from models.toml. Keep it under version control; do not edit it.
"""


@dataclass(frozen=True)
class LockedModel:
    """One model version that one or more profiles asked for.

    Attributes:
        wish: the requirement's own digest, which ``lock --check`` compares.
        origins: what fetches it again, in the order in which they are tried.
    """

    name: str
    profiles: tuple[str, ...]
    wish: Digest
    layout: LayoutChoice
    origins: tuple[Origin, ...]
    manifest: Manifest
    allow_pickle: bool = False
    allow_code: bool = False

    @property
    def identity(self) -> Digest:
        """The digest of the canonical manifest."""
        return self.manifest.identity


@dataclass(frozen=True)
class Lock:
    """Rows sorted by name, then by first profile. ``Lock.parse(str(lock)) == lock``."""

    models: tuple[LockedModel, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, models: Iterable[LockedModel], variables: Mapping[str, str]) -> Lock:
        """A lock in its canonical order."""
        rows = sorted(models, key=lambda row: (row.name, row.profiles))
        return cls(tuple(rows), dict(sorted(variables.items())))

    def of_profile(self, profile: str) -> Mapping[str, LockedModel]:
        """The models of one profile by name."""
        return {row.name: row for row in self.models if profile in row.profiles}

    @cached_property
    def _text(self) -> str:
        parts = [_HEAD, f"version = {VERSION}\n"]
        if self.variables:
            rows = "".join(f"{_quote(k)} = {_quote(v)}\n" for k, v in self.variables.items())
            parts.append("\n[variables]\n" + rows)
        parts.extend(_model_text(model) for model in self.models)
        return "".join(parts)

    def __str__(self) -> str:
        return self._text

    @classmethod
    def parse(cls, text: str, path: str = "models.lock") -> Lock:
        """Read a lock.

        Raises:
            InvalidDocument: not TOML, another version, a missing or wrong key,
                or files that do not give the identity that stands there.
        """
        try:
            whole = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidDocument(path, None, "", "TOML", str(error)) from error
        version = whole.get("version")
        if version != VERSION:
            expected = f"version {VERSION}, the newest that this modelkeep reads"
            raise InvalidDocument(path, None, "version", expected, repr(version))
        row = ""
        try:
            models = []
            for number, table in enumerate(whole.get("model", ())):
                row = f"model[{number}]"
                models.append(_read_model(table))
            row = "variables"
            variables = {str(k): str(v) for k, v in whole.get("variables", {}).items()}
        except KeepError as error:
            got = f"{error.got} ({error.subject})"
            raise InvalidDocument(path, None, row, error.expected, got) from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            got = f"{type(error).__name__} at {error}"
            raise InvalidDocument(
                path, None, row, "the form that `modelkeep lock` writes", got
            ) from error
        return cls(tuple(models), variables)


# JSON's string escapes are a subset of TOML's (but for \u007f, which JSON leaves bare).
def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _model_text(model: LockedModel) -> str:
    lines = [
        "\n[[model]]",
        f"name = {_quote(model.name)}",
        f"profiles = [{', '.join(_quote(p) for p in model.profiles)}]",
        f'requirement = "{model.wish}"',
        f'identity = "{model.identity}"',
        f"size_bytes = {model.manifest.size_bytes}",
        f"layout = {_quote(str(model.layout))}",
    ]
    lines += [f"{key} = true" for key in ("allow_pickle", "allow_code") if getattr(model, key)]
    lines.append("origins = [")
    lines += [f"  {_origin_text(origin)}," for origin in model.origins]
    lines += ["]", "files = ["]
    lines += [
        f"  {{ path = {_quote(row.path)}, size_bytes = {row.size_bytes}, "
        f'digest = "{row.digest}" }},'
        for row in model.manifest.files
    ]
    return "\n".join([*lines, "]", ""])


def _origin_text(origin: Origin) -> str:
    parts = [f"source = {_quote(origin.source)}"]
    if origin.revision:
        parts.append(f"revision = {_quote(origin.revision)}")
    if origin.ref:
        parts.append(f"ref = {_quote(origin.ref)}")
    if origin.archive:
        archive = origin.archive
        inner = [f"filename = {_quote(archive.filename)}", f"url = {_quote(archive.url)}"]
        inner.append(f'digest = "{archive.digest}"')
        if archive.root:
            inner.append(f"root = {_quote(archive.root)}")
        parts.append(f"archive = {{ {', '.join(inner)} }}")
    return f"{{ {', '.join(parts)} }}"


def _read_model(table: Mapping[str, Any]) -> LockedModel:
    rows = tuple(
        FileRow(_text(row["path"]), _whole(row["size_bytes"]), Digest.parse(row["digest"]))
        for row in table["files"]
    )
    manifest = Manifest.of(rows)
    said = Digest.parse(table["identity"])
    if said != manifest.identity:
        raise KeepError("identity", f"{manifest.identity}, which its files give", str(said))
    return LockedModel(
        name=check_name(table["name"]),
        profiles=tuple(check_name(profile) for profile in _some(table["profiles"])),
        wish=Digest.parse(table["requirement"]),
        layout=LayoutChoice.parse(table["layout"]),
        origins=tuple(_read_origin(origin) for origin in _some(table["origins"])),
        manifest=manifest,
        allow_pickle=_flag(table.get("allow_pickle", False)),
        allow_code=_flag(table.get("allow_code", False)),
    )


def _read_origin(table: Mapping[str, Any]) -> Origin:
    archive = table.get("archive")
    return Origin(
        source=_text(table["source"]),
        revision=_text(table.get("revision", "")),
        ref=_text(table.get("ref", "")),
        archive=None if archive is None else _read_archive(archive),
    )


def _read_archive(table: Mapping[str, Any]) -> Archive:
    return Archive(
        filename=_text(table["filename"]),
        url=_text(table["url"]),
        digest=Digest.parse(table["digest"]),
        root=_text(table.get("root", "")),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r}, which is no text")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r}, which is no whole number")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r}, which is no flag")
    return value


def _some(value: object) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise TypeError(f"{value!r}, which is no list with something in it")
    return value
