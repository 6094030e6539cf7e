# SPDX-License-Identifier: Apache-2.0
"""Is all there that a serving process needs? Looks, and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import MissingFile
from modelkeep.spec.lock import LockedModel
from modelkeep.store.blobs import has_blob
from modelkeep.store.tree import Tree


def absent_digests(tree: Tree, models: Sequence[LockedModel]) -> set[Digest]:
    """Digests that these models need and the store lacks, or has in another size."""
    wanted = {row.digest: row.size_bytes for model in models for row in model.manifest.files}
    return {digest for digest, size in wanted.items() if not has_blob(tree, digest, size)}


def check_model(tree: Tree, folder: Path, model: LockedModel) -> None:
    """Refuse a model of which a file is not there, in the store or in its folder.

    Args:
        folder: where the view shows the model's files.

    Raises:
        MissingFile: the first file that is missing.
    """
    for row in model.manifest.files:
        if not has_blob(tree, row.digest, row.size_bytes) or not (folder / row.path).exists():
            raise MissingFile(model.name, row.path, str(tree.home))
