# SPDX-License-Identifier: Apache-2.0
"""One wish: a ``[models.NAME]`` table of models.toml, checked and frozen."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import InvalidValue
from modelkeep.spec.uri import SourceUri

PRIORITIES = ("critical", "preload", "lazy")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_REPOSITORY = re.compile(r"(?:(?:datasets|spaces)/)?[\w.-]+(?:/[\w.-]+)?", re.ASCII)


def check_name(name: str) -> str:
    """Return a model's or profile's name if it may be one.

    Raises:
        InvalidValue: it is empty, too long, or has other characters.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        expected = "letters, digits, '.', '_' and '-', beginning with a letter or digit, up to 128"
        raise InvalidValue("name", expected, repr(name))
    return name


@dataclass(frozen=True, slots=True)
class LayoutChoice:
    """A layout's name, and the repository it shows where the source does not say one.

    As text: ``plain``, ``huggingface``, ``huggingface:org/name``.
    """

    name: str
    repository: str = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.repository}" if self.repository else self.name

    @classmethod
    def parse(cls, text: str) -> LayoutChoice:
        """Read the text form.

        Raises:
            InvalidValue: an empty name, or a repository that is none.
        """
        name, colon, repository = text.partition(":")
        if not name or (colon and (not _REPOSITORY.fullmatch(repository) or ".." in repository)):
            raise InvalidValue("layout", "LAYOUT or LAYOUT:org/name", repr(text))
        return cls(name, repository)


@dataclass(frozen=True)
class Requirement:
    """What a project wishes of one model, for one profile.

    Attributes:
        sources: in the order in which they are asked; empty only for ``mock``.
        revision: for the sources whose URI names none.
        digest: the identity that must come out, or the digest of its only file.
        files: globs (fnmatch, ``*`` crosses ``/``) of paths to keep; empty: all.
        options: the loader's own table.
    """

    name: str
    sources: tuple[SourceUri, ...]
    revision: str | None = None
    digest: Digest | None = None
    files: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    layout: LayoutChoice = field(default_factory=lambda: LayoutChoice("plain"))
    loader: str | None = None
    device: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    priority: str = "preload"
    fallback: str | None = None
    enabled: bool = True
    allow_pickle: bool = False
    allow_code: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def wish(self) -> Digest:
        """The digest of what decides which bytes are locked and how they are shown.

        How a model is run (loader, device, options, priority) is not in it: to
        change that needs no new lock.
        """
        covered = {
            "sources": [str(uri) for uri in self.sources],
            "revision": self.revision,
            "digest": str(self.digest) if self.digest else None,
            "files": list(self.files),
            "exclude": list(self.exclude),
            "layout": str(self.layout),
            "allow_pickle": self.allow_pickle,
            "allow_code": self.allow_code,
        }
        return Digest.of(json.dumps(covered, sort_keys=True, ensure_ascii=False).encode())

    @property
    def has_files(self) -> bool:
        """Whether there is anything to lock: a mock has no sources."""
        return bool(self.sources)


def default_layout(sources: tuple[SourceUri, ...]) -> LayoutChoice:
    """``huggingface`` where the Hub comes first, else ``plain``."""
    hub = bool(sources) and sources[0].scheme == "hf"
    return LayoutChoice("huggingface" if hub else "plain")
