# SPDX-License-Identifier: Apache-2.0
"""Small locked models, and a store that holds their bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from modelkeep.spec.digest import Digest
from modelkeep.spec.listing import Origin
from modelkeep.spec.lock import LockedModel
from modelkeep.spec.manifest import FileRow, Manifest
from modelkeep.spec.requirement import LayoutChoice
from modelkeep.store.partials import Partial
from modelkeep.store.tree import Tree

COMMIT = "0123456789" * 4
OTHER_COMMIT = "abcdef0123" * 4
FILES = {"config.json": b"{}", "onnx/model.bin": b"weights" * 100}
ONNX = {"model.onnx": b"graph", "model.onnx_data": b"tensors" * 10}


def locked(
    name: str = "pat",
    files: Mapping[str, bytes] = FILES,
    *,
    source: str = "hf:org/name",
    revision: str = COMMIT,
    ref: str = "main",
    layout: str = "huggingface",
) -> LockedModel:
    """A locked model of these files."""
    rows = [FileRow(path, len(data), Digest.of(data)) for path, data in files.items()]
    return LockedModel(
        name=name,
        profiles=("default",),
        wish=Digest.of(name.encode()),
        layout=LayoutChoice.parse(layout),
        origins=(Origin(source, revision, ref),),
        manifest=Manifest.of(rows),
    )


def both() -> list[LockedModel]:
    """One model of each kind: a view of links and literal files, and one of hard links."""
    return [locked("pat"), locked("net", ONNX, source="file:net", layout="plain")]


def hold(tree: Tree, blobs: Iterable[bytes]) -> None:
    """Publish these bytes."""
    tree.prepare()
    for data in blobs:
        with Partial.begin(tree, Digest.of(data)) as partial:
            partial.write(data)
            partial.commit()
