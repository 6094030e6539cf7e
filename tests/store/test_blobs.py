# SPDX-License-Identifier: Apache-2.0
import os
import stat
from pathlib import Path

from modelkeep.spec.digest import Digest
from modelkeep.store.blobs import all_blobs, check_blob, digest_file, has_blob, publish_blob
from modelkeep.store.tree import Tree

DATA = b"some weights"
DIGEST = Digest.of(DATA)


def put(tree: Tree, data: bytes = DATA, digest: Digest = DIGEST) -> None:
    temporary = tree.tmp / "temporary"
    temporary.write_bytes(data)
    temporary.chmod(0o444)
    publish_blob(tree, temporary, digest)
    assert not temporary.exists()


def test_a_published_blob_stands_under_its_digest_read_only(tree: Tree) -> None:
    put(tree)
    path = tree.home / "v1" / "blobs" / DIGEST.hex[:2] / DIGEST.hex
    assert path == tree.blob(DIGEST)
    assert path.read_bytes() == DATA
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert check_blob(tree, DIGEST)
    assert digest_file(path) == DIGEST


def test_a_blob_is_here_only_in_its_size(tree: Tree) -> None:
    assert not has_blob(tree, DIGEST)
    put(tree)
    assert has_blob(tree, DIGEST)
    assert has_blob(tree, DIGEST, len(DATA))
    assert not has_blob(tree, DIGEST, len(DATA) + 1)


def test_a_folder_in_a_blobs_place_is_no_blob(tree: Tree) -> None:
    tree.blob(DIGEST).mkdir(parents=True)
    assert not has_blob(tree, DIGEST)
    assert not check_blob(tree, DIGEST)
    assert list(all_blobs(tree)) == []


def test_right_bytes_that_are_there_stay(tree: Tree) -> None:
    put(tree)
    before = tree.blob(DIGEST).stat()
    put(tree)
    assert tree.blob(DIGEST).stat().st_ino == before.st_ino


def test_wrong_bytes_that_are_there_are_replaced(tree: Tree) -> None:
    for wrong in (b"", b"SOME weights", DATA + b"x"):
        final = tree.blob(DIGEST)
        final.parent.mkdir(exist_ok=True)
        final.unlink(missing_ok=True)
        final.write_bytes(wrong)
        assert not check_blob(tree, DIGEST)
        put(tree)
        assert final.read_bytes() == DATA


def test_a_link_to_nowhere_in_a_blobs_place_is_replaced(tree: Tree) -> None:
    tree.blob(DIGEST).parent.mkdir()
    tree.blob(DIGEST).symlink_to("nowhere")
    put(tree)
    assert check_blob(tree, DIGEST)


def test_all_blobs_are_told_and_nothing_else(tree: Tree) -> None:
    put(tree)
    put(tree, b"x", Digest.of(b"x"))
    (tree.blobs / "file").write_text("no folder")
    (tree.blobs / "ab").mkdir(exist_ok=True)
    (tree.blobs / "ab" / "README").write_text("no digest")
    os.symlink("/etc/hostname", tree.blobs / "ab" / ("ab" * 32))
    assert dict(all_blobs(tree)) == {DIGEST: len(DATA), Digest.of(b"x"): 1}


def test_a_store_that_is_not_there_has_no_blobs(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "none")
    assert not tree.exists()
    assert list(all_blobs(tree)) == []
    assert not has_blob(tree, DIGEST)
