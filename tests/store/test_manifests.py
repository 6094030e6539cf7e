# SPDX-License-Identifier: Apache-2.0
import os
import stat

import pytest

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import DamagedStore
from modelkeep.spec.listing import Origin
from modelkeep.spec.manifest import FileRow, Manifest
from modelkeep.store.manifests import (
    Came,
    all_manifests,
    get_manifest,
    note_origin,
    origins_of,
    put_manifest,
)
from modelkeep.store.tree import Tree

MANIFEST = Manifest.of([FileRow("ä/a.json", 3, Digest.of(b"one"))])
IDENTITY = MANIFEST.identity


def test_a_manifest_is_stored_as_its_canonical_bytes_under_its_identity(tree: Tree) -> None:
    assert get_manifest(tree, IDENTITY) is None
    put_manifest(tree, MANIFEST)
    path = tree.home / "v1" / "manifests" / f"{IDENTITY.hex}.json"
    assert path.read_bytes() == MANIFEST.canonical
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert get_manifest(tree, IDENTITY) == MANIFEST
    assert list(tree.tmp.iterdir()) == []


def test_a_manifest_that_is_there_is_not_written_again(tree: Tree) -> None:
    put_manifest(tree, MANIFEST)
    before = os.stat(tree.manifest(IDENTITY)).st_ino
    put_manifest(tree, MANIFEST)
    assert os.stat(tree.manifest(IDENTITY)).st_ino == before


@pytest.mark.parametrize("data", [b"", MANIFEST.canonical[:-1], MANIFEST.canonical + b"\n"])
def test_a_damaged_manifest_is_told_and_can_be_written_anew(tree: Tree, data: bytes) -> None:
    tree.manifest(IDENTITY).write_bytes(data)
    with pytest.raises(DamagedStore, match=IDENTITY.hex):
        get_manifest(tree, IDENTITY)
    put_manifest(tree, MANIFEST)
    assert get_manifest(tree, IDENTITY) == MANIFEST


@pytest.mark.parametrize("data", [b"{}", MANIFEST.canonical + b"\n", b'{"files":[],"version":1}'])
def test_bytes_that_fit_their_name_and_are_no_manifest_are_told(tree: Tree, data: bytes) -> None:
    tree.manifest(Digest.of(data)).write_bytes(data)
    with pytest.raises(DamagedStore, match="manifest"):
        get_manifest(tree, Digest.of(data))


def test_all_identities_are_told_in_order_and_nothing_else(tree: Tree) -> None:
    others = [Manifest.of([FileRow(f"f{n}", n, Digest.of(b""))]) for n in range(5)]
    for manifest in others:
        put_manifest(tree, manifest)
    (tree.manifests / "README.json").write_text("{}")
    (tree.manifests / "x.txt").write_text("")
    assert list(all_manifests(tree)) == sorted(m.identity for m in others)


def test_the_names_under_which_a_model_came_are_remembered_once_each(tree: Tree) -> None:
    origin = Origin("hf:org/näme", "r1", "main")
    assert origins_of(tree, IDENTITY) == ()
    for name in ("pat", "pat", "tap"):
        note_origin(tree, IDENTITY, name, origin)
    note_origin(tree, IDENTITY, "bare", None)
    assert origins_of(tree, IDENTITY) == (
        Came("pat", "hf:org/näme", "r1"),
        Came("tap", "hf:org/näme", "r1"),
        Came("bare", "", ""),
    )


@pytest.mark.parametrize("text", ["", "{", "1", "null", "[1]", '[["a"]]', '[["a","b","c","d"]]'])
def test_a_damaged_note_counts_as_none_and_is_written_anew(tree: Tree, text: str) -> None:
    tree.origin(IDENTITY).write_text(text)
    assert origins_of(tree, IDENTITY) == ()
    note_origin(tree, IDENTITY, "pat", None)
    assert origins_of(tree, IDENTITY) == (Came("pat", "", ""),)
