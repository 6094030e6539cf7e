# SPDX-License-Identifier: Apache-2.0
"""What a source says it has, and what fetches it again."""

from __future__ import annotations

from dataclasses import dataclass

from modelkeep.spec.digest import Digest


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive of a package index, and the folder in it that paths start from.

    Attributes:
        filename: its name at the index; an index is asked for this name first,
            since the URL of one site's mirror means nothing at another.
        url: where it was found when it was locked, with no user information.
        digest: of the archive itself.
        root: folder inside the archive, "" for its top.
    """

    filename: str
    url: str
    digest: Digest
    root: str = ""

    def member(self, path: str) -> str:
        """The archive's own name for one of the model's files."""
        return f"{self.root}/{path}" if self.root else path


@dataclass(frozen=True, slots=True)
class Origin:
    """A source resolved to a point in its history: enough to fetch the same bytes again.

    Attributes:
        source: the URI without its revision, as ``str(SourceUri.unpinned())``.
        revision: commit, version, or "" where a source has none.
        ref: the branch or tag that was asked for, or "" (the huggingface layout shows it).
        archive: where the files are members of an archive.
    """

    source: str
    revision: str = ""
    ref: str = ""
    archive: Archive | None = None


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file as its source describes it; what the source does not say is None."""

    path: str
    size_bytes: int | None = None
    digest: Digest | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything a source has at one revision."""

    origin: Origin
    files: tuple[ListedFile, ...]
