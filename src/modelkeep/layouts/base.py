# SPDX-License-Identifier: Apache-2.0
"""What a layout says: which path shows which bytes, and which variables lead there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from modelkeep.spec.digest import Digest
from modelkeep.spec.lock import LockedModel


class Link(StrEnum):
    """How a file of a view is made of a blob."""

    SYMLINK = "symlink"
    # For readers that resolve symlinks and then look beside the target; a copy
    # where the filesystem has no hard links.
    HARDLINK = "hardlink"


@dataclass(frozen=True, slots=True)
class Placement:
    """One file of a view.

    Attributes:
        path: relative to the layout's own folder in the set.
        content: a blob's digest, or the bytes of a small file that the layout writes.
    """

    path: str
    content: Digest | bytes
    link: Link = Link.SYMLINK


class Layout(Protocol):
    """One framework's folder form."""

    def place(self, models: Sequence[LockedModel]) -> Sequence[Placement]:
        """Every file that shows these models, sorted by name, together.

        A file that two of them share may stand there twice; two contents on one
        path are refused by who builds the view.

        Raises:
            InvalidValue: a model cannot be shown so (no repository name, say).
        """
        ...

    def folder(self, model: LockedModel) -> str:
        """Where the model's own files stand, relative to the layout's folder."""
        ...

    def variables(self, root: Path) -> Mapping[str, str]:
        """Environment variables that make the framework read the view at ``root``, offline."""
        ...
