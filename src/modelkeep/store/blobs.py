# SPDX-License-Identifier: Apache-2.0
"""Blobs: whole or absent, read-only, found by their digest."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import InvalidValue
from modelkeep.store.publish import publish, replace
from modelkeep.store.tree import Tree

PIECE_BYTES = 1 << 20


def has_blob(tree: Tree, digest: Digest, size_bytes: int | None = None) -> bool:
    """Whether a blob is here: a regular file, of that size where one is given."""
    try:
        status = os.stat(tree.blob_name(digest))
    except OSError:
        return False
    right_size = size_bytes is None or status.st_size == size_bytes
    return right_size and stat.S_ISREG(status.st_mode)


def digest_file(path: Path) -> Digest:
    """Read a file and name it."""
    with path.open("rb") as file:
        return Digest(hashlib.file_digest(file, "sha256").hexdigest())


def check_blob(tree: Tree, digest: Digest) -> bool:
    """Read a blob again: whether it still is what its name says."""
    try:
        return digest_file(tree.blob(digest)) == digest
    except OSError:
        return False


def publish_blob(tree: Tree, temporary: Path, digest: Digest) -> None:
    """Move a verified, fsynced file to its final name.

    Where the name is taken the older file is read: right bytes stay, wrong
    ones (a truncated or damaged blob) are replaced by these.

    Raises:
        OSError: the filesystem refuses.
    """
    final = tree.blob(digest)
    if os.path.lexists(final) and not check_blob(tree, digest):
        replace(temporary, final)
    else:
        publish(temporary, final)


def all_blobs(tree: Tree) -> Iterator[tuple[Digest, int]]:
    """Every blob with its size in bytes; names that are no digests are passed over."""
    for shard in _entries(tree.blobs):
        for entry in _entries(Path(shard.path)):
            try:
                digest = Digest(entry.name)
            except InvalidValue:
                continue
            if entry.is_file(follow_symlinks=False):
                yield digest, entry.stat(follow_symlinks=False).st_size


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
